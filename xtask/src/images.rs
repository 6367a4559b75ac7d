//! Images without Docker and without a registry: archives for `ctr images import` and its like, the same bytes for the same
//! content. gamepipe's own, and what its tests run beside it on a cluster.

mod archive;
mod content;
mod gamepipe;
mod kafka;
mod redis;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::archive::Image;
use self::content::Content;
use crate::digest::Digest;
use crate::shell::{cache, capture, cargo, command, run, say, target};
use crate::tools::{Redis, which};

/// The tag of all of them.
const TAG: &str = "test";

/// What every image follows from.
const WRITERS: [&str; 2] = [
    include_str!("images/archive.rs"),
    include_str!("images/content.rs"),
];

/// `cargo xtask images`: builds gamepipe and writes its image. `arguments`: `--profile NAME` (`dist` is what ships),
/// `--into FOLDER` for the archive, or `--root FOLDER` for the file system alone, as `Containerfile` wants it.
pub(crate) fn run_chore(arguments: &[String]) -> Result<()> {
    let mut profile = "dist";
    let mut into = None;
    let mut root = None;
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        let value = rest
            .next()
            .with_context(|| format!("{argument} needs a value"))?;
        match argument {
            "--profile" => profile = value,
            "--into" => into = Some(PathBuf::from(value)),
            "--root" => root = Some(PathBuf::from(value)),
            unknown => {
                bail!("images: there is no {unknown}; there are --profile, --into and --root")
            }
        }
    }
    run(&mut cargo(&[
        "build",
        "--locked",
        "--profile",
        profile,
        "--package",
        "gamepipe",
    ]))?;
    let built = target()?.join(profile);
    let binary = built.join("gamepipe");
    if let Some(root) = root {
        return gamepipe::content(&binary)?.unpack(&root);
    }
    let path = into.unwrap_or(built).join("gamepipe.tar");
    gamepipe::image(&binary)?.write(&path)?;
    say(&format!(
        "localhost/gamepipe:{TAG} is in {}",
        path.display()
    ));
    Ok(())
}

/// The image of the binary that the tests were built with, made anew when the binary changed.
pub(crate) fn of_tests() -> Result<PathBuf> {
    let built = target()?.join("release");
    let path = built.join("gamepipe.tar");
    let binary = built.join("gamepipe");
    if !binary.is_file() {
        bail!(
            "{} does not exist: run `cargo build --release` first",
            binary.display()
        );
    }
    let newer = |file: &Path| std::fs::metadata(file)?.modified();
    let is_current = newer(&path)
        .and_then(|image| Ok(image > newer(&binary)? && image > newer(&std::env::current_exe()?)?));
    if !is_current.unwrap_or(false) {
        gamepipe::image(&binary)?.write(&path)?;
    }
    Ok(path)
}

/// The folder with `pause.tar`, `guest.tar`, `kafka.tar` and `redis.tar`, found or filled: what a cluster of tests runs
/// besides gamepipe. `programs` is where Kubernetes is, `jars` where Kafka is.
pub(crate) fn beside(programs: &Path, jars: &Path, redis: &Redis) -> Result<PathBuf> {
    let folder = cache()?.join("images");
    for name in ["pause", "guest"] {
        let program = programs.join(name);
        let stamp = std::fs::read_to_string(programs.join(format!(".{name}.stamp")))?;
        make(&folder, name, &[&stamp], || static_image(name, &program))?;
    }
    let java = capture(&mut command("jlink", &["--version"]))?;
    let mut parts = vec![java.as_str()];
    parts.extend(kafka::RECIPE);
    let listed = jars.display().to_string();
    parts.push(&listed);
    let java = folder.join(format!("java-{}", std::process::id()));
    let made = make(&folder, "kafka", &parts, || kafka::image(jars, &java));
    // It is in the image now.
    let _ = std::fs::remove_dir_all(java);
    made?;
    let version = capture(&mut command(&redis.runs, &["--version"]))?;
    let mut parts = vec![version.as_str()];
    parts.extend(redis::RECIPE);
    make(&folder, "redis", &parts, || {
        redis::image([&redis.server, &redis.client], &redis.libraries)
    })?;
    Ok(folder)
}

/// Writes an image unless it is there, made of the same parts.
fn make(
    folder: &Path,
    name: &str,
    parts: &[&str],
    image: impl FnOnce() -> Result<Image>,
) -> Result<()> {
    let mut digest = Digest::default();
    for part in WRITERS.iter().chain(parts) {
        digest.add(part);
    }
    let wanted = digest.hex();
    let stamp = folder.join(format!(".{name}.stamp"));
    let path = folder.join(format!("{name}.tar"));
    if path.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    say(&format!("making the image localhost/{name}:{TAG} (once)"));
    std::fs::create_dir_all(folder)?;
    image()?.write(&path)?;
    Ok(std::fs::write(&stamp, wanted)?)
}

/// An image of one program that needs nothing else.
fn static_image(name: &'static str, program: &Path) -> Result<Image> {
    let mut content = Content::new();
    content.copy(name, program, 0o755);
    Ok(Image {
        name: format!("localhost/{name}:{TAG}"),
        content,
        user: "65532:65532",
        folder: "/",
        variables: Vec::new(),
        entrypoint: vec![if name == "pause" { "/pause" } else { "/guest" }],
        command: Vec::new(),
        volumes: Vec::new(),
    })
}

/// A program of this machine, links followed.
fn program(name: &str) -> Result<PathBuf> {
    let path = which(name).with_context(|| format!("{name} is not on the PATH"))?;
    Ok(std::fs::canonicalize(path)?)
}
