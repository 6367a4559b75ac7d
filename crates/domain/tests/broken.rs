//! Broken definitions are refused, each problem with its place and what was expected.

use std::path::{Path, PathBuf};

use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::problem::Problems;
use gamepipe_domain::definition::template::new_game;
use proptest::prelude::*;

fn load(path: &Path) -> Result<Game, Problems> {
    let text = std::fs::read_to_string(path).expect("a readable definition");
    let folder = path.parent().expect("a file in a folder").to_owned();
    Game::load("game.yaml", &text, &move |file| {
        std::fs::read_to_string(folder.join(file)).map_err(|_| "no such file".to_owned())
    })
}

fn files(folder: &Path, ext: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == ext))
        .collect();
    found.sort();
    found
}

/// A broken definition ends with lines that say what is expected: `# expect: LINE:COLUMN: path: message`.
/// All of that is found in that order, and nothing else, so that no problem is a mere consequence of another.
fn check(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let expected: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# expect: "))
        .collect();
    let problems = load(path)
        .map(|_| ())
        .expect_err("a broken definition is refused");
    let found: Vec<String> = problems
        .0
        .iter()
        .map(|problem| {
            problem
                .to_string()
                .trim_start_matches("game.yaml:")
                .to_owned()
        })
        .collect();
    if !found.is_empty() && expected == found {
        return Ok(());
    }
    let listed = |lines: &[String]| {
        lines
            .iter()
            .map(|line| format!("# expect: {line}\n"))
            .collect::<String>()
    };
    Err(format!(
        "{} should end with, if this is right:\n{}",
        path.display(),
        listed(&found)
    ))
}

#[test]
fn broken_definitions_are_refused_with_place_and_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let cases = files(&folder, "yaml");
    assert!(
        cases.len() > 20,
        "only {} cases in {}",
        cases.len(),
        folder.display()
    );
    let complaints: Vec<String> = cases.iter().filter_map(|path| check(path).err()).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Loads whatever it is: a game or problems, but no panic.
fn survive(text: &str) {
    if let Err(problems) = Game::load("game.yaml", text, &|_| Ok("select 1".to_owned())) {
        assert!(!problems.0.is_empty(), "refused without a reason");
    }
}

/// The template is a good definition with all of its parts in use.
fn good_definition() -> String {
    new_game("sample")
        .into_iter()
        .next()
        .map(|(_, text)| text)
        .unwrap_or_default()
}

proptest! {
    #[test]
    fn no_text_breaks_the_loader(text in "[ \\n\\t:\\-\\[\\]{},&*!|>'\"%@`#?~<a-c0-9.\\\\é😀\u{0}\u{85}]{0,80}") {
        survive(&text);
        survive(&format!("apiVersion: gamepipe.dev/v1alpha1\nkind: Game\nmetadata: {{name: a}}\nspec:\n  {text}\n"));
    }

    #[test]
    fn no_damage_to_a_good_definition_breaks_the_loader(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..30, "[ \\n:\\-\\[\\]{}'\"a0.(+]{0,3}"), 1..4),
    ) {
        let mut letters: Vec<char> = good_definition().chars().collect();
        for (place, length, instead) in cuts {
            let start = place.index(letters.len());
            let end = (start + length).min(letters.len());
            letters.splice(start..end, instead.chars());
        }
        survive(&letters.into_iter().collect::<String>());
    }
}
