//! Starting, stopping (DR-1) and what can go wrong on the machine.

use std::process::Command;

use anyhow::Result;
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
