//! `versitygw`, an S3-compatible server over a folder: built once by Go into the cache.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{answers, cache, capture, command, run, say};

/// Apache-2.0; it honours conditional puts, as the lake needs them.
const MODULE: &str = "github.com/versity/versitygw/cmd/versitygw";
const VERSION: &str = "v1.8.0";

/// Finds or builds it.
pub(super) fn server() -> Result<PathBuf, String> {
    built().map_err(|error| format!("{error:#}"))
}

fn built() -> Result<PathBuf> {
    let folder = cache()?.join("s3").join(VERSION);
    let program = folder.join("versitygw");
    if runs(&program) {
        return Ok(program);
    }
    if !answers("go", "version") {
        bail!("go is not installed: it builds {MODULE}");
    }
    say("building versitygw (once, some minutes)");
    // Built aside and moved in: a build that is cut off, or another one at the same time, leaves nothing that half works.
    let aside = folder.join(format!("build-{}", std::process::id()));
    std::fs::create_dir_all(&aside)
        .with_context(|| format!("failed to make {}", aside.display()))?;
    let built =
        run(command("go", &["install", &format!("{MODULE}@{VERSION}")]).env("GOBIN", &aside));
    let moved = built.and_then(|()| Ok(std::fs::rename(aside.join("versitygw"), &program)?));
    // Litter at worst.
    let _ = std::fs::remove_dir_all(&aside);
    moved?;
    if !runs(&program) {
        bail!("what go built at {} does not run here", program.display());
    }
    Ok(program)
}

fn runs(program: &Path) -> bool {
    capture(&mut command(program, &["--version"])).is_ok()
}
