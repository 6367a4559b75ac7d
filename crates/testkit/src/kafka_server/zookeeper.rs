//! ZooKeeper, which versions of Kafka before 4 need beside them. It is in their jars.

use std::path::Path;

use crate::process::{Process, free_port};

/// A running ZooKeeper, gone when dropped.
#[derive(Debug)]
pub(super) struct ZooKeeper {
    port: u16,
    _process: Process,
}

impl ZooKeeper {
    /// True when these are jars of a version that needs it.
    pub(super) fn is_needed(jars: &Path) -> bool {
        let files = std::fs::read_dir(jars).into_iter().flatten().flatten();
        files
            .filter_map(|file| file.file_name().into_string().ok())
            .any(|name| name.starts_with("zookeeper-"))
    }

    /// Starts one whose files are in `folder`. The broker waits for it by itself.
    ///
    /// # Panics
    /// When its files can't be written.
    pub(super) fn start(folder: &Path, mut java: Vec<String>) -> Self {
        let port = free_port();
        let settings = folder.join("zookeeper.cfg");
        let text = format!(
            "tickTime=500\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
            folder.join("zookeeper").display()
        );
        let log = std::fs::write(&settings, text)
            .and_then(|()| std::fs::File::create(folder.join("zookeeper.log")));
        let log = match log {
            Ok(log) => log,
            Err(error) => panic!("no files for ZooKeeper: {error}"),
        };
        // Old ones look for a version of log4j that is not there.
        java.push("-Dzookeeper.jmx.log4j.disable=true".to_owned());
        java.push("org.apache.zookeeper.server.quorum.QuorumPeerMain".to_owned());
        java.push(settings.display().to_string());
        Self {
            port,
            _process: Process::start("java", &java, log),
        }
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}
