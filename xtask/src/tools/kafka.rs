//! A Kafka broker: its jars from Maven Central, in the cache. There is no archive of a whole broker there, and none is
//! needed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{answers, cache, command, run, say};

/// The broker's version.
const VERSION: &str = "4.3.1";

/// What Maven is asked for.
const POM: &str = include_str!("kafka.pom.xml");

/// The folder of the jars, found or filled.
pub(super) fn jars() -> Result<PathBuf, String> {
    fetched().map_err(|error| format!("{error:#}"))
}

fn fetched() -> Result<PathBuf> {
    if !answers("java", "-version") {
        bail!("java (17 or newer) is not installed");
    }
    let folder = cache()?.join(format!("kafka-{VERSION}"));
    if is_whole(&folder) {
        return Ok(folder);
    }
    if !answers("mvn", "--version") {
        bail!("mvn (Maven), which fetches its jars, is not installed");
    }
    say("fetching Kafka's jars (once)");
    // A folder of this process alone, renamed when it is whole: others may fetch at the same time.
    let part = folder.with_file_name(format!("kafka-{VERSION}.part-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&part);
    std::fs::create_dir_all(&part)?;
    let fetched = fill(&part);
    let renamed = fetched.and_then(|()| match std::fs::rename(&part, &folder) {
        Err(error) if !is_whole(&folder) => {
            Err(error).with_context(|| format!("failed to rename to {}", folder.display()))
        }
        _ => Ok(()),
    });
    let _ = std::fs::remove_dir_all(&part);
    renamed.map(|()| folder)
}

fn is_whole(folder: &Path) -> bool {
    folder.join(format!("kafka_2.13-{VERSION}.jar")).is_file()
}

fn fill(folder: &Path) -> Result<()> {
    let pom = folder.join("pom.xml");
    std::fs::write(&pom, POM.replace("@VERSION@", VERSION))?;
    run(
        command("mvn", &["-B", "-q", "dependency:copy-dependencies"])
            .arg("-DincludeScope=runtime")
            .arg("-f")
            .arg(&pom)
            .arg(format!("-DoutputDirectory={}", folder.display())),
    )?;
    if !is_whole(folder) {
        bail!("Maven has brought no kafka_2.13-{VERSION}.jar");
    }
    Ok(())
}
