//! The commit protocol over a real S3-compatible server, through a proxy that refuses, cuts, hangs, and lies about
//! outcomes: each offset lands once all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use gamepipe_config::lake::LakeConfig;
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_service::clock::{Clock, SystemClock};
use gamepipe_testkit::s3_proxy::{Fault, S3Proxy};
use gamepipe_testkit::s3_server::S3Server;

use super::faults::{Lander, SEED, open, rows_of_files};
use super::tests::{PARTITIONS, arena};
use crate::audit::audit;
use crate::error::LakeError;
use crate::maintenance::Rounds;
use crate::reader::{LakeReader, View};
use crate::storage::bucket::tests::at;
use crate::storage::faults::{Faults, mixed};

mod upkeep;

/// How many seeds are tried, and how many epochs each.
const SEEDS: u64 = 2;
const EPOCHS_PER_SEED: u64 = 30;
/// What the client waits for an answer in these tests: far more than the server takes, and little to wait for.
const TIMEOUT_MS: u64 = 700;

fn impatient(endpoint: &str) -> LakeConfig {
    let mut config = at(endpoint, "lake");
    config.s3.timeout_ms = TIMEOUT_MS;
    config
}

/// Nothing is lost, nothing is doubled: by the audit, and by counting the rows of all files.
async fn check(config: &LakeConfig, highs: &[u64], what: &str) {
    let lake = open(config);
    let found = audit(&lake).await.unwrap();
    assert_eq!(found.landed, highs, "{what}: {found:#?}");
    assert!(found.is_clean(), "{what}: {found:#?}");
    for (number, table) in (1..).zip(lake.tables()) {
        let expected: u64 = highs.iter().map(|high| high.div_ceil(number)).sum();
        let name = &table.table.name;
        assert_eq!(rows_of_files(&lake, name).await, expected, "{what}: {name}");
    }
}

async fn land_through_faults(server: &S3Server, seed: u64) -> BTreeMap<Fault, u64> {
    eprintln!("repeat with {SEED}={seed}");
    let proxy = S3Proxy::start(server.port(), seed);
    let mut config = impatient(&proxy.endpoint());
    config.path = format!("{}-{seed}", config.path);
    // The proxy alone is at fault here.
    let mut lander = Lander::start(config.clone(), Arc::new(Faults::new(seed)));
    let mut highs = vec![0_u64; PARTITIONS as usize];
    proxy.arm(true);
    for round in 0..EPOCHS_PER_SEED {
        let bits = mixed(seed.wrapping_mul(31) ^ round);
        highs[(bits % u64::from(PARTITIONS)) as usize] += 1 + bits % 5;
        highs[(bits / 7 % u64::from(PARTITIONS)) as usize] += 1;
        if bits.is_multiple_of(9) {
            lander.restart();
        }
        lander.try_once(&highs).await;
    }
    proxy.arm(false);
    for _ in 0..50 {
        lander.try_once(&highs).await;
        if lander.is_done(&highs) {
            break;
        }
    }
    check(&config, &highs, &format!("seed {seed}")).await;
    proxy.met()
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_store_that_fails_and_lies_loses_and_doubles_nothing() {
    let first = SystemClock.seed();
    let seeds: Vec<u64> = match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SEEDS).map(|number| mixed(first ^ number)).collect(),
    };
    let server = S3Server::start();
    let mut met = BTreeMap::new();
    for seed in &seeds {
        for (fault, count) in land_through_faults(&server, *seed).await {
            *met.entry(fault).or_insert(0) += count;
        }
    }
    eprintln!("{met:?}");
    assert!(met.len() >= 5, "too few kinds of faults: {met:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_commit_whose_answer_got_lost_is_known_again_and_one_that_never_came_is_sent_again() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.port(), 1);
    let config = impatient(&proxy.endpoint());
    let mut lander = Lander::start(config.clone(), Arc::new(Faults::new(1)));
    lander.attempt(&[1, 0, 0]).await.unwrap();
    let faults = [
        Fault::Unseen,
        Fault::Cut,
        Fault::Hang,
        Fault::SlowDown,
        Fault::Conflict,
        Fault::Outage,
    ];
    let mut high = 1;
    for fault in faults {
        for path in ["/_delta_log/", "/_epochs/_delta_log/", ".parquet"] {
            // Nobody loses a race for a name that nobody else uses.
            if fault == Fault::Conflict && path == ".parquet" {
                continue;
            }
            proxy.strike(fault, path);
            high += 1;
            if let Err(error) = lander.attempt(&[high, 0, 0]).await {
                panic!("{fault:?} of a PUT of {path}: {error}");
            }
            assert!(!proxy.is_to_strike(), "{fault:?} {path}");
        }
    }
    // One entry for each epoch: none was made twice.
    let name = &lander.lake.tables()[0].table.name;
    let newest = lander.lake.log(name).unwrap().newest().await.unwrap();
    assert_eq!(newest, Some(high));
    check(&config, &[high, 0, 0], "after lost answers").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_outage_and_killed_server_are_survived() {
    let mut server = S3Server::start();
    let proxy = S3Proxy::start(server.port(), 1);
    let config = impatient(&proxy.endpoint());
    let mut lander = Lander::start(config.clone(), Arc::new(Faults::new(1)));
    lander.attempt(&[3, 0, 0]).await.unwrap();
    proxy.cut_everything(true);
    for _ in 0..2 {
        let error = lander.attempt(&[9, 2, 0]).await.unwrap_err();
        assert!(matches!(error, LakeError::Bucket { .. }), "{error}");
        assert!(error.to_string().contains("can't be reached"), "{error}");
    }
    proxy.cut_everything(false);
    lander.attempt(&[9, 2, 0]).await.unwrap();
    server.kill();
    lander.attempt(&[12, 2, 4]).await.unwrap_err();
    server.restart();
    lander.attempt(&[12, 2, 4]).await.unwrap();
    check(&config, &[12, 2, 4], "after the outage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_lake_is_maintained_audited_and_read_like_a_directory() {
    let server = S3Server::start();
    let config = at(&server.endpoint(), "deep/er/lake");
    let mut lander = Lander::start(config.clone(), Arc::new(Faults::new(1)));
    let mut highs = [0_u64; PARTITIONS as usize];
    let upkeep = StreamerConfig {
        compact_files: 8,
        ..StreamerConfig::default()
    };
    let mut rounds = Rounds::default();
    let (mut merged, mut checkpoints) = (0, 0);
    let reader = LakeReader::open(&config, arena()).unwrap();
    for epoch in 0..110_u64 {
        highs[(epoch % 3) as usize] += 2;
        lander.attempt(&highs).await.unwrap();
        if epoch % 27 == 26 {
            let lake = &lander.lake;
            let done = lake.maintain_once(&upkeep, &mut rounds).await.unwrap();
            merged += done.merged_files;
            checkpoints += done.checkpoints;
        }
    }
    let done = lander
        .lake
        .maintain_once(&upkeep, &mut rounds)
        .await
        .unwrap();
    merged += done.merged_files;
    checkpoints += done.checkpoints;
    assert!(merged > 50 && checkpoints > 0, "{merged} {checkpoints}");
    check(&config, &highs, "maintained").await;
    // One reader that has followed nothing, and one that begins at the checkpoint.
    for reader in [reader, LakeReader::open(&config, arena()).unwrap()] {
        let cut = reader.cut().await.unwrap();
        let name = &lander.lake.tables()[0].table.name;
        let snapshot = cut.snapshot(View::Raw, name).await.unwrap().unwrap();
        assert_eq!(snapshot.rows(), Some(highs.iter().sum::<u64>()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_two_lakes_of_two_stores_in_one_process_do_not_mix() {
    let servers = [S3Server::start(), S3Server::start()];
    let configs = [
        at(&servers[0].endpoint(), "lake"),
        at(&servers[1].endpoint(), "lake"),
    ];
    let mut landers: Vec<Lander> = configs
        .iter()
        .map(|config| Lander::start(config.clone(), Arc::new(Faults::new(1))))
        .collect();
    landers[0].attempt(&[7, 0, 0]).await.unwrap();
    landers[1].attempt(&[0, 5, 1]).await.unwrap();
    landers[0].attempt(&[8, 0, 2]).await.unwrap();
    check(&configs[0], &[8, 0, 2], "first").await;
    check(&configs[1], &[0, 5, 1], "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_lake_that_was_emptied_or_lost_its_bucket_is_told_and_not_begun_anew() {
    let server = S3Server::start();
    let config = at(&server.endpoint(), "lake");
    let mut lander = Lander::start(config.clone(), Arc::new(Faults::new(1)));
    lander.attempt(&[5, 0, 0]).await.unwrap();
    let reader = LakeReader::open(&config, arena()).unwrap();
    assert_eq!(reader.cut().await.unwrap().epoch(), 1);
    let bucket = server.bucket_folder(gamepipe_testkit::s3_server::BUCKET);
    let away = server.folder().join("away");
    std::fs::rename(bucket.join("lake"), &away).unwrap();
    let error = lander.attempt(&[9, 0, 0]).await.unwrap_err();
    assert!(matches!(error, LakeError::Vanished { .. }), "{error}");
    assert!(reader.cut().await.is_err());
    // Files of an epoch that could not be committed.
    std::fs::remove_dir_all(bucket.join("lake")).unwrap();
    std::fs::rename(&away, bucket.join("lake")).unwrap();
    lander.attempt(&[9, 0, 0]).await.unwrap();
    server.remove_bucket(gamepipe_testkit::s3_server::BUCKET);
    let text = lander.attempt(&[10, 0, 0]).await.unwrap_err().to_string();
    assert!(text.contains("has no bucket games"), "{text}");
    let fresh = LakeReader::open(&config, arena()).unwrap();
    let text = fresh.cut().await.unwrap_err().to_string();
    assert!(text.contains("has no bucket games"), "{text}");
}
