//! What a pipeline under test keeps its data in: a directory of its own, or Redis, Kafka and a lake that its roles share.

use std::path::Path;

use gamepipe_testkit::kafka_server::KafkaServer;
use gamepipe_testkit::redis_server::RedisServer;

/// The backends of a pipeline.
#[derive(Debug, Clone, Copy)]
pub enum Backends {
    /// Embedded: `gamepipe up`, one process.
    Embedded,
    /// Redis and Kafka: `gamepipe serve`, a process a role.
    Cluster(Services),
}

impl Backends {
    /// A cluster's, with the servers that all tests of this process share.
    pub fn shared_cluster() -> Self {
        Self::Cluster(Services::of(RedisServer::shared(), KafkaServer::shared()))
    }
}

/// The servers that a cluster's roles share. Names of topics and stores are told apart by the data directory.
#[derive(Debug, Clone, Copy)]
pub struct Services {
    /// Where the players' state is, as settings have it.
    pub redis: &'static str,
    /// Where the event log is, as settings have it.
    pub kafka: &'static str,
}

impl Services {
    /// The addresses of these two. They are kept for as long as the test process lives, which makes them easy to pass on.
    pub fn of(redis: &RedisServer, kafka: &KafkaServer) -> Self {
        Self {
            redis: redis.url().leak(),
            kafka: kafka.bootstrap().leak(),
        }
    }

    /// The topic of the pipeline in this directory.
    pub fn topic(&self, data: &Path) -> String {
        name_of(data)
    }

    /// The settings by which a role finds all that belongs to the pipeline in this directory.
    pub fn variables(&self, data: &Path) -> Vec<(String, String)> {
        let name = name_of(data);
        let pairs = [
            ("GAMEPIPE_STATE_REDIS_URL", self.redis.to_owned()),
            ("GAMEPIPE_STATE_REDIS_NAME", name.clone()),
            (
                "GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS",
                self.kafka.to_owned(),
            ),
            ("GAMEPIPE_LOG_KAFKA_TOPIC", name),
            (
                "GAMEPIPE_LAKE_PATH",
                data.join("lake").display().to_string(),
            ),
        ];
        pairs
            .into_iter()
            .map(|(variable, value)| (variable.to_owned(), value))
            .collect()
    }
}

/// A name that a topic may have: the directory's path is unique while the test runs.
fn name_of(data: &Path) -> String {
    let text = data.display().to_string();
    text.chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect::<String>()
        .trim_matches('-')
        .to_owned()
}

/// Makes two tests of a function `fn(Backends) -> Result<()>`: one on the embedded backends, one on Redis and Kafka.
#[macro_export]
macro_rules! on_both_backends {
    ($($test:ident)*) => {
        mod embedded {
            $(
                #[test]
                fn $test() -> anyhow::Result<()> {
                    super::$test($crate::Backends::Embedded)
                }
            )*
        }

        mod kafka_redis_cluster {
            $(
                #[test]
                fn $test() -> anyhow::Result<()> {
                    super::$test($crate::Backends::shared_cluster())
                }
            )*
        }
    };
}
