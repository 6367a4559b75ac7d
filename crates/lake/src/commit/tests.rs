//! The commit protocol under crashes and rivals: whatever happens in whatever order, each offset lands once.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Date32Array, Int32Array, Int64Array, RecordBatch, new_null_array};
use gamepipe_config::lake::LakeConfig;
use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::game::Table;
use gamepipe_service::clock::SystemClock;
use proptest::prelude::*;

use super::{EncodedEpoch, MAX_EPOCHS_WAITING, Resume, is_past_naming};
use crate::audit::audit;
use crate::epoch::OffsetRange;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::reader::LakeReader;
use crate::schema::column;

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
    /// A writer decides on an epoch, lands some of its tables, and is killed.
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
        (0..2_usize, 1..5_u64, 0..4_usize).prop_map(|(writer, most, tables)| Step::Crash {
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
                let to = (*high).min(from + most).max(*from);
                OffsetRange::new(partition, *from, to)
            })
            .collect();
        let records = ranges.iter().map(OffsetRange::records).sum();
        let mut tables = Vec::new();
        for (number, table) in self.lake.tables().iter().enumerate() {
            let batch = rows(&self.lake, &table.table.name, number as u64, &ranges)?;
            tables.push(
                self.lake
                    .encode(&table.table.name, vec![batch])
                    .await
                    .unwrap(),
            );
        }
        (records > 0).then_some(EncodedEpoch {
            ranges,
            records,
            tables,
            passes_gaps: false,
        })
    }

    async fn land(&mut self, highs: &[u64], most: u64) {
        let Some(epoch) = self.encode(highs, most).await else {
            return;
        };
        let next: Vec<u64> = epoch.ranges.iter().map(|range| range.to).collect();
        match self.lake.commit_epoch(epoch).await {
            Ok(_) => self.resume.next = next,
            Err(error) if error.is_lost_race() => {
                self.resume = self.lake.resume(GENERATION, PARTITIONS).await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn crash(&self, highs: &[u64], most: u64, tables: usize) {
        let Some(epoch) = self.encode(highs, most).await else {
            return;
        };
        let landing = self.lake.landing.lock().await;
        let Ok(Some(intent)) = self.lake.intent_of(&landing, &mut epoch.into()).await else {
            return;
        };
        if !self.lake.put_intent(&intent).await.unwrap()
            || self.lake.intents().await.unwrap().last() != Some(&intent.epoch)
        {
            return;
        }
        for table in intent.tables.iter().take(tables) {
            let newest = landing.newest.as_ref();
            self.lake.roll_table(newest, &intent, table).await.unwrap();
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
    let overtaken = matches!(
        error,
        LakeError::Overtaken {
            partition: 0,
            landed: 4,
            offered: 0,
        }
    );
    assert!(overtaken && error.is_lost_race(), "{error}");
}

#[tokio::test]
async fn epochs_of_different_partitions_follow_one_another_without_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let writers = [
        Writer::start(folder.path()).await,
        Writer::start(folder.path()).await,
        Writer::start(folder.path()).await,
    ];
    let mut epochs = Vec::new();
    for (partition, writer) in writers.iter().enumerate() {
        let mut highs = [0; 3];
        highs[partition] = 5;
        epochs.push(writer.encode(&highs, 10).await.unwrap());
    }
    let landing = writers.iter().zip(epochs);
    let landed = landing.map(|(writer, epoch)| writer.lake.commit_epoch(epoch));
    let mut numbers: Vec<u64> = futures::future::join_all(landed)
        .await
        .into_iter()
        .map(|record| record.unwrap().epoch)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
    let found = audit(&writers[0].lake).await.unwrap();
    assert!(found.is_clean() && found.landed == [5, 5, 5], "{found:#?}");
}

#[tokio::test]
async fn epoch_that_a_crash_left_undone_is_named_and_finished_by_the_next_start() {
    for tables in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let killed = Writer::start(folder.path()).await;
        killed.crash(&[6, 0, 2], 10, tables).await;
        let found = audit(&killed.lake).await.unwrap();
        assert_eq!((found.under_way, found.landed.len()), (Some(1), 0));
        assert!(found.is_clean(), "{found:#?}");
        let next = Writer::start(folder.path()).await;
        assert_eq!(next.resume.next, [6, 0, 2]);
        let found = audit(&next.lake).await.unwrap();
        assert!(found.is_clean() && found.under_way.is_none(), "{found:#?}");
    }
}

#[tokio::test]
async fn epoch_that_would_pass_over_records_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::start(folder.path()).await;
    writer.resume.next[1] = 3;
    let epoch = writer.encode(&[0, 5, 0], 10).await.unwrap();
    let error = writer.lake.commit_epoch(epoch).await.unwrap_err();
    assert!(matches!(
        error,
        LakeError::Hole {
            partition: 1,
            landed: 0,
            offered: 3
        }
    ));
}

#[tokio::test]
async fn rows_without_an_intent_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let killed = Writer::start(folder.path()).await;
    killed.crash(&[6, 0, 2], 10, 1).await;
    std::fs::remove_dir_all(folder.path().join("_epochs/_intents")).unwrap();
    let error = killed
        .lake
        .resume(GENERATION, PARTITIONS)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, LakeError::Undecided { version: 1, .. }),
        "{text}"
    );
    assert!(text.contains("_epochs/_intents"), "{text}");
}

#[tokio::test]
async fn files_that_waited_too_long_are_not_named_and_vacuum_may_take_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut busy = Writer::start(folder.path()).await;
    let slow = Writer::start(folder.path()).await;
    let epoch = slow.encode(&[0, 5, 0], 10).await.unwrap();
    let file = epoch.tables[0].adds[0].path.clone();
    for high in 1..=MAX_EPOCHS_WAITING + 2 {
        assert!(!is_past_naming(
            &file,
            busy.lake
                .newest_epoch()
                .await
                .unwrap()
                .map_or(0, |newest| newest.epoch)
        ));
        busy.land(&[high, 0, 0], 10).await;
    }
    assert!(is_past_naming(
        &file,
        busy.lake.newest_epoch().await.unwrap().unwrap().epoch
    ));
    let error = slow.lake.commit_epoch(epoch).await.unwrap_err();
    assert!(
        matches!(error, LakeError::Stale { .. }) && error.is_lost_race(),
        "{error}"
    );
}

#[tokio::test]
async fn new_lake_begins_at_the_first_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::start(folder.path()).await;
    assert_eq!(
        writer.resume,
        Resume {
            next: vec![0; 3],
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
