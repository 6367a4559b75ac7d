//! Starting, stopping (DR-1) and what can go wrong on the machine.

use std::process::Command;

use anyhow::Result;
use gamepipe_tests::platform::verify_stopped;
use gamepipe_tests::tools::gamepipe;
use gamepipe_tests::{Client, Start};
use tempfile::TempDir;

#[test]
fn a_second_up_on_the_same_data_says_who_holds_it() -> Result<()> {
    let first = Start::game("arena").up()?;
    let second = Start::game("arena").data(first.data()).spawn()?;
    let status = second.wait()?;
    assert!(!status.success());
    let pid = first.pid().to_string();
    assert!(
        second.output().contains(&pid),
        "the holder {pid} is not named:\n{}",
        second.output()
    );
    assert_eq!(first.api()?.get("/readyz")?.status, 200);
    Ok(())
}

#[test]
fn sigterm_lands_what_was_acknowledged_and_ends_with_success() -> Result<()> {
    let data = TempDir::new()?;
    let platform = Start::game("arena").data(data.path()).up()?;
    let api = platform.api()?;
    let ids = api.get("/initialize?username=ann")?.event_ids();
    assert_eq!(ids.len(), 1);
    let status = platform.stop()?;
    assert!(status.success(), "{status}:\n{}", platform.output());
    // The audit of a stopped platform reads the lake alone.
    let verify = Command::new(gamepipe()?)
        .args(["verify", "--data"])
        .arg(data.path())
        .output()?;
    let text = String::from_utf8_lossy(&verify.stdout).into_owned()
        + &String::from_utf8_lossy(&verify.stderr);
    assert!(verify.status.success(), "{text}");
    let platform = Start::game("arena").data(data.path()).up()?;
    let landed = platform.sql()?.value(&format!(
        "select count(*) from arena_raw.player_events where \"_event_id\" = '{}'",
        ids[0]
    ))?;
    assert_eq!(landed, 1);
    Ok(())
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() -> Result<()> {
    let first = Start::game("arena").up()?;
    let address = first.api()?.base().trim_start_matches("http://").to_owned();
    let data = TempDir::new()?;
    let output = Command::new(gamepipe()?)
        .args(["up", "--api", &address, "--sql", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(text.contains(&address) && text.contains("--api"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    Ok(())
}

#[test]
fn a_data_directory_that_is_a_file_is_a_clear_error() -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let output = Command::new(gamepipe()?)
        .args([
            "up",
            "--api",
            "127.0.0.1:0",
            "--sql",
            "127.0.0.1:0",
            "--data",
        ])
        .arg(file.path())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        text.contains(&file.path().display().to_string()) && !text.contains("panicked"),
        "{text}"
    );
    Ok(())
}

#[test]
fn probes_metrics_and_descriptions_answer_on_both_roles() -> Result<()> {
    let platform = Start::game("arena").up()?;
    let roles: [(Client, &[&str]); 2] = [
        (
            platform.api()?,
            &[
                "/livez",
                "/readyz",
                "/metrics",
                "/openapi.json",
                "/v1/game",
                "/v1/log",
            ],
        ),
        (
            platform.sql()?,
            &["/livez", "/readyz", "/metrics", "/queries", "/v1/info"],
        ),
    ];
    for (role, paths) in roles {
        for path in paths {
            let reply = role.get(path)?;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            assert!(!reply.body.is_empty(), "{path}");
        }
    }
    Ok(())
}

/// A game of one action, whose event goes into these tables.
fn greeting(tables: &str) -> String {
    format!(
        "apiVersion: gamepipe.dev/v1alpha1
kind: Game
metadata: {{name: greeting}}
spec:
  entities: {{player: {{state: {{greeted: {{type: integer, default: 0}}}}}}}}
  actions:
    greet:
      routes: [{{method: GET, path: /greet}}]
      params: {{name: {{type: string}}}}
      entities: {{player: {{player: params.name, exists: any}}}}
      cases: [{{emit: [{{event: greeted, data: {{name: params.name}}}}], reply: \"'hello'\"}}]
  events: {{greeted: {{properties: {{name: {{type: string}}}}}}}}
  tables: {{{tables}}}
  simulation: {{players: 1, steps: [{{action: greet, params: {{name: me.name}}}}]}}
"
    )
}

#[test]
fn a_table_that_leaves_the_definition_stays_in_the_audit_and_comes_back_with_its_rows() -> Result<()>
{
    let (data, folder) = (TempDir::new()?, TempDir::new()?);
    let file = folder.path().join("game.yaml");
    let game = file.to_string_lossy().into_owned();
    let greetings = "greetings: {from: [greeted], columns: [{name: name}]}";
    for (tables, shown_in, rows_before) in [
        (greetings, "greeting", 0),
        // Without a table the event is one of the others; what landed before is in the raw schema still.
        ("", "greeting_raw", 1),
        // Back again it shows its rows at once, before anything more lands in it.
        (greetings, "greeting", 1),
    ] {
        std::fs::write(&file, greeting(tables))?;
        let platform = Start::game(&game).data(data.path()).up()?;
        let count = format!("select count(*) from {shown_in}.greetings");
        assert_eq!(platform.sql()?.value(&count)?, rows_before, "{shown_in}");
        platform.api()?.get("/greet?name=ann")?;
        platform.wait_until_landed()?;
        let (whole, told) = platform.verify()?;
        assert!(whole, "{told}");
        platform.stop()?;
        let (whole, told) = verify_stopped(data.path())?;
        assert!(whole, "{told}");
    }
    Ok(())
}
