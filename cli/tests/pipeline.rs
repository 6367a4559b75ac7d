//! A whole pipeline, started by the built binary and asked with its other commands.

#[path = "pipeline/changes.rs"]
mod changes;
#[path = "pipeline/guide.rs"]
mod guide;
#[path = "pipeline/mistakes.rs"]
mod mistakes;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LOOPBACK: &str = "127.0.0.1:0";
/// Long enough for a slow machine that does other things too; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

fn gamepipe(arguments: &[&str]) -> Output {
    command(arguments)
        .output()
        .expect("the binary was built for this test")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gamepipe"));
    command
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The words of both streams, for the message of a failed assertion.
fn both(output: &Output) -> String {
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

/// A running `gamepipe up`, ended when dropped.
struct Up {
    child: Child,
    api: String,
    sql: String,
}

impl Up {
    fn start(game: &str, data: &Path) -> Self {
        Self::start_with(game, data, &[], &[])
    }

    /// With further arguments and variables.
    fn start_with(game: &str, data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let data = data.display().to_string();
        let mut all = vec![
            "up", "--game", game, "--api", LOOPBACK, "--sql", LOOPBACK, "--data", &data,
        ];
        all.extend(arguments);
        let mut child = command(&all)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary was built for this test");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = |role: &str| {
            let line = lines
                .by_ref()
                .map_while(Result::ok)
                .find(|line| line.trim_start().starts_with(role));
            let line = line.unwrap_or_else(|| panic!("no address of {role} was printed"));
            line.split_whitespace()
                .find(|word| word.starts_with("http://"))
                .expect("an address")
                .to_owned()
        };
        let (api, sql) = (address("API "), address("SQL "));
        // Somebody must go on reading, or the pipe would fill.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, api, sql }
    }

    fn play(&self, requests: &str) {
        let output = gamepipe(&[
            "play",
            "--requests",
            requests,
            "--seed",
            "7",
            "--api",
            &self.api,
            "--sql",
            &self.sql,
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let mut all = arguments.to_vec();
        all.extend(["--sql", &self.sql]);
        gamepipe(&all)
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(status.expect("kill is everywhere").success());
    }

    fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("gamepipe did not end");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_game_plays_verifies_and_answers_with_one_command() {
    for game in ["arena", "guild", "market", "quest", "trade"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().display().to_string();
        let output = gamepipe(&[
            "up", "--game", game, "--api", LOOPBACK, "--sql", LOOPBACK, "--data", &data, "--play",
            "500", "--exit",
        ]);
        assert_eq!(output.status.code(), Some(0), "{game}: {}", both(&output));
        assert!(
            text(&output.stdout).contains("in their tables, exactly once"),
            "{game}: {}",
            both(&output)
        );
        let stopped = gamepipe(&["verify", "--data", &data]);
        assert_eq!(stopped.status.code(), Some(0), "{game}: {}", both(&stopped));
    }
}

#[test]
fn a_running_pipeline_is_asked_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start("arena", &folder.path().join("data"));
    up.play("300");

    let table = up.ask(&[
        "sql",
        "select weapon, count(*) as n from purchase_weapon_events group by weapon order by weapon",
    ]);
    assert!(text(&table.stdout).contains("│ weapon"), "{}", both(&table));
    let csv = up.ask(&[
        "sql",
        "--format",
        "csv",
        "select 1 as a, null as b, 'x,y' as c; select 2 as a",
    ]);
    assert_eq!(
        text(&csv.stdout).replace('\r', ""),
        "a,b,c\n1,,\"x,y\"\na\n2\n"
    );
    let json = up.ask(&[
        "sql",
        "--format",
        "json",
        "select count(*) as n from player_events",
    ]);
    let row: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one object");
    assert!(
        row["n"].as_u64().is_some_and(|players| players >= 50),
        "{row}"
    );
    let wrong = up.ask(&["sql", "select usrname from player_events"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text(&wrong.stderr).contains("line 1, column 8")
            && text(&wrong.stderr).contains("         ^"),
        "{}",
        both(&wrong)
    );
}

#[test]
fn a_running_pipeline_is_watched_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start("arena", &folder.path().join("data"));
    up.play("100");

    let watched = gamepipe(&[
        "watch",
        "--from",
        "start",
        "--type",
        "initialize_player",
        "-n",
        "5",
        "--api",
        &up.api,
    ]);
    assert_eq!(
        text(&watched.stdout).lines().count(),
        5,
        "{}",
        both(&watched)
    );
    let last = gamepipe(&[
        "watch", "--from", "3", "-n", "3", "--json", "--api", &up.api,
    ]);
    for line in text(&last.stdout).lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("an object a line");
        assert!(record["event"]["event_id"].is_string(), "{record}");
    }

    let live = gamepipe(&["verify", "--api", &up.api, "--sql", &up.sql]);
    assert_eq!(live.status.code(), Some(0), "{}", both(&live));
    let held = gamepipe(&[
        "verify",
        "--data",
        &folder.path().join("data").display().to_string(),
    ]);
    assert_eq!(held.status.code(), Some(1));
    assert!(
        text(&held.stderr).contains(&up.child.id().to_string()),
        "{}",
        both(&held)
    );
}

#[test]
fn reports_come_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start("quest", &folder.path().join("data"));
    // Empty tables spoil nothing.
    let empty = up.ask(&["report"]);
    assert_eq!(empty.status.code(), Some(0), "{}", both(&empty));
    up.play("400");
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["report.html", "report.xlsx"] {
        let output = up.ask(&["report", "-o", &path(name)]);
        assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    }
    let page = std::fs::read_to_string(path("report.html")).unwrap();
    assert!(
        page.contains("Player Standings")
            && page.contains("<svg")
            && page.contains("class=\"n max\"")
    );
    assert!(
        std::fs::read(path("report.xlsx"))
            .unwrap()
            .starts_with(b"PK")
    );
    let output = up.ask(&["report", "--format", "csv", "-o", &path("answers")]);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let files = std::fs::read_dir(path("answers")).unwrap().count();
    let queries = text(&up.ask(&["sql", "--format", "json", "select 1 as n"]).stdout);
    assert!(
        files >= 7 && queries.contains("\"n\":1"),
        "{files} {queries}"
    );
    let unknown = up.ask(&["report", "no_such_question"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", both(&unknown));
}

#[test]
fn a_signal_drains_and_the_next_start_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Up::start("guild", folder.path());
    up.play("100");
    for name in ["-TERM", "-INT"] {
        up.signal(name);
        assert_eq!(up.wait(), Some(0));
        up = Up::start("guild", folder.path());
        let rows = up.ask(&[
            "sql",
            "--format",
            "csv",
            "select sum(records) from guild_raw.\"_epochs\"",
        ]);
        assert!(text(&rows.stdout).contains("100"), "{}", both(&rows));
    }
}

#[test]
fn a_directory_of_another_game_or_process_and_a_taken_port_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let up = Up::start("arena", folder.path());
    let port = up.api.trim_start_matches("http://").to_owned();
    let up_again = |arguments: &[&str]| {
        let mut all = vec!["up", "--sql", LOOPBACK];
        all.extend(arguments);
        let output = gamepipe(&all);
        assert_eq!(output.status.code(), Some(1), "{}", both(&output));
        text(&output.stderr)
    };
    let held = up_again(&["--api", LOOPBACK, "--data", &data]);
    assert!(
        held.contains(&up.child.id().to_string()) && held.contains("--data"),
        "{held}"
    );
    let other = up_again(&["--api", LOOPBACK, "--data", &data, "--game", "quest"]);
    assert!(other.contains("holds the game arena, not quest"), "{other}");
    let free = tempfile::tempdir().unwrap();
    let fresh = free.path().join("data");
    let taken = up_again(&["--api", &port, "--data", &fresh.display().to_string()]);
    assert!(taken.contains(&port) && taken.contains("--api"), "{taken}");
    assert!(
        !fresh.exists(),
        "nothing is left of a start that was refused"
    );
}

#[test]
fn settings_are_checked_and_those_in_force_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let config = folder.path().join("gamepipe.yaml");
    let arguments = |config: &Path| {
        [
            "up", "--api", LOOPBACK, "--sql", LOOPBACK, "--data", &data, "--play", "1", "--exit",
            "--config",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([config.display().to_string()])
        .collect::<Vec<_>>()
    };
    std::fs::write(&config, "sql: {maxRow: 5}\n").unwrap();
    let wrong = gamepipe(
        &arguments(&config)
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text(&wrong.stderr).contains("gamepipe.yaml:1:") && text(&wrong.stderr).contains("maxRows"),
        "{}",
        both(&wrong)
    );
    std::fs::write(&config, "sql: {maxRows: 500000}\n").unwrap();
    let right = gamepipe(
        &arguments(&config)
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    assert_eq!(right.status.code(), Some(0), "{}", both(&right));
    let printed = text(&right.stderr);
    assert!(
        printed.contains("maxRows=500000 (file)") && printed.contains("listen=127.0.0.1:0 (flag)"),
        "{printed}"
    );
}
