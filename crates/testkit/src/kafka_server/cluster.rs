//! Several brokers that are one cluster: every topic has a copy on each of them, and one of them may be gone.

use super::settings::Node;
use super::{KafkaServer, Options, START_ATTEMPTS};

/// A running cluster.
#[derive(Debug)]
pub struct KafkaCluster {
    brokers: Vec<KafkaServer>,
}

impl KafkaCluster {
    /// Starts so many brokers and waits until all of them answer.
    ///
    /// # Panics
    /// When they can't be started; the message says why.
    pub fn start(count: usize) -> Self {
        let mut brokers: Vec<KafkaServer> = (0..count)
            .map(|_| KafkaServer::new(Options::default()))
            .collect();
        for _ in 0..START_ATTEMPTS {
            brokers.iter_mut().for_each(KafkaServer::choose_ports);
            let controllers: Vec<u16> = brokers
                .iter()
                .map(|broker| broker.ports.controller)
                .collect();
            for (id, broker) in (1..).zip(&mut brokers) {
                broker.node = Node {
                    id,
                    controllers: controllers.clone(),
                    zookeeper: None,
                };
                broker.format();
            }
            // They need one another: all are begun before one is waited for.
            brokers.iter_mut().for_each(KafkaServer::launch);
            if brokers.iter_mut().all(KafkaServer::answers) {
                return Self { brokers };
            }
        }
        let logs: Vec<String> = brokers.iter().map(KafkaServer::log).collect();
        panic!("the cluster does not start: {}", logs.join("\n"));
    }

    /// The addresses of all of them, as settings have them.
    pub fn bootstrap(&self) -> String {
        let all: Vec<String> = self.brokers.iter().map(KafkaServer::bootstrap).collect();
        all.join(",")
    }

    /// The brokers.
    pub fn brokers_mut(&mut self) -> &mut [KafkaServer] {
        &mut self.brokers
    }
}
