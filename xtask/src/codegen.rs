//! Generated files under `docs/reference`: written by `codegen`, compared by `codegen --check`.
//!
//! All of them come out of the built binary, so they say what users get.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{self, capture, cargo, command, root, say};

/// The reference games, in the order of the documentation.
const GAMES: [&str; 5] = ["arena", "quest", "guild", "market", "trade"];

/// Writes the generated files, or says which are not current.
pub(crate) fn run(check: bool) -> Result<()> {
    let binary = binary()?;
    let mut stale = Vec::new();
    for (path, text) in generate(&binary)? {
        let path = root().join("docs/reference").join(path);
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
    files.insert(
        PathBuf::from("game.schema.json"),
        capture(&mut command(binary, &["game", "schema"]))?,
    );
    for game in GAMES {
        files.insert(
            PathBuf::from(format!("games/{game}.md")),
            capture(&mut command(binary, &["game", "docs", game]))?,
        );
    }
    files.insert(PathBuf::from("cli.md"), command_pages(binary)?);
    files.insert(
        PathBuf::from("settings.md"),
        capture(&mut command(binary, &["up", "--settings"]))?,
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
