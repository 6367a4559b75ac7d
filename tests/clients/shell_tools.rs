//! `ab` and `curl`, as the scripts of the original systems call them.

use std::process::{Command, Output};

use anyhow::Result;
use gamepipe_tests::tools::tool;
use gamepipe_tests::{Platform, Start};

fn shown(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn ab_drives_a_game_and_every_request_lands() -> Result<()> {
    let platform = Start::game("guild").up()?;
    let api = platform.api()?;
    for (host, path, requests) in [
        ("user1.datafun.com", "/purchase_a_sword", 300),
        ("user2.att.com", "/slay_a_dragon", 200),
    ] {
        let output = Command::new(tool("GAMEPIPE_TEST_AB")?)
            .args([
                "-n",
                &requests.to_string(),
                "-c",
                "8",
                "-H",
                &format!("Host: {host}"),
            ])
            .arg(format!("{}{path}", api.base()))
            .output()?;
        let text = shown(&output);
        assert!(output.status.success(), "{text}");
        assert!(
            text.contains(&format!("Complete requests:      {requests}")),
            "{text}"
        );
        assert!(!text.contains("Non-2xx"), "{text}");
    }
    platform.wait_until_landed()?;
    assert_count(
        &platform,
        "select count(*) from sword_purchases where host = 'user1.datafun.com'",
        300,
    )?;
    assert_count(
        &platform,
        "select count(*) from slay_dragons where host = 'user2.att.com'",
        200,
    )
}

#[test]
fn curl_calls_the_routes_as_the_old_scripts_do() -> Result<()> {
    let platform = Start::game("market").up()?;
    let api = platform.api()?;
    let calls: [&[&str]; 6] = [
        &[
            "-H",
            "Host: user1.comcast.com",
            "/purchase_a_sword?sword_type=long",
        ],
        &["-H", "Host: user1.comcast.com", "/add_money?amount=50"],
        &[
            "-H",
            "Host: user1.comcast.com",
            "/message?message_post=hello",
        ],
        &[
            "-H",
            "Host: user1.comcast.com",
            "-d",
            "message_post=from+a+form",
            "/message",
        ],
        &[
            "-H",
            "Host: user1.comcast.com",
            "-H",
            "Content-Type: application/json",
            "-d",
            "{\"message_post\": \"from json\"}",
            "/message",
        ],
        &["-H", "Host: user2.att.com", "/"],
    ];
    for call in calls {
        let (path, options) = call.split_last().unwrap_or((&"", &[]));
        let output = Command::new(tool("GAMEPIPE_TEST_CURL")?)
            .args(["--silent", "--show-error", "--fail-with-body"])
            .args(options)
            .arg(format!("{}{path}", api.base()))
            .output()?;
        assert!(output.status.success(), "{call:?}: {}", shown(&output));
    }
    platform.wait_until_landed()?;
    assert_count(&platform, "select count(*) from messages", 3)?;
    assert_count(&platform, "select count(*) from transactions", 2)?;
    assert_count(&platform, "select sum(amount) from transactions", 40)
}

fn assert_count(platform: &Platform, sql: &str, expected: i64) -> Result<()> {
    assert_eq!(platform.sql()?.value(sql)?, expected, "{sql}");
    Ok(())
}
