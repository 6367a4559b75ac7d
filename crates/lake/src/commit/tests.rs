//! The commit protocol under crashes and rivals: whatever happens in whatever order, each offset lands once.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Date32Array, Int32Array, Int64Array, RecordBatch, new_null_array};
use gamepipe_config::lake::LakeConfig;
use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::game::Table;
use gamepipe_service::clock::SystemClock;
use proptest::prelude::*;

use super::{Ahead, EncodedEpoch, Resume};
use crate::audit::audit;
use crate::epoch::OffsetRange;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::reader::LakeReader;
use crate::schema::column;
use crate::table_log::app_prefix;

pub(super) const PARTITIONS: u32 = 3;
pub(super) const GENERATION: &str = "g";

pub(super) fn arena() -> Arc<Game> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../games/arena");
    let read =
        |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
    let text = read("game.yaml").unwrap();
    Arc::new(Game::load("arena", &text, &read).unwrap())
}

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    /// Records arrive on a partition.
    Append { partition: usize, records: u64 },
    /// A writer lands at most this many records of each partition.
    Land { writer: usize, most: u64 },
    /// A writer lands some of an epoch's tables and is killed.
    Crash {
        writer: usize,
        most: u64,
        tables: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..PARTITIONS as usize, 1..6_u64)
            .prop_map(|(partition, records)| Step::Append { partition, records }),
        (0..2_usize, 1..5_u64).prop_map(|(writer, most)| Step::Land { writer, most }),
        (0..2_usize, 1..5_u64, 1..4_usize).prop_map(|(writer, most, tables)| Step::Crash {
            writer,
            most,
            tables
        }),
    ]
}

/// The settings of a lake in a directory.
pub(super) fn at(path: &Path) -> LakeConfig {
    LakeConfig {
        path: path.display().to_string(),
        ..LakeConfig::default()
    }
}

/// One process that lands, with what it believes.
struct Writer {
    lake: Lake,
    resume: Resume,
}

impl Writer {
    async fn start(path: &Path) -> Self {
        Self::start_with(path, &[]).await
    }

    async fn start_with(path: &Path, declared: &[Table]) -> Self {
        let lake = Lake::open_tables(&at(path), "arena", declared, Arc::new(SystemClock)).unwrap();
        lake.prepare().await.unwrap();
        let resume = lake.resume(GENERATION, PARTITIONS).await.unwrap();
        Self { lake, resume }
    }

    /// The next epoch by what this writer believes; `None` when it knows of nothing to land.
    async fn encode(&self, highs: &[u64], most: u64) -> Option<EncodedEpoch> {
        let ranges: Vec<OffsetRange> = (0..)
            .zip(self.resume.next.iter().zip(highs))
            .map(|(partition, (from, high))| {
                let to = (*high)
                    .min(from + most)
                    .max(*from)
                    .max(self.resume.ahead.reach(partition));
                OffsetRange {
                    partition,
                    from: *from,
                    to,
                }
            })
            .collect();
        let records = ranges.iter().map(|range| range.to - range.from).sum();
        let mut tables = Vec::new();
        for (number, table) in self.lake.tables().iter().enumerate() {
            let batch = rows(&self.lake, &table.table.name, number as u64, &ranges)?;
            let files = self
                .lake
                .encode(&table.table.name, vec![batch], &self.resume.ahead)
                .await
                .unwrap();
            tables.push(files);
        }
        (records > 0).then_some(EncodedEpoch {
            ranges,
            records,
            tables,
        })
    }

    async fn land(&mut self, highs: &[u64], most: u64) {
        let Some(epoch) = self.encode(highs, most).await else {
            return;
        };
        let next: Vec<u64> = epoch.ranges.iter().map(|range| range.to).collect();
        match self.lake.commit_epoch(epoch).await {
            Ok(_) => self.resume.next = next,
            Err(LakeError::Overtaken { .. } | LakeError::EpochTaken { .. }) => {
                self.resume = self.lake.resume(GENERATION, PARTITIONS).await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn crash(&self, highs: &[u64], most: u64, tables: usize) {
        let Some(epoch) = self.encode(highs, most).await else {
            return;
        };
        let prefix = app_prefix("arena", GENERATION);
        for files in epoch.tables.iter().take(tables) {
            if self
                .lake
                .commit_table(files, &epoch.ranges, &prefix)
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

/// The rows that a table takes of these slices: each offset is in the first table, every second in the second, and so on.
pub(super) fn rows(
    lake: &Lake,
    table: &str,
    number: u64,
    ranges: &[OffsetRange],
) -> Option<RecordBatch> {
    let places: Vec<(i32, i64)> = ranges
        .iter()
        .flat_map(|range| {
            (range.from..range.to).map(|offset| (range.partition as i32, offset as i64))
        })
        .filter(|(_, offset)| (*offset as u64).is_multiple_of(number + 1))
        .collect();
    let schema = &lake
        .tables()
        .iter()
        .find(|found| found.table.name == table)?
        .schema;
    let columns = schema
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            column::EVENT_DATE => Arc::new(Date32Array::from(vec![20_000; places.len()])) as _,
            column::PARTITION => Arc::new(
                places
                    .iter()
                    .map(|(partition, _)| *partition)
                    .collect::<Int32Array>(),
            ) as _,
            column::OFFSET => Arc::new(
                places
                    .iter()
                    .map(|(_, offset)| *offset)
                    .collect::<Int64Array>(),
            ) as _,
            _ => new_null_array(field.data_type(), places.len()),
        })
        .collect();
    RecordBatch::try_new(Arc::clone(schema), columns).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_offset_lands_once_through_crashes_and_rivals(steps in proptest::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut writers = [Writer::start(folder.path()).await, Writer::start(folder.path()).await];
            let mut highs = vec![0; PARTITIONS as usize];
            for step in &steps {
                match *step {
                    Step::Append { partition, records } => highs[partition] += records,
                    Step::Land { writer, most } => writers[writer].land(&highs, most).await,
                    Step::Crash { writer, most, tables } => {
                        writers[writer].crash(&highs, most, tables).await;
                        writers[writer] = Writer::start(folder.path()).await;
                    }
                }
            }
            // The first writer may have been overtaken any number of times: it learns of it, and goes on.
            for _ in 0..200 {
                writers[0].land(&highs, 10).await;
                if writers[0].resume.next == highs {
                    break;
                }
            }
            let found = audit(&writers[0].lake).await.unwrap();
            let total: u64 = highs.iter().sum();
            assert!(total == 0 || found.landed == highs, "{found:#?}");
            assert!(found.is_clean(), "{found:#?}");
        });
    }
}

#[tokio::test]
async fn rival_that_slept_is_fenced_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut awake = Writer::start(folder.path()).await;
    let asleep = Writer::start(folder.path()).await;
    let epoch = asleep.encode(&[4, 0, 0], 10).await.unwrap();
    awake.land(&[4, 0, 0], 10).await;
    let error = asleep.lake.commit_epoch(epoch).await.unwrap_err();
    assert!(
        matches!(
            error,
            LakeError::Overtaken {
                partition: 0,
                landed: 4,
                offered: 0,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn own_next_commit_sees_what_a_rival_landed_in_between() {
    // A commit of one partition is moved behind a rival's commit of another: what it passed must count from then on.
    let folder = tempfile::tempdir().unwrap();
    let mut own = Writer::start(folder.path()).await;
    let rival = Writer::start(folder.path()).await;
    let theirs = rival.encode(&[0, 10, 0], 10).await.unwrap();
    let prefix = app_prefix("arena", GENERATION);
    for files in &theirs.tables {
        rival
            .lake
            .commit_table(files, &theirs.ranges, &prefix)
            .await
            .unwrap();
    }
    own.land(&[5, 10, 0], 5).await;
    assert_eq!(
        own.resume.next,
        [0, 0, 0],
        "overtaken: it read its resume point again"
    );
    assert_eq!(own.resume.ahead.reach(1), 10);
    own.land(&[5, 10, 0], 10).await;
    let found = audit(&own.lake).await.unwrap();
    assert_eq!(found.landed, [5, 10, 0]);
    assert!(
        found.tables.iter().all(|table| table.duplicates == 0) && found.gaps.is_empty(),
        "{found:#?}"
    );
}

#[tokio::test]
async fn nothing_is_ahead_of_a_new_lake() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::start(folder.path()).await;
    assert_eq!(
        writer.resume,
        Resume {
            next: vec![0; 3],
            ahead: Ahead::default(),
            last: None
        }
    );
}

#[tokio::test]
async fn a_table_that_leaves_the_definition_keeps_its_rows_and_comes_back_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let declared = arena().tables().to_vec();
    let name = declared[0].name.clone();
    let mut with = Writer::start_with(folder.path(), &declared).await;
    with.land(&[6, 6, 6], 10).await;
    let version = with.lake.newest_epoch().await.unwrap().unwrap().versions[&name];
    assert!(version > 0);
    let mut without = Writer::start_with(folder.path(), &declared[1..]).await;
    without.land(&[9, 9, 9], 10).await;
    let found = audit(&without.lake).await.unwrap();
    assert!(found.gaps.is_empty(), "{found:#?}");
    let kept = found.tables.iter().find(|table| table.table == name);
    assert_eq!(
        kept.map(|table| table.rows == table.rows_by_epochs && table.rows > 0),
        Some(true)
    );
    assert_eq!(
        LakeReader::open(&at(folder.path()), arena())
            .unwrap()
            .cut()
            .await
            .unwrap()
            .version(&name),
        version,
        "readers still find what was landed"
    );
}
