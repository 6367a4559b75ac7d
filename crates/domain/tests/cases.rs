//! Every case of every reference game: `games/<name>/cases/*.yaml`. The format is described in
//! [`gamepipe_domain::rules::cases`]; adding a case needs no Rust.

use std::path::{Path, PathBuf};

use gamepipe_domain::definition::Game;
use gamepipe_domain::rules::cases::read_cases;

fn folders() -> Vec<PathBuf> {
    let games = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../games");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(games)
        .expect("the games' folder is readable")
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join("cases")) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder is readable").path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    files
}

fn check(folder: &Path, failures: &mut Vec<String>) -> usize {
    let read =
        |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|error| error.to_string());
    let text = read("game.yaml").unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let game =
        Game::load("game.yaml", &text, &read).unwrap_or_else(|problems| panic!("{problems}"));
    let mut count = 0;
    for file in files(folder) {
        let text = std::fs::read_to_string(&file).expect("a case file is readable");
        let place = file.display();
        match read_cases(&place.to_string(), &text) {
            Err(problems) => failures.push(problems.to_string()),
            Ok(cases) => {
                count += cases.len();
                failures.extend(cases.iter().filter_map(|case| {
                    let problem = case.check(&game).err()?;
                    Some(format!("{place}: {}\n{problem}", case.name))
                }));
            }
        }
    }
    count
}

#[test]
fn every_case_of_the_games_holds() {
    check_all(&folders());
}

/// A game made for tests: what rules promise whatever the game is.
#[test]
fn every_promise_of_the_rules_holds() {
    check_all(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledger")]);
}

#[track_caller]
fn check_all(folders: &[PathBuf]) {
    let mut failures = Vec::new();
    let mut count = 0;
    for folder in folders {
        count += check(folder, &mut failures);
    }
    assert!(
        failures.is_empty(),
        "{} of {count} cases fail:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
