//! Spark Structured Streaming on a topic: what a careful engineer writes, and what the course that gamepipe replaces teaches.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::machine::say;
use crate::peers::{cache, run, script};

/// The version of pyspark that the tests install, for which the Kafka source must be built.
const VERSION: &str = "4.2.0";
/// What pyspark does not bring; the rest that Maven would take comes with it and must not come twice.
const JARS: &str =
    "spark-sql-kafka-0-10_2.13,spark-token-provider-kafka-0-10_2.13,kafka-clients,commons-pool2";

/// A job of `bench/peers/spark_landing.py`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Job {
    /// One query, `partitionBy` the event's type, Parquet: Spark's best.
    Parquet,
    /// The same as a Delta table, which is what our tables are.
    Delta,
    /// One query for each type of event, filtered by a Python function, Parquet.
    Course,
}

impl Job {
    fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
            Self::Course => "course",
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Parquet => "one query with partitionBy to Parquet",
            Self::Delta => "one query with partitionBy to Delta",
            Self::Course => "six queries with a Python UDF to Parquet (the course's job)",
        })
    }
}

/// What a job says of itself when it has ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    /// From the first query's start to the last one's end; the start of the JVM is left out.
    pub(crate) seconds: f64,
    /// Of the driver, its JVM and its Python workers in that time.
    pub(crate) cpu_seconds: f64,
    /// The largest sum of their resident memory.
    pub(crate) peak_mib: u64,
    /// Rows that are in the tables.
    pub(crate) rows: u64,
}

/// Spark with its jars.
#[derive(Debug)]
pub(crate) struct Spark {
    python: PathBuf,
    jars: Vec<PathBuf>,
}

impl Spark {
    /// The Spark that the tests install, and the Kafka source beside it.
    pub(crate) fn installed() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).with_context(|| {
                format!("{name} is not set; `cargo xtask test` installs Spark and names it")
            })
        };
        let mut jars = Vec::new();
        for folder in [variable("GAMEPIPE_TEST_SPARK_JARS")?, kafka_jars()?] {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "jar") {
                    jars.push(path);
                }
            }
        }
        Ok(Self {
            python: variable("GAMEPIPE_TEST_SPARK")?,
            jars,
        })
    }

    /// Runs a job until the topic's end.
    pub(crate) fn land(&self, job: Job, brokers: &str, topic: &str) -> Result<Outcome> {
        let output = tempfile::TempDir::new()?;
        let jars: Vec<_> = self.jars.iter().map(|jar| jar.to_string_lossy()).collect();
        let ran = Command::new(&self.python)
            .arg(script("spark_landing.py"))
            .args([job.name(), brokers, topic])
            .arg(output.path())
            .arg(jars.join(","))
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .output()
            .context("failed to start Spark's Python")?;
        let said = String::from_utf8_lossy(&ran.stdout);
        match said.lines().last() {
            Some(line) if ran.status.success() => Ok(serde_json::from_str(line)?),
            _ => bail!(
                "{job} failed: {}\n{}",
                ran.status,
                String::from_utf8_lossy(&ran.stderr)
            ),
        }
    }
}

/// The folder of the Kafka source's jars, filled by Maven once.
fn kafka_jars() -> Result<PathBuf> {
    let folder = cache()?.join(format!("bench-spark-kafka-{VERSION}"));
    let marker = folder.join(format!("spark-sql-kafka-0-10_2.13-{VERSION}.jar"));
    if !marker.is_file() {
        say("fetching Spark's Kafka source (once)");
        run(Command::new("mvn")
            .args(["-B", "-q", "dependency:copy-dependencies"])
            .arg("-DincludeScope=runtime")
            .arg(format!("-DincludeArtifactIds={JARS}"))
            .arg(format!("-DoutputDirectory={}", folder.display()))
            .arg("-f")
            .arg(script("spark.pom.xml")))?;
    }
    Ok(folder)
}
