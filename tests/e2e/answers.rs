//! The shipped questions, answered by the platform and by an independent model of the same events.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::tools::gamepipe;
use gamepipe_tests::{Platform, Start, model};
use serde_json::Value;

/// How many requests each game is played with: enough that every outcome of its rules occurs.
const REQUESTS: &str = "3000";

fn played(game: &str) -> Result<Platform> {
    let platform = Start::game(game).up()?;
    let output = Command::new(gamepipe()?)
        .args(["play", "--game", game, "--requests", REQUESTS])
        .args(["--api", platform.api()?.base()])
        .args(["--sql", platform.sql()?.base()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{game}: {text}");
    platform.wait_until_landed()?;
    Ok(platform)
}

/// Every event on the log, partition by partition: those of one key are in order.
fn read_log(platform: &Platform) -> Result<Vec<Value>> {
    let api = platform.api()?;
    let log = api.get("/v1/log")?.json()?;
    let mut events = Vec::new();
    for offsets in log["partitions"].as_array().context("no partitions")? {
        let partition = offsets["partition"].as_u64().context("no number")?;
        let (mut from, high) = (offsets["low"].as_u64(), offsets["high"].as_u64());
        while let Some(next) = from.filter(|next| Some(*next) < high) {
            let reply = api.get(&format!("/v1/log/{partition}?from={next}&max=1000"))?;
            let records = model::parse_events(&reply.text()).map_err(anyhow::Error::msg)?;
            let last = records.last().context("the log ends before its end")?;
            from = last["offset"].as_u64().map(|offset| offset + 1);
            events.extend(records.into_iter().map(|mut record| record["event"].take()));
        }
    }
    Ok(events)
}

#[test]
fn every_answer_equals_the_models() -> Result<()> {
    for game in model::GAMES {
        let platform = played(game)?;
        let events = read_log(&platform)?;
        let sql = platform.sql()?;
        let queries = sql.get("/queries")?.json()?;
        let queries = queries.as_array().context("/queries is no list")?;
        ensure!(!queries.is_empty(), "{game} has no queries");
        for query in queries {
            let name = query["name"].as_str().context("a query without a name")?;
            let expected = model::answer(game, name, &events)
                .with_context(|| format!("{game}: the model does not know {name}"))?;
            let reply = sql.get(&format!("/queries/{name}"))?;
            ensure!(reply.status == 200, "{game}: {name}: {}", reply.text());
            let found: model::Rows = serde_json::from_value(reply.json()?["rows"].take())?;
            if let Some(difference) = model::difference(&expected, &found) {
                panic!("{game}: {name}: {difference}");
            }
        }
        if game == "trade" {
            let (now, before) = (events.iter(), events.iter().rev());
            let wealth = model::trade::wealth(now);
            assert_eq!(
                wealth,
                model::trade::wealth(before),
                "gold or items were made or destroyed"
            );
        }
    }
    Ok(())
}
