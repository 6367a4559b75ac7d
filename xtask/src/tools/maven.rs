//! Folders of jars from Maven Central, in the cache.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{answers, cache, command, run, say};

/// A folder of jars.
#[derive(Debug)]
pub(super) struct Jars {
    /// Its name in the cache; it has the version.
    pub(super) folder: String,
    /// What Maven is asked for.
    pub(super) pom: String,
    /// The only artefacts to take, with commas; empty: all that the pom needs.
    pub(super) only: &'static str,
    /// A file that is there when the folder is whole.
    pub(super) marker: String,
}

impl Jars {
    /// The folder, found or filled.
    pub(super) fn fetch(&self) -> Result<PathBuf> {
        if !answers("java", "-version") {
            bail!("java (17 or newer) is not installed");
        }
        let folder = cache()?.join(&self.folder);
        if self.is_whole(&folder) {
            return Ok(folder);
        }
        if !answers("mvn", "--version") {
            bail!("mvn (Maven), which fetches its jars, is not installed");
        }
        say(&format!("fetching the jars of {} (once)", self.folder));
        // A folder of this process alone, renamed when it is whole: others may fetch at the same time.
        let part = folder.with_file_name(format!("{}.part-{}", self.folder, std::process::id()));
        let _ = std::fs::remove_dir_all(&part);
        std::fs::create_dir_all(&part)?;
        let fetched = self.fill(&part);
        let renamed = fetched.and_then(|()| match std::fs::rename(&part, &folder) {
            Err(error) if !self.is_whole(&folder) => {
                Err(error).with_context(|| format!("failed to rename to {}", folder.display()))
            }
            _ => Ok(()),
        });
        let _ = std::fs::remove_dir_all(&part);
        renamed.map(|()| folder)
    }

    fn is_whole(&self, folder: &Path) -> bool {
        folder.join(&self.marker).is_file()
    }

    fn fill(&self, folder: &Path) -> Result<()> {
        let pom = folder.join("pom.xml");
        std::fs::write(&pom, &self.pom)?;
        let mut copy = command("mvn", &["-B", "-q", "dependency:copy-dependencies"]);
        copy.arg("-DincludeScope=runtime")
            .arg("-f")
            .arg(&pom)
            .arg(format!("-DoutputDirectory={}", folder.display()));
        if !self.only.is_empty() {
            copy.arg(format!("-DincludeArtifactIds={}", self.only));
        }
        run(&mut copy)?;
        if !self.is_whole(folder) {
            bail!("Maven has brought no {}", self.marker);
        }
        Ok(())
    }
}
