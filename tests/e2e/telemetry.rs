//! `/v1/events`: a result per event, and a row for each, bad ones included (ND-1).

use anyhow::Result;
use gamepipe_tests::{Backends, Start};
use serde_json::json;

gamepipe_tests::on_both_backends! {
    a_batch_gets_a_result_per_event_and_every_event_a_row
    a_duplicate_is_known_after_a_kill_and_a_restart
}

fn a_batch_gets_a_result_per_event_and_every_event_a_row(backends: Backends) -> Result<()> {
    let platform = Start::game("quest").on(backends).up()?;
    let (api, sql) = (platform.api()?, platform.sql()?);
    let batch = json!([
        {"event_type": "take_potion", "event_id": "potion-1", "userid": "ann", "health": 10},
        {"event_type": "take_potion", "event_id": "potion-1", "userid": "ann", "health": 10},
        {"event_type": "take_potion", "userid": "bob", "health": "ten"},
        {"event_type": "no_such_event", "userid": "bob"},
        {"event_type": "join_guild", "userid": "bob", "guild_name": "night_watch"},
    ]);
    let reply = api.post_json("/v1/events", &batch)?;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let results = reply.json()?["results"].clone();
    let statuses: Vec<_> = results
        .as_array()
        .into_iter()
        .flatten()
        .map(|result| result["status"].clone())
        .collect();
    assert_eq!(
        statuses,
        ["accepted", "duplicate", "rejected", "rejected", "accepted"],
        "{results}"
    );
    platform.wait_until_landed()?;
    assert_eq!(
        sql.value("select count(*) from character_stats where userid = 'ann'")?,
        1
    );
    assert_eq!(
        sql.value("select count(*) from guild_events where guild_name = 'night_watch'")?,
        1
    );
    assert_eq!(
        sql.value("select count(*) from quest_raw.bad_events where origin = 'api'")?,
        2
    );
    Ok(())
}

fn a_duplicate_is_known_after_a_kill_and_a_restart(backends: Backends) -> Result<()> {
    let data = tempfile::TempDir::new()?;
    let event = json!({"event_type": "take_potion", "event_id": "only-once", "userid": "ann"});
    let platform = Start::game("quest").on(backends).data(data.path()).up()?;
    assert_eq!(
        platform.api()?.post_json("/v1/events", &event)?.json()?["results"][0]["status"],
        "accepted"
    );
    platform.kill()?;
    let platform = Start::game("quest").on(backends).data(data.path()).up()?;
    assert_eq!(
        platform.api()?.post_json("/v1/events", &event)?.json()?["results"][0]["status"],
        "duplicate"
    );
    platform.wait_until_landed()?;
    let count = platform.sql()?.value(
        "select count(*) from quest_raw.character_stats where \"_event_id\" = 'only-once'",
    )?;
    assert_eq!(count, 1);
    Ok(())
}
