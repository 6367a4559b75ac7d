//! A Kafka broker and its command-line tools: its jars from Maven Central. There is no archive of a whole broker there, and none is needed.

use std::path::PathBuf;

use super::maven::Jars;

/// The folder of the jars of the version that tests run.
pub(super) fn jars() -> Result<PathBuf, String> {
    jars_of("2.13", "4.3.1")
}

/// The folder of the jars of a version that is too old. Those before it don't run on the Java that the other one needs.
pub(super) fn old_jars() -> Result<PathBuf, String> {
    jars_of("2.12", "1.1.1")
}

/// The folder of a version's jars, built for that Scala; found or filled.
fn jars_of(scala: &str, version: &str) -> Result<PathBuf, String> {
    let jars = Jars {
        folder: format!("kafka-{version}-with-tools"),
        pom: include_str!("kafka.pom.xml")
            .replace("@SCALA@", scala)
            .replace("@VERSION@", version),
        only: "",
        marker: format!("kafka_{scala}-{version}.jar"),
    };
    jars.fetch().map_err(|error| format!("{error:#}"))
}
