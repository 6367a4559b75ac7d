//! What happens in the model beside landing: files are merged and columns added by processes as they do it, logs are cleaned
//! up and orphans removed behind everybody's back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gamepipe_domain::definition::system::EPOCHS;
use serde_json::json;

use super::Random;
use super::history::{self, Tables};
use super::process::{Shared, store};
use crate::commit::proposal::{Merge, Proposal};
use crate::commit::{base_version, is_past_naming};
use crate::entry::{Entry, Operation, Remove, entry_path};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::maintenance::EPOCHS_UNTOUCHED;
use crate::schema::with_system_tables;
use crate::storage::simulated::{Client, World};
use crate::table_log::Fence;

/// How many files are merged at a time.
const MERGED: usize = 3;
/// A process rests for this many turns between two rounds, at most.
const REST: u64 = 60;

/// All tables, `_epochs` last.
pub(super) fn table_names() -> Vec<String> {
    let tables = with_system_tables(&[]);
    let names = tables.iter().map(|table| table.name.clone());
    names.chain([EPOCHS.to_owned()]).collect()
}

pub(super) fn make_tables(world: &World) {
    for table in table_names() {
        let made = Entry::new(format!("made-{table}"), Operation::Create, 0);
        world.put(&format!("{table}/{}", entry_path(0)), made.encode());
    }
}

/// Merges files and adds columns now and then, until the end.
pub(super) async fn run(shared: Arc<Shared>, lake: Arc<Lake>, client: Arc<Client>) {
    while !shared.finishing() {
        let (rest, kind) = {
            let mut random = shared.random.lock().unwrap();
            (random.below(REST), random.below(4))
        };
        for _ in 0..rest {
            client.turn().await;
        }
        let done = match kind {
            0 => grow(&lake).await,
            _ => merge(&shared, &lake).await,
        };
        if let Err(error) = done {
            shared.take_note(&error);
        }
    }
}

/// As a new definition does: an entry that has no rows.
async fn grow(lake: &Lake) -> Result<(), LakeError> {
    let names = table_names();
    let index = usize::try_from(lake.clock.seed()).unwrap_or(0) % names.len();
    let log = lake.log(&names[index])?;
    let Some(newest) = log.newest().await? else {
        return Ok(());
    };
    log.learn(newest).await;
    let mut entry = Entry::new(lake.new_id(), Operation::AddColumns, 0);
    entry.metadata = Some(json!({ "id": entry.id }));
    log.place(Some(newest), &entry, Fence::Everything).await?;
    Ok(())
}

async fn merge(shared: &Shared, lake: &Lake) -> Result<(), LakeError> {
    let Some(newest) = lake.newest_to_maintain().await? else {
        return Ok(());
    };
    let begun = lake.known_epoch.load(Ordering::Relaxed);
    let mut merges = Vec::new();
    for table in table_names() {
        let version = base_version(Some(&newest), &table);
        // Entries that an epoch names never change.
        let live = history::live(&shared.world, &table, version);
        let chosen: Vec<_> = live.into_iter().take(MERGED).collect();
        if chosen.len() < 2 {
            continue;
        }
        let rows: Vec<_> = chosen.iter().flat_map(|(_, rows)| rows.clone()).collect();
        let mut add = store(lake, &table, &rows, begun).await?;
        add.data_change = false;
        merges.push(Merge {
            table,
            at: version,
            adds: vec![add],
            removes: chosen.into_iter().map(|(path, _)| removed(path)).collect(),
            begun,
        });
    }
    let mut proposal = Proposal::Merges(merges);
    if lake.land(&mut proposal).await?.is_some() {
        shared.merged.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn removed(path: String) -> Remove {
    Remove {
        path,
        deletion_timestamp: 0,
        data_change: false,
        extended_file_metadata: true,
        partition_values: BTreeMap::new(),
        size: 1,
    }
}

/// Hours go by: entries of logs that a checkpoint covers go, each as it comes. As maintenance does it, the checkpoint is at
/// the versions of an epoch that some others follow.
pub(super) fn clean_up(world: &World, random: &mut Random) {
    let Some(settled) = history::epoch_before_newest(world, EPOCHS_UNTOUCHED) else {
        return;
    };
    for table in table_names() {
        let version = base_version(Some(&settled), &table);
        world.put(
            &format!("{table}/_delta_log/{version:020}.checkpoint.parquet"),
            Vec::new(),
        );
        for old in 0..version {
            if random.below(4) > 0 {
                world
                    .files()
                    .remove(&format!("{table}/{}", entry_path(old)));
            }
        }
    }
}

/// A vacuum that is slow: what it found to be orphans it removes much later.
#[derive(Debug, Default)]
pub(super) struct Vacuum {
    orphans: Vec<String>,
}

impl Vacuum {
    pub(super) fn step(&mut self, world: &World) {
        for path in self.orphans.drain(..) {
            world.files().remove(&path);
        }
        let Some(newest) = history::epoch_before_newest(world, 0) else {
            return;
        };
        // Not only what is live: queries read older versions for a while.
        let mut named = BTreeSet::new();
        for table in table_names() {
            for entry in Tables::of(world, &table).entries {
                named.extend(
                    entry
                        .adds
                        .into_iter()
                        .map(|(path, _)| format!("{table}/{path}")),
                );
            }
        }
        let files = world.files();
        let data = files.keys().filter(|path| {
            path.ends_with(".parquet") && !path.contains("_delta_log") && !named.contains(*path)
        });
        self.orphans = data
            .filter(|path| is_past_naming(path, newest.record.epoch))
            .cloned()
            .collect();
    }
}
