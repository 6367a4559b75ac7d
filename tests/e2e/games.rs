//! The five reference games: simulated, landed, and their questions answered.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result};
use gamepipe_tests::model::trade::wealth;
use gamepipe_tests::model::{GAMES, Rows, answer, difference};
use gamepipe_tests::tools::gamepipe;
use gamepipe_tests::{Backends, Start};

gamepipe_tests::on_both_backends! {
    trades_conserve_all_gold_and_every_item
    every_named_query_answers_on_empty_tables
    every_named_query_gives_what_an_independent_model_gives
}

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
fn a_sixth_game_is_a_file_written_by_game_new() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let run = |arguments: &[&str]| -> Result<String> {
        let output = Command::new(gamepipe()?)
            .args(arguments)
            .current_dir(folder.path())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "{arguments:?}: {}\n{text}",
            output.status
        );
        Ok(text)
    };
    run(&["game", "new", "fishing"])?;
    run(&["game", "check", "fishing"])?;
    let game = folder
        .path()
        .join("fishing/game.yaml")
        .display()
        .to_string();
    let addresses = ["--api", "127.0.0.1:0", "--sql", "127.0.0.1:0"];
    run(&[
        [
            "up", "--game", &game, "--play", "500", "--exit", "--data", "data",
        ]
        .as_slice(),
        &addresses,
    ]
    .concat())?;
    Ok(())
}

fn every_named_query_gives_what_an_independent_model_gives(backends: Backends) -> Result<()> {
    for game in GAMES {
        let platform = Start::game(game).on(backends).up()?;
        platform.play(game, 2000)?;
        let (sql, events) = (platform.sql()?, platform.events()?);
        anyhow::ensure!(events.len() > 1000, "{game}: only {} events", events.len());
        let queries = sql.get("/queries")?.json()?;
        for query in queries.as_array().context("/queries is no list")? {
            let name = query["name"].as_str().context("a query without a name")?;
            let expected = answer(game, name, &events)
                .with_context(|| format!("the model does not know {game}'s {name}"))?;
            let found: Rows = sql.rows(query["sql"].as_str().context("a query without SQL")?)?;
            if let Some(difference) = difference(&expected, &found) {
                anyhow::bail!("{game}: {name}: {difference}");
            }
        }
    }
    Ok(())
}

fn trades_conserve_all_gold_and_every_item(backends: Backends) -> Result<()> {
    let platform = Start::game("trade").on(backends).up()?;
    platform.play("trade", 3000)?;
    // What was created is what the first state of each player says; trades only move it.
    let mut seen = BTreeSet::new();
    let mut created = platform.events()?;
    created.retain(|event| {
        event["event_type"] == "player_state" && seen.insert(event["player_id"].as_i64())
    });
    let (gold, items) = wealth(&created);
    let (api, mut gold_held, mut items_held) = (platform.api()?, 0, BTreeMap::new());
    for id in 0.. {
        let player = api.get(&format!("/v1/entities/player/{id}"))?;
        if player.status == 404 {
            break;
        }
        let state = player.json()?["state"].clone();
        gold_held += state["gold"].as_i64().context("no gold")?;
        for (item, quantity) in state["inventory"].as_object().context("no inventory")? {
            *items_held.entry(item.parse::<i64>()?).or_insert(0) +=
                quantity.as_i64().context("no quantity")?;
        }
    }
    assert_eq!(gold_held, gold);
    assert_eq!(items_held, items);
    Ok(())
}

fn every_named_query_answers_on_empty_tables(backends: Backends) -> Result<()> {
    for game in GAMES {
        let platform = Start::game(game).on(backends).up()?;
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
