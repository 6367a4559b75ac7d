//! The commit protocol on a store that refuses, times out, and lies about outcomes: each offset lands once all the same.

use std::sync::Arc;

use gamepipe_config::lake::LakeConfig;
use gamepipe_service::clock::{Clock, SystemClock};

use super::tests::{GENERATION, PARTITIONS, at, rows};
use super::{EncodedEpoch, Resume};
use crate::audit::audit;
use crate::epoch::OffsetRange;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::storage::faults::{Faults, mixed};

/// The variable that repeats one seed.
pub(super) const SEED: &str = "GAMEPIPE_TEST_SEED";
/// How many seeds are tried, and how many epochs each.
const SEEDS: u64 = 6;
const EPOCHS_PER_SEED: u64 = 40;

pub(super) fn open(config: &LakeConfig) -> Lake {
    Lake::open_tables(config, "arena", &[], Arc::new(SystemClock)).unwrap()
}

/// As the streamer does: begins anew from the resume point after every error, and is started again now and then.
pub(super) struct Lander {
    config: LakeConfig,
    faults: Arc<Faults>,
    pub(super) lake: Lake,
    resume: Option<Resume>,
    pub(super) errors: u64,
}

impl Lander {
    pub(super) fn start(config: LakeConfig, faults: Arc<Faults>) -> Self {
        let lake = open(&config).on_faulty_store(Arc::clone(&faults));
        Self {
            config,
            faults,
            lake,
            resume: None,
            errors: 0,
        }
    }

    /// A new process on the same store: what the old one had under way may still arrive.
    pub(super) fn restart(&mut self) {
        self.lake = open(&self.config).on_faulty_store(Arc::clone(&self.faults));
        self.resume = None;
    }

    /// One attempt at an epoch up to `highs`; an error leaves it to the next one.
    pub(super) async fn attempt(&mut self, highs: &[u64]) -> Result<(), LakeError> {
        let resume = match self.resume.take() {
            Some(resume) => resume,
            None => {
                self.lake.prepare().await?;
                self.lake.resume(GENERATION, PARTITIONS).await?
            }
        };
        let ranges: Vec<OffsetRange> = (0..)
            .zip(resume.next.iter().zip(highs))
            .map(|(partition, (from, high))| OffsetRange::new(partition, *from, *high))
            .collect();
        let records: u64 = ranges.iter().map(OffsetRange::records).sum();
        if records == 0 {
            self.resume = Some(resume);
            return Ok(());
        }
        let mut tables = Vec::new();
        for (number, table) in (0..).zip(self.lake.tables()) {
            let name = &table.table.name;
            let batch = rows(&self.lake, name, number, &ranges).unwrap();
            tables.push(self.lake.encode(name, vec![batch]).await?);
        }
        let epoch = EncodedEpoch {
            ranges,
            records,
            tables,
            passes_gaps: false,
        };
        self.lake.commit_epoch(epoch).await?;
        self.resume = Some(Resume {
            next: highs.to_vec(),
            ..resume
        });
        Ok(())
    }

    pub(super) async fn try_once(&mut self, highs: &[u64]) {
        if self.attempt(highs).await.is_err() {
            self.errors += 1;
        }
    }

    pub(super) fn is_done(&self, highs: &[u64]) -> bool {
        self.resume
            .as_ref()
            .is_some_and(|resume| resume.next == highs)
    }
}

/// The rows in the files that any Delta reader is told of, counted from the files themselves.
pub(super) async fn rows_of_files(lake: &Lake, table: &str) -> u64 {
    let (files, schema) = lake.newest_files(table).await.unwrap();
    let mut count = 0;
    for (file, _) in files {
        let batches = file.read(&schema).await.unwrap();
        count += batches
            .iter()
            .map(|batch| batch.num_rows() as u64)
            .sum::<u64>();
    }
    count
}

async fn land_through_faults(seed: u64) -> Vec<u64> {
    eprintln!("repeat with {SEED}={seed}");
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::new(seed));
    let mut lander = Lander::start(at(folder.path()), Arc::clone(&faults));
    let mut highs = vec![0_u64; PARTITIONS as usize];
    faults.arm(true);
    for round in 0..EPOCHS_PER_SEED {
        let bits = mixed(seed.wrapping_mul(31) ^ round);
        highs[(bits % u64::from(PARTITIONS)) as usize] += 1 + bits % 5;
        highs[(bits / 7 % u64::from(PARTITIONS)) as usize] += 1;
        if bits.is_multiple_of(9) {
            lander.restart();
        }
        lander.try_once(&highs).await;
    }
    faults.arm(false);
    for _ in 0..50 {
        lander.try_once(&highs).await;
        if lander.is_done(&highs) {
            break;
        }
    }
    let lake = open(&at(folder.path()));
    let found = audit(&lake).await.unwrap();
    assert_eq!(found.landed, highs, "seed {seed}: {found:#?}");
    assert!(found.is_clean(), "seed {seed}: {found:#?}");
    for (number, table) in (1..).zip(lake.tables()) {
        let expected: u64 = highs.iter().map(|high| high.div_ceil(number)).sum();
        let name = &table.table.name;
        assert_eq!(
            rows_of_files(&lake, name).await,
            expected,
            "seed {seed}: {name}"
        );
    }
    assert!(lander.errors > 0, "seed {seed}: no attempt failed");
    faults.met().into_iter().map(|(_, count)| count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn store_that_fails_and_lies_loses_and_doubles_nothing() {
    let first = SystemClock.seed();
    let seeds: Vec<u64> = match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SEEDS).map(|number| mixed(first ^ number)).collect(),
    };
    let mut met = vec![0; 5];
    for seed in &seeds {
        for (all, own) in met.iter_mut().zip(land_through_faults(*seed).await) {
            *all += own;
        }
    }
    assert!(
        seeds.len() < 2 || met.iter().all(|count| *count > 0),
        "every fault was met: {met:?}"
    );
}

#[tokio::test]
async fn lake_that_was_removed_while_landing_is_not_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lake");
    let mut lander = Lander::start(at(&path), Arc::new(Faults::new(0)));
    lander.attempt(&[5, 0, 0]).await.unwrap();
    let away = folder.path().join("away");
    std::fs::rename(&path, &away).unwrap();
    // Gone, then an empty directory in its place: nothing may land there.
    for _ in 0..2 {
        let error = lander.attempt(&[9, 0, 0]).await.unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
        let error = lander
            .lake
            .resume(GENERATION, PARTITIONS)
            .await
            .unwrap_err();
        assert!(matches!(error, LakeError::Vanished { .. }), "{error}");
        std::fs::create_dir_all(&path).unwrap();
        lander.resume = Some(Resume {
            next: vec![5, 0, 0],
            last: None,
        });
    }
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&away, &path).unwrap();
    lander.resume = None;
    lander.attempt(&[9, 0, 0]).await.unwrap();
    let found = audit(&lander.lake).await.unwrap();
    assert!(found.is_clean() && found.landed == [9, 0, 0], "{found:#?}");
}

#[tokio::test]
async fn table_that_has_lost_its_files_is_named_and_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut lander = Lander::start(at(folder.path()), Arc::new(Faults::new(0)));
    lander.attempt(&[5, 3, 0]).await.unwrap();
    let name = lander.lake.tables()[0].table.name.clone();
    std::fs::remove_dir_all(folder.path().join(&name)).unwrap();
    let restarted = open(&at(folder.path()));
    for error in [
        restarted.prepare().await.unwrap_err(),
        audit(&restarted).await.unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(matches!(error, LakeError::Lost { .. }), "{text}");
        assert!(text.contains(&name) && text.contains("epoch 1"), "{text}");
    }
    assert!(!folder.path().join(&name).exists());
}

#[tokio::test]
async fn audit_without_epochs_counts_rows_as_unexplained_and_an_empty_lake_as_unsound() {
    let folder = tempfile::tempdir().unwrap();
    let mut lander = Lander::start(at(folder.path()), Arc::new(Faults::new(0)));
    lander.attempt(&[5, 0, 0]).await.unwrap();
    std::fs::remove_dir_all(folder.path().join("_epochs")).unwrap();
    let found = audit(&open(&at(folder.path()))).await.unwrap();
    assert!(!found.is_clean());
    assert_eq!(found.tables[0].unexplained, 5, "{found:#?}");
    let empty = tempfile::tempdir().unwrap();
    let found = audit(&open(&at(empty.path()))).await.unwrap();
    assert_eq!(found.broken_epochs.len(), 1, "{found:#?}");
}
