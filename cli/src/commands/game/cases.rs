//! The rule cases beside a definition: `cases/*.yaml`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use gamepipe_domain::definition::Game;
use gamepipe_domain::rules::cases::read_cases;

/// Runs the cases beside a definition: how many passed, and what failed. A game without a folder of cases has none.
pub(crate) fn run(definition: &Path, game: &Game) -> anyhow::Result<(usize, Vec<String>)> {
    let folder = if definition.is_dir() {
        definition
    } else {
        definition.parent().unwrap_or(definition)
    };
    let (mut passed, mut failures) = (0, Vec::new());
    for file in files(&folder.join("cases"))? {
        let text = fs::read_to_string(&file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        let cases = match read_cases(&text) {
            Ok(cases) => cases,
            Err(problem) => {
                failures.push(format!("{}: {problem}", file.display()));
                continue;
            }
        };
        for case in cases {
            match case.check(game) {
                Ok(()) => passed += 1,
                Err(wrong) => failures.push(format!("{}: {}: {wrong}", file.display(), case.name)),
            }
        }
    }
    Ok((passed, failures))
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries =
        fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
