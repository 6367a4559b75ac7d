//! The rule cases beside a definition: `cases/*.yaml`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use gamepipe_domain::definition::Game;
use gamepipe_domain::rules::cases::{Case, read_cases};

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
        let name = file.display().to_string();
        let cases = match read_cases(&name, &text) {
            Ok(cases) => cases,
            Err(problems) => {
                failures.extend(problems.0.iter().map(ToString::to_string));
                continue;
            }
        };
        for case in cases {
            match case.check(game) {
                Ok(()) => passed += 1,
                Err(wrong) => failures.push(told(&name, &case, &wrong)),
            }
        }
    }
    Ok((passed, failures))
}

/// One thing that is wrong on the line of the case's name, several below it.
fn told(file: &str, case: &Case, wrong: &str) -> String {
    let head = format!("{file}:{}:{}: {}:", case.line, case.column, case.name);
    if wrong.contains('\n') {
        format!("{head}\n  {}", wrong.replace('\n', "\n  "))
    } else {
        format!("{head} {wrong}")
    }
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
