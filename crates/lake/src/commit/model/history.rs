//! What the model's processes left behind, judged from every entry that was ever written.

use std::sync::atomic::Ordering;

use gamepipe_domain::definition::system::EPOCHS;
use serde_json::Value;

use super::process::{Row, Shared, is_hole, rows_of};
use super::upkeep::table_names;
use crate::commit::Newest;
use crate::entry::{Committed, decode_entry, entry_path};
use crate::epoch::{EpochRecord, OffsetRange};
use crate::storage::simulated::World;

/// How often what the model is about has happened.
#[derive(Debug, Default)]
pub(super) struct Reached {
    epochs: u64,
    records: u64,
    restarts: u64,
    merged: u64,
    overtaken: u64,
    stale: u64,
    late: u64,
    // Intents that were put although their number was done and gone.
    void_intents: u64,
    // Entries that were put again after clean-up had taken them.
    litter: u64,
}

impl Reached {
    pub(super) fn add(&mut self, other: &Self) {
        self.epochs += other.epochs;
        self.records += other.records;
        self.restarts += other.restarts;
        self.merged += other.merged;
        self.overtaken += other.overtaken;
        self.stale += other.stale;
        self.late += other.late;
        self.void_intents += other.void_intents;
        self.litter += other.litter;
    }

    /// A model that never gets into the trouble that it is about proves nothing.
    pub(super) fn assert_everything_was_reached(&self) {
        let counts = [
            self.epochs,
            self.records,
            self.restarts,
            self.merged,
            self.overtaken,
            self.stale,
            self.late,
            self.void_intents,
            self.litter,
        ];
        assert!(counts.iter().all(|count| *count > 0), "{self:?}");
    }
}

/// One entry, with the rows of the files that it adds.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) committed: Committed,
    pub(super) adds: Vec<(String, Vec<Row>)>,
    removes: Vec<String>,
}

/// A table's log as it was first written, whatever was removed or put again later.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) entries: Vec<Written>,
}

impl Tables {
    pub(super) fn of(world: &World, table: &str) -> Self {
        let written = world.written();
        let path = |version: u64| format!("{table}/{}", entry_path(version));
        let entries = (0..)
            .map_while(|version| written.get(&path(version))?.first())
            .map(|text| read(text))
            .collect();
        Self { entries }
    }
}

fn read(text: &[u8]) -> Written {
    let committed = decode_entry(text).unwrap();
    let (mut adds, mut removes) = (Vec::new(), Vec::new());
    for line in text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let action: Value = serde_json::from_slice(line).unwrap();
        if let Some(add) = action.get("add") {
            let rows = serde_json::from_str(add["stats"].as_str().unwrap());
            // The row of an epoch is in a real file.
            let own = || vec![(u32::MAX, committed.epoch.as_ref().unwrap().epoch)];
            adds.push((
                add["path"].as_str().unwrap().to_owned(),
                rows.unwrap_or_else(|_| own()),
            ));
        }
        if let Some(remove) = action.get("remove") {
            removes.push(remove["path"].as_str().unwrap().to_owned());
        }
    }
    Written {
        committed,
        adds,
        removes,
    }
}

/// The files of a table at a version, oldest first, with their rows.
pub(super) fn live(world: &World, table: &str, version: u64) -> Vec<(String, Vec<Row>)> {
    let mut live = Vec::new();
    for entry in Tables::of(world, table)
        .entries
        .iter()
        .take(version as usize + 1)
    {
        advance(&mut live, entry);
    }
    live
}

fn advance(live: &mut Vec<(String, Vec<Row>)>, entry: &Written) {
    for path in &entry.removes {
        let before = live.len();
        live.retain(|(own, _)| own != path);
        assert_eq!(
            live.len(),
            before - 1,
            "{path} was removed without being there"
        );
    }
    live.extend(entry.adds.iter().cloned());
}

/// The newest epoch that so many epochs follow.
pub(super) fn epoch_before_newest(world: &World, epochs: u64) -> Option<Newest> {
    let entries = Tables::of(world, EPOCHS).entries;
    let all: Vec<Newest> = (0..)
        .zip(entries)
        .filter_map(|(version, entry)| {
            let record = entry.committed.epoch?;
            Some(Newest { version, record })
        })
        .collect();
    let newest = all.last()?.record.epoch;
    all.into_iter()
        .rev()
        .find(|epoch| epoch.record.epoch + epochs <= newest)
}

/// Checks all of history: epochs without gaps, each a consistent cut; all records landed once; no file missing.
pub(super) fn check(shared: &Shared, restarts: u64) -> Reached {
    let world = &shared.world;
    let tables: Vec<(String, Tables)> = table_names()
        .into_iter()
        .map(|name| (name.clone(), Tables::of(world, &name)))
        .collect();
    let epochs: Vec<EpochRecord> = Tables::of(world, EPOCHS)
        .entries
        .into_iter()
        .filter_map(|entry| entry.committed.epoch)
        .collect();
    check_chain(&epochs);
    let highs = shared.highs.lock().unwrap().clone();
    let landed: Vec<u64> = epochs.last().map_or_else(
        || vec![0; highs.len()],
        |last| last.ranges.iter().map(|range| range.to).collect(),
    );
    assert_eq!(landed, highs, "everything has landed");
    for (index, (name, table)) in tables.iter().enumerate() {
        if name != EPOCHS {
            check_cuts(index, name, table, &epochs);
        }
    }
    check_epoch_rows(world, epochs.len() as u64);
    check_files(shared, &tables);
    let (litter, void_intents) = check_rewritten(world);
    Reached {
        epochs: epochs.len() as u64,
        records: epochs.iter().map(|epoch| epoch.records).sum(),
        restarts,
        merged: shared.merged.load(Ordering::Relaxed),
        overtaken: shared.overtaken.load(Ordering::Relaxed),
        stale: shared.stale.load(Ordering::Relaxed),
        late: shared.late.load(Ordering::Relaxed),
        void_intents,
        litter,
    }
}

fn check_chain(epochs: &[EpochRecord]) {
    let mut next: Vec<u64> = Vec::new();
    for (number, epoch) in (1..).zip(epochs) {
        assert_eq!(epoch.epoch, number);
        next.resize(epoch.ranges.len(), 0);
        for (next, range) in next.iter_mut().zip(&epoch.ranges) {
            assert_eq!(range.from, *next, "epoch {number}");
            let holes = (range.from..range.to).filter(|offset| is_hole(*offset));
            assert_eq!(range.holes, holes.count() as u64);
            *next = range.to;
        }
        let records: u64 = epoch.ranges.iter().map(OffsetRange::records).sum();
        assert_eq!(records, epoch.records);
    }
}

/// At the version that an epoch names a table has exactly the rows of all slices up to it.
fn check_cuts(index: usize, name: &str, table: &Tables, epochs: &[EpochRecord]) {
    let (mut live, mut read) = (Vec::new(), 0);
    let mut expected: Vec<Row> = Vec::new();
    for epoch in epochs {
        let entries = epoch
            .versions
            .get(name)
            .map_or(0, |version| *version as usize + 1);
        assert!(
            entries >= read || entries == 0,
            "{name} goes back in epoch {}",
            epoch.epoch
        );
        for entry in table.entries.iter().take(entries).skip(read) {
            advance(&mut live, entry);
        }
        read = read.max(entries);
        let before = expected.len();
        expected.extend(epoch.ranges.iter().flat_map(|range| rows_of(index, range)));
        let new = (expected.len() - before) as u64;
        assert_eq!(epoch.rows.get(name).copied().unwrap_or(0), new);
        let mut rows: Vec<Row> = live.iter().flat_map(|(_, rows)| rows.clone()).collect();
        rows.sort_unstable();
        expected.sort_unstable();
        assert_eq!(rows, expected, "{name} after epoch {}", epoch.epoch);
    }
    for entry in table.entries.iter().skip(read) {
        let what = &entry.committed;
        assert!(
            what.txns.is_empty() && entry.adds.is_empty(),
            "{name}: {what:?}"
        );
    }
}

/// Each epoch has one row in `_epochs`, whatever was merged there.
fn check_epoch_rows(world: &World, epochs: u64) {
    let mut rows: Vec<u64> = live(world, EPOCHS, u64::from(u32::MAX))
        .iter()
        .flat_map(|(_, rows)| rows.iter().map(|(_, epoch)| *epoch))
        .collect();
    rows.sort_unstable();
    assert_eq!(rows, (1..=epochs).collect::<Vec<_>>());
}

/// No file that ever was part of a version was taken by vacuum.
fn check_files(shared: &Shared, tables: &[(String, Tables)]) {
    let files = shared.world.files();
    for (name, table) in tables {
        for (path, _) in table.entries.iter().flat_map(|entry| &entry.adds) {
            assert!(
                files.contains_key(&format!("{name}/{path}")),
                "{name}/{path} is gone"
            );
        }
    }
}

/// What was put under a name that was free again: entries must be commits that are in the log already, there or further on.
/// Counts them, and such intents.
fn check_rewritten(world: &World) -> (u64, u64) {
    let (mut litter, mut void) = (0, 0);
    let written = world.written();
    let entries = written
        .iter()
        .filter(|(path, texts)| path.ends_with(".json") && texts.len() > 1);
    for (path, texts) in entries {
        if path.contains("_intents/") {
            void += texts.len() as u64 - 1;
            continue;
        }
        litter += texts.len() as u64 - 1;
        let (table, _) = path.split_once('/').unwrap();
        for text in texts {
            let again = decode_entry(text).unwrap();
            let is_known = written
                .range(path.clone()..)
                .take_while(|(later, _)| later.starts_with(table))
                .any(|(_, texts)| decode_entry(&texts[0]).is_ok_and(|first| first.id == again.id));
            // New columns that were too late are added again at the next look; a merge that all others left out, because of
            // a change that it would have met there, is left out by readers too.
            let is_harmless = again.metadata.is_some() || !again.removed.is_empty();
            assert!(is_known || is_harmless, "{path} became another commit");
        }
    }
    (litter, void)
}
