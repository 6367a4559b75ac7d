//! The built binary, as a user calls it.

use std::path::Path;
use std::process::{Command, Output};

fn gamepipe(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gamepipe"));
    command
        .args(arguments)
        .env("NO_COLOR", "1")
        .env_remove("GAMEPIPE_SQL")
        .env_remove("GAMEPIPE_API");
    command
        .output()
        .expect("the binary was built for this test")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder is writable");
    path.display().to_string()
}

#[test]
fn reference_games_are_well_formed_wherever_it_runs() {
    let output = gamepipe(&[
        "game", "check", "arena", "guild", "market", "quest", "trade",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 5);
}

#[test]
fn a_broken_definition_is_told_by_file_and_line_and_exits_with_1() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text =
        "apiVersion: gamepipe.dev/v1alpha1\nkind: Game\nmetadata: {name: x}\nspec:\n  tabels: {}\n";
    let file = write(folder.path(), "game.yaml", text);
    let output = gamepipe(&["game", "check", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains(&format!("{file}:5:3:")),
        "{}",
        stdout(&output)
    );
    assert!(stdout(&output).contains("`tables`"), "{}", stdout(&output));
}

#[test]
fn an_unknown_game_and_a_missing_file_say_what_to_do() {
    let output = gamepipe(&["game", "check", "areena"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("arena, guild"),
        "{}",
        stderr(&output)
    );
    let output = gamepipe(&["game", "check", "no/such/game.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no/such/game.yaml"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_rendered_game_passes_its_own_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for format in ["yaml", "json"] {
        let rendered = gamepipe(&["game", "render", "quest", "--format", format]);
        let file = write(folder.path(), &format!("game.{format}"), &stdout(&rendered));
        let output = gamepipe(&["game", "check", &file]);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    }
}

#[test]
fn wrong_words_get_a_near_one_and_exit_with_2() {
    let output = gamepipe(&["repotr"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("'report'"), "{}", stderr(&output));
    let output = gamepipe(&["report", "--formt", "csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("'--format'"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn nobody_at_the_address_is_said_with_what_to_do() {
    // Port 1 of the loopback is nobody's.
    for arguments in [
        ["sql", "select 1", "--sql", "127.0.0.1:1"],
        ["watch", "--json", "--api", "127.0.0.1:1"],
    ] {
        let output = gamepipe(&arguments);
        assert_eq!(output.status.code(), Some(1));
        let text = stderr(&output);
        assert!(
            text.contains("nothing answers at http://127.0.0.1:1") && text.contains("gamepipe up"),
            "{text}"
        );
    }
}

#[test]
fn a_workbook_on_standard_output_is_refused_before_anything_is_asked() {
    let output = gamepipe(&["report", "--format", "xlsx"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("-o report.xlsx"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn completions_and_the_schema_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let output = gamepipe(&["completions", shell]);
        assert!(output.status.success() && stdout(&output).contains("gamepipe"));
    }
    let schema: serde_json::Value =
        serde_json::from_slice(&gamepipe(&["game", "schema"]).stdout).expect("JSON");
    assert!(schema.get("$defs").is_some());
}

#[test]
fn a_reader_that_stops_is_no_failure() {
    let script = format!(
        "'{}' game schema | head -c 10",
        env!("CARGO_BIN_EXE_gamepipe")
    );
    let output = Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {script}")])
        .output()
        .expect("bash");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_new_game_is_complete_and_is_not_written_over_another() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("deep-sea").display().to_string();
    let output = gamepipe(&["game", "new", "deep-sea", "--dir", &dir]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = gamepipe(&["game", "check", &dir]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&gamepipe(&["game", "docs", &dir])).starts_with("# "));
    let output = gamepipe(&["game", "new", "deep-sea", "--dir", &dir]);
    assert_eq!(output.status.code(), Some(2));
    let output = gamepipe(&[
        "game",
        "new",
        "Deep Sea",
        "--dir",
        &folder.path().join("x").display().to_string(),
    ]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(!folder.path().join("x").exists());
}

#[test]
fn cases_beside_a_definition_are_run() {
    let games = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../games/arena")
        .display()
        .to_string();
    let output = gamepipe(&["game", "check", &games]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("cases passed"),
        "{}",
        stdout(&output)
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rendered = gamepipe(&["game", "render", "arena"]);
    let file = write(folder.path(), "game.yaml", &stdout(&rendered));
    std::fs::create_dir(folder.path().join("cases")).expect("the folder is writable");
    let case = "- name: digging is free\n  action: dig_for_gold\n  params: {username: nobody}\n  expect: {outcome: done}\n";
    write(&folder.path().join("cases"), "digging.yaml", case);
    let output = gamepipe(&["game", "check", &file]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("digging is free"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_log_filter_that_says_nothing_is_refused() {
    let output = gamepipe(&["--log", "%%%", "game", "check", "arena"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("GAMEPIPE_LOG"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_name_that_no_game_may_have_is_told_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("x").display().to_string();
    let told = stderr(&gamepipe(&["game", "new", "Fishing", "--dir", &dir]));
    assert_eq!(told.matches("\"Fishing\"").count(), 1, "{told}");
}

#[test]
fn cases_that_fail_are_told_by_line_each_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("lake");
    gamepipe(&["game", "new", "lake", "--dir", &dir.display().to_string()]);
    let cases = "- name: fishing is free\n  action: cast\n  given: {entities: {angler/ann: {}}}\n  params: {name: ann}\n  \
                 expect: {state: {angler/ann: {coins: 20}}, events: []}\n";
    let file = write(&dir.join("cases"), "wrong.yaml", cases);
    let misshapen = write(&dir.join("cases"), "worse.yaml", "expect: done\n");
    let output = gamepipe(&["game", "check", &dir.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let told = stdout(&output);
    let expected = format!(
        "{file}:1:3: fishing is free:\n  state angler/ann: coins: expected 20, found 19\n  events: "
    );
    assert!(told.contains(&expected), "{told}");
    assert!(
        told.contains(&format!("{misshapen}:1:1: expected a list, got an object")),
        "{told}"
    );
}
