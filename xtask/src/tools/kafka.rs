//! A Kafka broker and its command-line tools: its jars from Maven Central. There is no archive of a whole broker there, and none is needed.

use std::path::PathBuf;

use super::maven::Jars;

/// The broker's version.
const VERSION: &str = "4.3.1";

/// The folder of the jars, found or filled.
pub(super) fn jars() -> Result<PathBuf, String> {
    let jars = Jars {
        folder: format!("kafka-{VERSION}-with-tools"),
        pom: include_str!("kafka.pom.xml").replace("@VERSION@", VERSION),
        only: "",
        marker: format!("kafka_2.13-{VERSION}.jar"),
    };
    jars.fetch().map_err(|error| format!("{error:#}"))
}
