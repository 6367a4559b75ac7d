//! The real Trino CLI, with catalog `hive` and schema `default` as the original systems used it.

use std::process::Command;

use anyhow::Result;
use gamepipe_tests::tools::tool;
use gamepipe_tests::{Platform, Start};

fn trino(platform: &Platform, format: &str, sql: &str) -> Result<String> {
    let output = Command::new("java")
        .arg("-jar")
        .arg(tool("GAMEPIPE_TEST_TRINO_CLI")?)
        .args([
            "--server",
            platform.sql()?.base(),
            "--catalog",
            "hive",
            "--schema",
            "default",
            "--user",
            "tester",
        ])
        .args(["--output-format", format, "--execute", sql])
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(
        output.status.success(),
        "{sql}: {}\n{errors}",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn trino_cli_shows_tables_describes_and_counts() -> Result<()> {
    let platform = Start::game("arena").up()?;
    let api = platform.api()?;
    for name in ["ann", "bob", "cid"] {
        assert_eq!(
            api.get(&format!("/initialize?username={name}"))?.status,
            200
        );
    }
    platform.wait_until_landed()?;
    let script = "show tables; describe player_events; SELECT COUNT(DISTINCT(username)) FROM player_events; \
                  select weapon, count(*) as n from purchase_weapon_events group by (weapon) order by n desc limit 3";
    let text = trino(&platform, "CSV_HEADER", script)?;
    for expected in [
        "\"Table\"",
        "\"player_events\"",
        "\"username\",\"varchar\"",
        "\"_col0\"",
        "\"3\"",
    ] {
        assert!(text.contains(expected), "{expected} is missing:\n{text}");
    }
    assert!(
        !text.contains("_epochs"),
        "system tables are shown:\n{text}"
    );
    Ok(())
}

#[test]
fn trino_cli_says_where_a_statement_is_wrong() -> Result<()> {
    let platform = Start::game("arena").up()?;
    let error = trino(&platform, "CSV", "select nope from player_events")
        .err()
        .map(|error| error.to_string());
    let error = error.unwrap_or_default();
    assert!(
        error.contains("line 1:8") && error.contains("nope"),
        "{error}"
    );
    Ok(())
}
