//! What goes wrong when a command is called the wrong way, or is interrupted: it says what, and what to do.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::{LOOPBACK, PATIENCE, Up, both, command, gamepipe, text};

#[test]
fn the_address_of_the_other_endpoint_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start("guild", folder.path());
    for arguments in [
        ["play", "--sql", &up.sql, "--api", &up.sql],
        ["verify", "--sql", &up.sql, "--api", &up.sql],
        ["watch", "--from", "start", "--api", &up.sql],
    ] {
        let output = gamepipe(&arguments);
        assert_eq!(output.status.code(), Some(2), "{}", both(&output));
        let told = format!(
            "{} is the SQL endpoint; the API is usually on port 5000",
            up.sql
        );
        assert!(text(&output.stderr).contains(&told), "{}", both(&output));
    }
    let output = gamepipe(&["sql", "select 1", "--sql", &up.api]);
    assert_eq!(output.status.code(), Some(2), "{}", both(&output));
    let told = format!(
        "{} is the API; the SQL endpoint is usually on port 8080",
        up.api
    );
    assert!(text(&output.stderr).contains(&told), "{}", both(&output));
    let output = gamepipe(&["sql", "select 1", "--sql", "foo://x"]);
    assert!(
        text(&output.stderr).contains("http://127.0.0.1:8080"),
        "{}",
        both(&output)
    );
}

#[test]
fn unknown_paths_of_the_sql_endpoint_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start("guild", folder.path());
    for (method, path, code) in [
        ("GET", "/nope", "unknown_route"),
        ("DELETE", "/sql", "method_not_allowed"),
    ] {
        let output = Command::new("curl")
            .args(["-s", "-X", method, &format!("{}{path}", up.sql)])
            .output()
            .expect("curl");
        let problem: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a problem");
        assert_eq!(problem["code"], code, "{problem}");
    }
}

#[test]
fn what_can_never_be_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start("guild", folder.path());
    let api = ["--api", &up.api];
    for (arguments, part) in [
        (vec!["watch", "--type", "nope"], "action_rejected"),
        (
            vec!["play", "--sql", &up.sql, "--kinds", "99"],
            "--kinds takes 1 to",
        ),
        (vec!["play", "--sql", &up.sql, "--requests", "0"], "1.."),
    ] {
        let output = gamepipe(&[arguments, api.to_vec()].concat());
        assert_eq!(output.status.code(), Some(2), "{}", both(&output));
        assert!(
            text(&output.stderr).contains(part),
            "{part}\n{}",
            both(&output)
        );
    }
}

#[test]
fn setup_counts_neither_as_requests_nor_in_their_rate() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start("trade", folder.path());
    let output = gamepipe(&[
        "play",
        "--requests",
        "30",
        "--players",
        "40",
        "--api",
        &up.api,
        "--sql",
        &up.sql,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let told = text(&output.stdout);
    assert!(
        told.contains("trade: 30 requests in") && told.contains("setup    40 requests"),
        "{told}"
    );
}

#[test]
fn an_answer_beyond_the_limit_names_the_limit_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let limit = [("GAMEPIPE_SQL_MAX_ROWS", "100000")];
    let up = Up::start_with("guild", folder.path(), &[], &limit);
    let sql = "with d(x) as (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) select a.x, b.x as y from d a, d b, d c, d e, d f, d g";
    for format in ["csv", "json", "table"] {
        let output = up.ask(&["sql", "--format", format, "--max-rows", "300000", sql]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{format}: {told}");
        assert!(
            told.contains("more than 100000 rows") && told.contains("sql.maxRows"),
            "{format}: {told}"
        );
    }
}

#[test]
fn an_interrupted_play_says_how_far_it_came_and_exits_with_130() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let file = |name: &str| Stdio::from(std::fs::File::create(path(name)).unwrap());
    let data = path("data").display().to_string();
    let mut child = command(&[
        "up",
        "--game",
        "guild",
        "--api",
        LOOPBACK,
        "--sql",
        LOOPBACK,
        "--data",
        &data,
        "--play",
        "100000000",
        "--exit",
    ])
    .stdout(file("out"))
    .stderr(file("err"))
    .spawn()
    .expect("the binary was built for this test");
    let deadline = Instant::now() + PATIENCE;
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let api = loop {
        assert!(Instant::now() < deadline, "{}", read("err"));
        let out = read("out");
        let line = out
            .lines()
            .find(|line| line.trim_start().starts_with("API "));
        if let Some(url) = line.and_then(|line| {
            line.split_whitespace()
                .find(|word| word.starts_with("http"))
        }) {
            break url.to_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    // There is an event, so players play.
    let watched = gamepipe(&["watch", "--from", "start", "-n", "1", "--api", &api]);
    assert_eq!(watched.status.code(), Some(0), "{}", both(&watched));
    let signal = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(signal.expect("kill is everywhere").success());
    assert_eq!(child.wait().unwrap().code(), Some(130), "{}", read("err"));
    assert!(read("out").contains("requests in"), "{}", read("out"));
    assert!(
        read("err").contains("interrupted: not verified"),
        "{}",
        read("err")
    );
}
