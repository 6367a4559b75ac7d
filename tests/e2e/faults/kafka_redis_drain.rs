//! Streamers that are told to stop, and streamers with far more on the log than their memory (DR-1, ME-1).

use gamepipe_tests::process::peak_mib;

use super::*;

/// Events of the backlog, and how many of them a request has.
const BACKLOG: u64 = 400_000;
const BATCH: u64 = 2000;

/// What a streamer may hold at its peak with the limits that the test sets: the backlog alone is some 60 MiB as text, and several
/// times that as rows.
const PEAK_MIB: u64 = 200;

#[test]
fn sigterm_lands_the_epoch_under_way() -> Result<()> {
    let platform = Start::game("quest")
        .on(Backends::shared_cluster())
        // Never by time: what lands has landed because of the signal.
        .setting("GAMEPIPE_STREAMER_COMMIT_INTERVAL_MS", "3600000")
        .up()?;
    let (api, sql) = (platform.api()?, platform.sql()?);
    let reply = api.post_json("/v1/events", &batch(0, 500))?;
    ensure!(reply.status == 200, "{}", reply.text());
    let streamer = platform.of(Role::Streamer)[0];
    let metrics = streamer.client("streamer")?;
    wait_for("the streamer to know of 500 events", PATIENCE, || {
        let text = metrics.get("/metrics")?.text();
        Ok(text
            .lines()
            .any(|line| line.ends_with("landing_lag_records 500"))
            .then_some(()))
    })
    .with_context(|| streamer.output())?;
    let landed = || sql.value("select count(*) from character_stats");
    ensure!(landed()? == 0, "landed before its time");
    let status = streamer.stop()?;
    ensure!(status.success(), "{status}: {}", streamer.output());
    wait_for("the rows to be seen", PATIENCE, || {
        Ok((landed()? == 500).then_some(()))
    })
    .with_context(|| streamer.output())?;
    let (is_well, text) = platform.verify()?;
    ensure!(is_well, "{text}");
    Ok(())
}

#[test]
fn a_backlog_beyond_its_memory_lands_within_it() -> Result<()> {
    let mut platform = Start::game("quest")
        .on(Backends::shared_cluster())
        .roles(1, 0, 1)
        .setting("GAMEPIPE_STREAMER_MAX_EPOCH_BYTES", "4194304")
        .setting("GAMEPIPE_LOG_KAFKA_PREFETCH_BYTES", "2097152")
        .up()?;
    let api = platform.api()?;
    for first in (0..BACKLOG).step_by(usize::try_from(BATCH)?) {
        let reply = api.post_json("/v1/events", &batch(first, BATCH))?;
        ensure!(reply.status == 200, "{}", reply.text());
    }
    platform.add(Role::Streamer, "")?;
    platform.wait_until_landed()?;
    let rows = platform
        .sql()?
        .value("select count(*) from character_stats")?;
    ensure!(rows == BACKLOG, "{rows} rows");
    let peak = peak_mib(platform.of(Role::Streamer)[0].pid())?;
    ensure!(peak < PEAK_MIB, "peak memory of {peak} MiB");
    Ok(())
}

/// `count` events of as many players.
fn batch(first: u64, count: u64) -> serde_json::Value {
    (first..first + count)
        .map(|number| serde_json::json!({"event_type": "take_potion", "userid": format!("player-{number}"), "health": 10}))
        .collect()
}
