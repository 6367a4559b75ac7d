//! The five reference games: simulated, landed, and their questions answered.

use std::process::Command;

use anyhow::{Context, Result};
use gamepipe_tests::Start;
use gamepipe_tests::tools::gamepipe;

const GAMES: [&str; 5] = ["arena", "quest", "guild", "market", "trade"];

#[test]
fn every_game_is_played_landed_and_verified_with_one_command() -> Result<()> {
    for game in GAMES {
        let data = tempfile::TempDir::new()?;
        let output = Command::new(gamepipe()?)
            .args([
                "up",
                "--game",
                game,
                "--play",
                "1500",
                "--exit",
                "--api",
                "127.0.0.1:0",
                "--sql",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(data.path())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{game}: {}\n{text}", output.status);
    }
    Ok(())
}

#[test]
fn every_named_query_answers_on_empty_tables() -> Result<()> {
    for game in GAMES {
        let platform = Start::game(game).up()?;
        let sql = platform.sql()?;
        let queries = sql.get("/queries")?.json()?;
        for query in queries.as_array().context("/queries is no list")? {
            let name = query["name"].as_str().context("a query without a name")?;
            let reply = sql.get(&format!("/queries/{name}"))?;
            assert_eq!(reply.status, 200, "{game}: {name}: {}", reply.text());
        }
    }
    Ok(())
}

#[test]
fn counts_grow_while_a_loop_of_requests_runs() -> Result<()> {
    let platform = Start::game("guild").up()?;
    let (api, sql) = (platform.api()?, platform.sql()?);
    let mut last = 0;
    for _ in 0..3 {
        for _ in 0..10 {
            let reply = api.get_with("/purchase_a_sword", &[("host", "user1.datafun.com")])?;
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        last = gamepipe_tests::wait::wait_for(
            "the count to grow",
            gamepipe_tests::wait::PATIENCE,
            || {
                let count = sql
                    .value("select count(*) from sword_purchases")?
                    .as_u64()
                    .context("no count")?;
                Ok((count >= last + 10).then_some(count))
            },
        )?;
    }
    assert_eq!(last, 30);
    Ok(())
}
