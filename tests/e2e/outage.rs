//! The lake is away for a while, or for good: nothing is landed into nowhere, nothing acknowledged is lost, and what comes
//! back goes on by itself (EO-1, ND-1).

use std::path::Path;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::ledger::check_arena;
use gamepipe_tests::load::{Crowd, initialize_players, insist};
use gamepipe_tests::random::Random;
use gamepipe_tests::wait::{PATIENCE, wait_for};
use gamepipe_tests::{Client, Platform, Start};
use tempfile::TempDir;

/// Clients at work.
const CLIENTS: usize = 4;

fn wait_for_status(client: &Client, status: u16) -> Result<String> {
    wait_for(&format!("/readyz to answer {status}"), PATIENCE, || {
        let probe = client.get("/readyz")?;
        Ok((probe.status == status).then(|| probe.text()))
    })
}

fn count(platform: &Platform) -> Result<Result<u64, String>> {
    let reply =
        platform
            .sql()?
            .post("/sql", "text/plain", b"select count(*) from player_events")?;
    if reply.status != 200 {
        return Ok(Err(reply.text()));
    }
    Ok(Ok(reply.json()?["rows"][0][0].as_u64().unwrap_or_default()))
}

/// A crowd plays until so many actions more have been acknowledged.
fn play(platform: &Platform, random: &mut Random) -> Result<gamepipe_tests::load::Acknowledged> {
    let api = platform.api()?;
    let before = high(&api)?;
    let crowd = Crowd::start(&api, CLIENTS, random);
    let played = wait_for("some actions", PATIENCE, || {
        Ok((high(&api)? > before + 200).then_some(()))
    });
    let seen = crowd.finish();
    played?;
    Ok(seen)
}

fn high(api: &Client) -> Result<u64> {
    let log = api.get("/v1/log")?.json()?;
    let highs = log["partitions"].as_array().into_iter().flatten();
    Ok(highs
        .filter_map(|partition| partition["high"].as_u64())
        .sum())
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                files_below(&entry.path())
            } else {
                1
            }
        })
        .sum()
}

#[test]
fn lake_that_is_moved_away_while_running_is_missed_and_goes_on_when_it_is_back() -> Result<()> {
    let mut random = Random::from_environment("lake that is moved away");
    let platform = Start::game("arena").up()?;
    let (api, sql) = (platform.api()?, platform.sql()?);
    let mut acknowledged = initialize_players(&api)?;
    acknowledged.merge(play(&platform, &mut random)?);
    platform.wait_until_landed()?;
    let landed = count(&platform)?.map_err(anyhow::Error::msg)?;

    let away = platform.data().join("lake.away");
    std::fs::rename(platform.lake(), &away)?;
    acknowledged.merge(play(&platform, &mut random)?);
    let reason = wait_for_status(&sql, 503).with_context(|| platform.output())?;
    ensure!(
        reason.contains("landing: ") && reason.contains("gone"),
        "the reason names what is missing: {reason}"
    );
    ensure!(
        api.get("/readyz")?.status == 200,
        "actions are still taken: the log keeps them"
    );
    ensure!(
        files_below(&platform.lake()) == 0,
        "something was landed into nowhere"
    );
    // No rows where there were some would be a lie.
    match count(&platform)? {
        Ok(shown) => ensure!(
            shown >= landed,
            "{shown} rows are shown of {landed} that have landed"
        ),
        Err(error) => ensure!(error.contains("LAKE_UNAVAILABLE"), "{error}"),
    }
    // Nothing that was not landed is taken from the log meanwhile, so all of it comes in when the lake is back.
    std::fs::rename(&away, platform.lake())?;
    wait_for_status(&sql, 200)?;
    platform.wait_until_landed()?;
    check_arena(&platform, &acknowledged)?;
    let (clean, text) = platform.verify()?;
    ensure!(clean, "{text}");
    ensure!(platform.stop()?.success(), "{}", platform.output());
    Ok(())
}

#[test]
fn lake_that_is_gone_for_good_is_landed_anew_from_the_log_at_the_next_start() -> Result<()> {
    let mut random = Random::from_environment("lake that is gone for good");
    let data = TempDir::new()?;
    let platform = Start::game("arena").data(data.path()).up()?;
    let mut acknowledged = initialize_players(&platform.api()?)?;
    acknowledged.merge(play(&platform, &mut random)?);
    platform.wait_until_landed()?;
    std::fs::remove_dir_all(platform.lake())?;
    acknowledged.merge(play(&platform, &mut random)?);
    wait_for_status(&platform.sql()?, 503)?;
    // It can't land the rest, says so, and ends in time.
    let status = platform.stop()?;
    ensure!(!status.success(), "{}", platform.output());
    ensure!(
        !platform.output().contains("panicked"),
        "{}",
        platform.output()
    );

    let platform = Start::game("arena").data(data.path()).up()?;
    platform.wait_until_landed()?;
    check_arena(&platform, &acknowledged)
}

#[test]
fn log_that_is_full_of_what_cannot_land_refuses_and_recovers_by_itself() -> Result<()> {
    let mut random = Random::from_environment("full log");
    let platform = Start::game("arena")
        .setting("GAMEPIPE_LOG_MAX_BYTES", "400000")
        .setting("GAMEPIPE_API_MAX_OUTBOX", "300")
        .up()?;
    let (api, sql) = (platform.api()?, platform.sql()?);
    let mut acknowledged = initialize_players(&api)?;
    platform.wait_until_landed()?;
    let away = platform.data().join("lake.away");
    std::fs::rename(platform.lake(), &away)?;

    let full = || {
        let probe = api.get("/readyz")?;
        let waiting = api.get("/v1/log")?.json()?["outbox_depth"].as_u64();
        Ok(probe.status == 503 && probe.text().contains("event log full") && waiting >= Some(300))
    };
    let (seen, refused) = insist(&api, CLIENTS, &mut random, full)?;
    acknowledged.merge(seen);
    ensure!(refused.wrongly.is_empty(), "{:?}", refused.wrongly);
    ensure!(refused.properly > 0, "nobody was refused");
    let probe = api.get("/readyz")?.text();
    ensure!(
        probe.contains("of 400000 bytes") && probe.contains("streamer"),
        "{probe}"
    );

    std::fs::rename(&away, platform.lake())?;
    wait_for_status(&sql, 200)?;
    wait_for_status(&api, 200)?;
    wait_for("actions to be taken again", PATIENCE, || {
        Ok((api.get("/dig_for_gold?username=ann")?.status == 200).then_some(()))
    })?;
    acknowledged.unanswered += 1;
    platform.wait_until_landed()?;
    check_arena(&platform, &acknowledged)?;
    ensure!(platform.stop()?.success(), "{}", platform.output());
    Ok(())
}
