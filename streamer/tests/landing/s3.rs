//! A running streamer on a bucket behind a proxy that refuses, cuts, hangs and lies: every record lands once.

use std::sync::Arc;

use gamepipe_config::lake::{LakeConfig, S3Config};
use gamepipe_service::Shutdown;
use gamepipe_service::clock::{Clock, SystemClock};
use gamepipe_testkit::s3_proxy::S3Proxy;
use gamepipe_testkit::s3_server::{BUCKET, KEY_ID, S3Server, SECRET};
use serde_json::json;

use crate::memory_log::MemoryLog;
use crate::world::{clean_audit, event, land, landed, open_at, quick, rows_in, streamer, tables};

/// The variable that repeats a seed.
const SEED: &str = "GAMEPIPE_TEST_SEED";
const RECORDS: u64 = 240;
/// How many of them come while others are being landed.
const SOME: u64 = 40;

fn at(endpoint: &str) -> LakeConfig {
    LakeConfig {
        path: format!("s3://{BUCKET}/lake"),
        s3: S3Config {
            endpoint: endpoint.to_owned(),
            access_key_id: KEY_ID.to_owned(),
            secret_access_key: SECRET.to_owned(),
            allow_http: true,
            timeout_ms: 700,
            ..S3Config::default()
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_running_streamer_lands_each_record_once_through_faults_and_an_outage() {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => SystemClock.seed(),
    };
    eprintln!("repeat with {SEED}={seed}");
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.port(), seed);
    let log = Arc::new(MemoryLog::new("g", 3));
    let lake = open_at(&at(&proxy.endpoint()), &tables());
    // Sees what is there without faults.
    let watched = open_at(&at(&server.endpoint()), &tables());
    let running = streamer(quick(), &log, &lake);
    running.prepare().await.expect("the store is well");
    let shutdown = Shutdown::new();
    let running = tokio::spawn(running.run(shutdown.clone()));
    proxy.arm(true);
    for id in 0..RECORDS {
        let value = event("attack", id, json!({"damage": id}));
        log.push(&format!("k{id}"), value);
        if id % SOME == SOME - 1 {
            // So that the records come in several epochs.
            landed(&watched, id + 1).await;
        }
        if id == RECORDS / 2 {
            proxy.cut_everything(true);
            let calls = proxy.calls();
            while proxy.calls() < calls + 8 {
                tokio::task::yield_now().await;
            }
            proxy.cut_everything(false);
        }
    }
    proxy.arm(false);
    landed(&lake, RECORDS).await;
    shutdown.cancel();
    running.await.expect("it runs").expect("it ends well");
    eprintln!("{:?} in {} calls", proxy.met(), proxy.calls());
    // Another process, which begins with what is there.
    let fresh = open_at(&at(&server.endpoint()), &tables());
    land(quick(), &log, &fresh).await.expect("nothing is left");
    let found = clean_audit(&fresh).await;
    assert_eq!(
        (found.records, rows_in(&found, "attacks")),
        (RECORDS, RECORDS),
        "seed {seed}"
    );
    assert!(found.epochs >= RECORDS / SOME, "{}", found.epochs);
}
