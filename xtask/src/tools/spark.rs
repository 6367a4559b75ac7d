//! Spark with Delta Lake: pyspark in an environment of its own, and the few jars that it does not bring.

use std::path::PathBuf;

use super::maven::Jars;
use super::python::environment;

/// The newest pyspark that the newest Delta Lake is built for.
const PACKAGES: [&str; 1] = ["pyspark==4.2.0"];
/// Delta Lake's version.
const DELTA: &str = "4.4.0";
/// Delta Lake itself. The rest of what it names comes with pyspark, and must not come twice.
const ONLY: &str = "delta-spark_4.2_2.13,delta-storage,delta-kernel-api,delta-kernel-defaults,delta-kernel-unitycatalog,unitycatalog-client,unitycatalog-hadoop";

/// The Python that has pyspark.
pub(super) fn python() -> Result<PathBuf, String> {
    environment("spark", &PACKAGES).map_err(|error| format!("{error:#}"))
}

/// The folder of the jars.
pub(super) fn jars() -> Result<PathBuf, String> {
    let jars = Jars {
        folder: format!("spark-delta-{DELTA}"),
        pom: include_str!("spark.pom.xml").replace("@VERSION@", DELTA),
        only: ONLY,
        marker: format!("delta-spark_4.2_2.13-{DELTA}.jar"),
    };
    jars.fetch().map_err(|error| format!("{error:#}"))
}
