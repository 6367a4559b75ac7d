//! A disk that fills up: an honest refusal, reads go on, and nothing acknowledged is lost (AT-1, AV-1).

use std::path::Path;

use anyhow::{Result, ensure};
use gamepipe_tests::ledger::check_arena;
use gamepipe_tests::load::{Acknowledged, initialize_players, insist};
use gamepipe_tests::random::Random;
use gamepipe_tests::small_disk::SmallDisk;
use gamepipe_tests::{Platform, Start};
use tempfile::TempDir;

/// Clients at work while the disk fills up.
const CLIENTS: usize = 8;

/// Loads a platform until it has refused for a while, and checks how it is meanwhile.
fn load_until_refused(
    platform: &Platform,
    random: &mut Random,
    reason: &[&str],
) -> Result<Acknowledged> {
    let api = platform.api()?;
    // Asked of the probe alone: an action that is still taken would be one that nobody counts.
    let told = || {
        let probe = api.get("/readyz")?;
        Ok(probe.status == 503 && reason.iter().all(|word| probe.text().contains(word)))
    };
    let (acknowledged, refused) = insist(&api, CLIENTS, random, told)?;
    ensure!(
        refused.wrongly.is_empty(),
        "wrong refusals: {:?}",
        refused.wrongly
    );
    ensure!(refused.properly > 0, "nobody was refused");
    ensure!(
        acknowledged.event_ids.len() > 500,
        "too little load to show anything: {}",
        acknowledged.event_ids.len()
    );
    let player = api.get("/v1/entities/player/ann")?;
    ensure!(player.status == 200, "reads go on: {}", player.text());
    let counted = platform
        .sql()?
        .value("select count(*) from player_events")?;
    ensure!(
        counted.as_u64().is_some_and(|count| count > 0),
        "SQL goes on: {counted}"
    );
    let refusal = api.get("/initialize?username=later")?;
    ensure!(
        refusal.status == 503,
        "{}: {}",
        refusal.status,
        refusal.text()
    );
    ensure!(
        refusal.json()?["code"] == "unavailable",
        "{}",
        refusal.text()
    );
    Ok(acknowledged)
}

/// It ends when asked, in whatever state it is, and says nothing of a panic.
fn stop(platform: &Platform) -> Result<()> {
    platform.stop()?;
    let output = platform.output();
    ensure!(!output.contains("panicked"), "{output}");
    Ok(())
}

fn all_is_there(data: &Path, acknowledged: &Acknowledged) -> Result<()> {
    let platform = Start::game("arena").data(data).up()?;
    platform.wait_until_landed()?;
    check_arena(&platform, acknowledged)?;
    let (clean, text) = platform.verify()?;
    ensure!(clean, "{text}");
    ensure!(
        platform.api()?.get("/dig_for_gold?username=ann")?.status == 200,
        "it takes actions again"
    );
    ensure!(platform.stop()?.success(), "{}", platform.output());
    Ok(())
}

#[test]
fn files_that_can_grow_no_more_refuse_actions_and_lose_nothing_acknowledged() -> Result<()> {
    let mut random = Random::from_environment("files that can grow no more");
    let data = TempDir::new()?;
    // Made without the limit, and opened once more, so that the journals have no room set aside.
    let platform = Start::game("arena").data(data.path()).up()?;
    let mut acknowledged = initialize_players(&platform.api()?)?;
    ensure!(platform.stop()?.success(), "{}", platform.output());
    let platform = Start::game("arena")
        .data(data.path())
        .files_up_to_kib(2048)
        .up()?;
    let state = data.path().join("state").display().to_string();
    acknowledged.merge(load_until_refused(
        &platform,
        &mut random,
        &["state store: ", &state, "restarted"],
    )?);
    stop(&platform)?;
    all_is_there(data.path(), &acknowledged)
}

#[test]
fn full_disk_refuses_actions_tells_why_and_loses_nothing_acknowledged() -> Result<()> {
    let Some(disk) = SmallDisk::mount(96)? else {
        return Ok(());
    };
    let mut random = Random::from_environment("full disk");
    let data = disk.path().join("data");
    let platform = Start::game("arena").data(&data).up()?;
    let mut acknowledged = initialize_players(&platform.api()?)?;
    platform.wait_until_landed()?;
    disk.fill_up_to(3 << 10)?;
    acknowledged.merge(load_until_refused(
        &platform,
        &mut random,
        &["the disk is full", "make room", "state store: "],
    )?);
    stop(&platform)?;
    disk.make_room()?;
    all_is_there(&data, &acknowledged)
}

#[test]
fn start_on_a_full_disk_is_a_clear_error() -> Result<()> {
    let Some(disk) = SmallDisk::mount(4)? else {
        return Ok(());
    };
    disk.fill_up_to(16)?;
    let platform = Start::game("arena")
        .data(&disk.path().join("data"))
        .spawn()?;
    let status = platform.wait()?;
    let output = platform.output();
    ensure!(!status.success(), "{output}");
    let told = output
        .lines()
        .find(|line| line.starts_with("error:"))
        .unwrap_or_default();
    ensure!(told.contains("No space left on device"), "{output}");
    ensure!(
        told.contains(&disk.path().display().to_string()),
        "{output}"
    );
    ensure!(!output.contains("panicked"), "{output}");
    Ok(())
}
