//! A definition that changes under data that is there.

use std::path::Path;

use super::{LOOPBACK, Up, both, gamepipe, text};

/// A game whose player has these fields and whose only table has these columns.
fn definition(state: &str, columns: &str) -> String {
    format!(
        "apiVersion: gamepipe.dev/v1alpha1
kind: Game
metadata: {{name: changing}}
spec:
  entities:
    player: {{state: {{{state}}}}}
  actions:
    join:
      routes: [{{method: POST, path: /join}}]
      params: {{name: {{type: string}}}}
      entities: {{player: {{player: params.name, exists: any}}}}
      cases: [{{emit: [{{event: joined, data: {{name: params.name}}}}], reply: \"'hello'\"}}]
  events: {{joined: {{properties: {{name: {{type: string}}}}}}}}
  tables: {{{columns}}}
  simulation: {{players: 1, steps: [{{action: join, params: {{name: me.name}}}}]}}
"
    )
}

const TABLE: &str = "joins: {from: [joined], columns: [{name: timestamp}, {name: name}]}";

struct Changing {
    folder: tempfile::TempDir,
}

impl Changing {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, state: &str, columns: &str) {
        std::fs::write(self.path("game.yaml"), definition(state, columns))
            .expect("a writable folder");
    }

    /// One request, then the end: its exit code, and all that it said.
    fn play(&self, more: &[&str]) -> (Option<i32>, String) {
        let (game, data) = (self.path("game.yaml"), self.path("data"));
        let mut all = vec![
            "up", "--game", &game, "--data", &data, "--api", LOOPBACK, "--sql", LOOPBACK, "--play",
            "1", "--exit",
        ];
        all.extend(more);
        let output = gamepipe(&all);
        (output.status.code(), both(&output))
    }
}

fn changing() -> Changing {
    Changing {
        folder: tempfile::tempdir().expect("a temporary folder"),
    }
}

#[test]
fn a_change_that_stored_state_cannot_follow_is_refused_until_it_is_accepted() {
    let game = changing();
    game.write("rank: {type: integer, default: 1}", TABLE);
    assert_eq!(game.play(&[]).0, Some(0));
    game.write("rank: {type: string, default: novice}", TABLE);
    for _ in 0..2 {
        let (code, told) = game.play(&[]);
        assert_eq!(code, Some(1), "{told}");
        for part in [
            "spec.entities.player.state.rank: its type was integer and is string",
            &game.path("data"),
            "--accept-changes",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
    }
    let up = Up::start_with(
        &game.path("game.yaml"),
        Path::new(&game.path("data")),
        &["--accept-changes"],
        &[],
    );
    drop(up);
    // What was accepted is what the data is of now.
    let (_, told) = game.play(&[]);
    assert!(!told.contains("--accept-changes"), "{told}");
}

#[test]
fn what_a_change_loses_is_told_by_name_and_no_more() {
    let game = changing();
    let both_tables = format!("{TABLE}, old: {{from: [joined], columns: [{{name: name}}]}}");
    game.write(
        "coins: {type: integer, default: 5}, old: {type: bag}",
        &both_tables,
    );
    assert_eq!(game.play(&[]).0, Some(0));
    game.write(
        "coins: {type: integer, default: 5, maximum: 50}, fresh: {type: integer, default: 2}",
        TABLE,
    );
    let (code, told) = game.play(&[]);
    assert_eq!(code, Some(0), "{told}");
    let warnings: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("warning"))
        .collect();
    for part in [
        "spec.entities.player.state.coins: maximum was not set and is 50",
        "spec.entities.player.state.old: it is gone",
        "spec.tables.old: it is gone",
    ] {
        assert!(
            warnings.iter().any(|line| line.contains(part)),
            "{part}\n{told}"
        );
    }
    assert_eq!(warnings.len(), 3, "{told}");
    // The next start compares with the definition of today.
    assert!(!game.play(&[]).1.contains("warning"));
}

#[test]
fn a_game_whose_questions_cannot_be_answered_is_not_started() {
    let game = changing();
    let broken = definition("rank: {type: integer, default: 1}", TABLE)
        + "  queries:\n    who: {title: Who?, sql: select nam from joins}\n";
    std::fs::write(game.path("game.yaml"), broken).unwrap();
    let (code, told) = game.play(&[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("game.yaml:17:") && told.contains("'nam'"),
        "{told}"
    );
    assert!(!Path::new(&game.path("data")).exists());
    let checked = gamepipe(&["game", "check", &game.path("game.yaml")]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        text_of_problem(&text(&checked.stdout)),
        "{}",
        both(&checked)
    );
}

fn text_of_problem(told: &str) -> bool {
    told.lines().count() == 1 && told.contains("spec.queries.who.sql") && told.contains("'nam'")
}
