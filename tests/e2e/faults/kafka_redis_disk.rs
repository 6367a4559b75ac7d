//! Kafka's disk is full.

use gamepipe_tests::small_disk::SmallDisk;

use super::*;

/// So many events wait in Redis at most.
const MAX_OUTBOX: &str = "500";

/// Room on the disk, in MiB: the files of a broker's own topics take half of it.
const DISK_MIB: u32 = 200;

/// How much of it is left when it is filled up, in KiB. With little the broker dies of it, or can write no more; with less it may write a batch, fail in the middle of
/// counting it, and go on.
const LEAST_LEFT_KIB: u64 = 32;
const MOST_LEFT_KIB: u64 = 256;

#[test]
fn kafka_on_a_full_disk_is_refused_for_and_goes_on_when_it_has_room() -> Result<()> {
    let Some(disk) = SmallDisk::mount(DISK_MIB)? else {
        return Ok(());
    };
    let redis = RedisServer::start(&[]);
    let mut kafka = KafkaServer::start(Options {
        data: Some(disk.path().join("kafka")),
        ..Options::default()
    });
    let services = Services::of(&redis, &kafka);
    let settings = [("GAMEPIPE_API_MAX_OUTBOX", MAX_OUTBOX)];
    let mut scene = Scene::start_with("kafka on a full disk", services, [2, 2, 1], &settings)?;
    scene.answers(100)?;
    let left = LEAST_LEFT_KIB + scene.random.below(MOST_LEFT_KIB - LEAST_LEFT_KIB);
    disk.fill_up_to(left)?;
    let api = scene.platform.api()?;
    let telemetry = serde_json::json!({"event_type": "nothing", "x": 1});
    wait_for("the API to refuse and to say why", PATIENCE, || {
        let (ready, action) = (
            api.get("/readyz")?,
            api.get("/dig_for_gold?username=nobody")?,
        );
        let events = api.post_json("/v1/events", &telemetry)?;
        let is_refused = |reply: &gamepipe_tests::Reply| {
            reply.status == 503 && reply.header("retry-after").is_some()
        };
        let is_told = ready.status == 503 && ready.text().contains("event log");
        Ok((is_told && is_refused(&action) && is_refused(&events)).then_some(()))
    })
    .with_context(|| scene.platform.output() + &kafka.log())?;
    disk.make_room()?;
    kafka.restart();
    scene.platform.wait_until_ready()?;
    scene.answers(100)?;
    let output = scene.platform.output();
    for sign in ["the log is damaged", "a transaction hangs"] {
        eprintln!(
            "{left} KiB were left: {sign:?} {} times",
            output.matches(sign).count()
        );
    }
    scene
        .check()
        .with_context(|| format!("{left} KiB were left; {}", kafka.log()))
}
