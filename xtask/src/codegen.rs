//! Generated files (`docs/reference`, `manifests/crds`, the chart's definitions): written by `codegen`, compared by `codegen --check`.
//!
//! All of them come out of the built binary, so they say what users get.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{self, capture, cargo, command, root, say};

/// The reference games, in the order of the documentation.
const GAMES: [&str; 5] = ["arena", "quest", "guild", "market", "trade"];

/// The custom resources, by their plural names.
const RESOURCES: [&str; 2] = ["games", "gamepipelines"];

/// Where their definitions are: for kubectl, and within the chart, which can hold no link out of itself.
const DEFINITIONS: [&str; 2] = ["manifests/crds", "charts/gamepipe/files/crds"];

/// Writes the generated files, or says which are not current.
pub(crate) fn run(check: bool) -> Result<()> {
    of_binary(&binary()?, check)
}

/// [`run`], out of a binary that is built already.
pub(crate) fn of_binary(binary: &Path, check: bool) -> Result<()> {
    let mut stale = Vec::new();
    for (path, text) in generate(binary)? {
        let path = root().join(path);
        if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        if check {
            stale.push(path.display().to_string());
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text)
            .with_context(|| format!("failed to write {}", path.display()))?;
        say(&format!("wrote {}", path.display()));
    }
    if !stale.is_empty() {
        bail!(
            "not current, run `cargo xtask codegen`:\n{}",
            stale.join("\n")
        );
    }
    Ok(())
}

/// The built binary; built when it is not there.
fn binary() -> Result<PathBuf> {
    shell::run(&mut cargo(&["build", "--release", "--quiet"]))?;
    Ok(shell::target()?.join("release/gamepipe"))
}

fn generate(binary: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    let mut add = |path: &str, arguments: &[&str]| {
        let text = capture(&mut command(binary, arguments))?;
        files.insert(PathBuf::from(path), text);
        anyhow::Ok(())
    };
    add("docs/reference/game.schema.json", &["game", "schema"])?;
    for game in GAMES {
        add(
            &format!("docs/reference/games/{game}.md"),
            &["game", "docs", game],
        )?;
    }
    add("docs/reference/settings.md", &["up", "--settings"])?;
    add("docs/reference/resources.md", &["operator", "docs"])?;
    add(
        "docs/reference/gamepipeline.schema.json",
        &["operator", "schema"],
    )?;
    for resource in RESOURCES {
        for folder in DEFINITIONS {
            add(
                &format!("{folder}/{resource}.yaml"),
                &["operator", "crd", resource],
            )?;
        }
    }
    files.insert(
        PathBuf::from("docs/reference/cli.md"),
        command_pages(binary)?,
    );
    Ok(files)
}

fn command_pages(binary: &Path) -> Result<String> {
    let mut page = String::from("# Command line\n\nWhat `--help` says, for every command.\n");
    push_pages(binary, &[], &mut page)?;
    Ok(page)
}

/// The page of a command, then those of its subcommands.
fn push_pages(binary: &Path, words: &[&str], page: &mut String) -> Result<()> {
    let arguments = [words, &["--help"]].concat();
    let help = capture(
        command(binary, &arguments)
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100"),
    )?;
    let title = [&["gamepipe"], words].concat().join(" ");
    page.push_str(&format!(
        "\n## {title}\n\n```text\n{}\n```\n",
        help.trim_end()
    ));
    for subcommand in subcommands(&help) {
        push_pages(binary, &[words, &[subcommand]].concat(), page)?;
    }
    Ok(())
}

/// The names in the part `Commands:` of a help text.
fn subcommands(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description goes on further to the right.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::subcommands;

    #[test]
    fn subcommands_are_found_and_nothing_else() {
        let help = "Text\n\nCommands:\n  up     Run it\n         all\n  game   A game\n\nOptions:\n  -h  help\n";
        assert_eq!(subcommands(help), ["up", "game"]);
        assert!(subcommands("Options:\n  -h\n").is_empty());
    }
}
