//! The chores that put other chores together: `test` and `ci`.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::{cargo, run, say, step, target};
use crate::tools::Tools;
use crate::{codegen, images, tidy, tools};

/// Everything that a change must pass.
pub(crate) fn ci() -> Result<()> {
    step("format");
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    step("tidy");
    tidy::run()?;
    step("lints");
    run(&mut cargo(&[
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    step("generated files");
    // Built with the same words as for the tests: a plain build has other features of some crates, and all that uses these would be built twice.
    run(&mut cargo(&[
        "test",
        "--release",
        "--workspace",
        "--no-run",
    ]))?;
    codegen::of_binary(&target()?.join("release/gamepipe"), true)?;
    test(&[])
}

/// The README's test command. `arguments` go to `cargo test`; without any, everything is tested.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    step("tools that the tests need");
    let tools = tools::install()?;
    tools.print();
    step("build and test (the first build takes some minutes)");
    let mut all = vec!["test", "--release"];
    if !arguments
        .iter()
        .any(|argument| argument == "-p" || argument == "--package")
    {
        all.push("--workspace");
    }
    all.extend(arguments.iter().map(String::as_str));
    let image = image(&tools, &all)?;
    let skips = tools.skips();
    if !skips.is_empty() {
        all.push("--");
        all.extend(skips.iter().flat_map(|skip| ["--skip", *skip]));
    }
    let mut command = cargo(&all);
    command.envs(tools.variables());
    // Libraries' errors say what failed; a trace of a stripped program says nothing, and hides that in a report.
    command.env("RUST_LIB_BACKTRACE", "0");
    command.envs(image.map(|path| ("GAMEPIPE_TEST_IMAGE", path)));
    run(&mut command)?;
    for missing in tools.missing() {
        say(&format!("SKIPPED: {missing}"));
    }
    Ok(())
}

/// The image of what is tested, for the tests on Kubernetes; none where they don't run.
fn image(tools: &Tools, test: &[&str]) -> Result<Option<PathBuf>> {
    let is_wanted = test.contains(&"--workspace") || test.contains(&"gamepipe-tests");
    if !is_wanted || tools.skips().contains(&"kubernetes_node") {
        return Ok(None);
    }
    // Built with the same words as for the tests, so that nothing is built twice.
    let mut build = test.to_vec();
    build.insert(1, "--no-run");
    run(&mut cargo(&build))?;
    images::of_tests().map(Some)
}
