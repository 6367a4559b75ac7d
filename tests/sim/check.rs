//! Is everything there once, and nothing else? Worked out from the log's own memory and from the rows in Parquet, and only then
//! compared with what the product's audit says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use gamepipe_lake::Lake;
use gamepipe_lake::audit::audit;
use gamepipe_lake::epoch::OffsetRange;
use gamepipe_tests::random::Random;

use crate::appender::Ledger;
use crate::events::rows_of;
use crate::process::Scene;
use crate::reader::Sighting;

/// Where a row comes from: partition, offset, number of the row.
type Place = (u32, u64, u32);

/// The tables with events' rows that anything leads to.
pub(crate) const TABLES: [&str; 4] = ["everything", "purchases", "other_events", "bad_events"];

/// An epoch as its row in `_epochs` has it.
#[derive(Debug)]
struct Epoch {
    ranges: Vec<OffsetRange>,
    records: u64,
}

/// Everything that must be in the lake.
#[derive(Debug, Default)]
struct Truth {
    /// Table -> place -> event id.
    rows: BTreeMap<&'static str, BTreeMap<Place, String>>,
    highs: Vec<u64>,
    records: u64,
}

impl Truth {
    fn of(scene: &Scene) -> Self {
        let mut truth = Self::default();
        for (partition, values) in (0..).zip(scene.log.ever()) {
            truth.highs.push(values.len() as u64);
            for (offset, value) in (0..).zip(&values) {
                let Some(value) = value else { continue };
                truth.records += 1;
                let (id, rows) = rows_of(value);
                for (table, count) in rows {
                    let table = truth.rows.entry(table).or_default();
                    table.extend((0..count).map(|row| ((partition, offset, row), id.clone())));
                }
            }
        }
        truth
    }

    /// How many rows a table has of what is below these offsets.
    fn rows_below(&self, table: &str, ends: &[OffsetRange]) -> u64 {
        let is_below = |(partition, offset, _): &&Place| {
            ends.get(*partition as usize)
                .is_some_and(|range| *offset < range.to)
        };
        let rows = self.rows.get(table).map(BTreeMap::keys);
        rows.into_iter().flatten().filter(is_below).count() as u64
    }
}

/// Checks a lake in which all of the log has landed; returns how many epochs it has.
pub(crate) async fn check(scene: &Scene, ledger: &Ledger, seen: &[Sighting]) -> Result<u64> {
    let truth = Truth::of(scene);
    let lake = scene.lake(&scene.calm_link(), &mut Random::from_seed(1))?;
    check_promises(scene, ledger)?;
    for table in TABLES {
        check_table(&lake, table, &truth)
            .await
            .with_context(|| format!("table {table}"))?;
    }
    let epochs = check_epochs(&lake, &truth).await.context("_epochs")?;
    for sighting in seen {
        let ranges = epochs
            .get(sighting.epoch as usize)
            .map(|epoch| &epoch.ranges[..]);
        let expected = truth.rows_below(sighting.table, ranges.unwrap_or_default());
        ensure!(
            sighting.rows == expected,
            "a reader saw {sighting:?}, not {expected} rows"
        );
    }
    let found = audit(&lake).await?;
    ensure!(found.is_clean(), "the audit is at odds: {found:#?}");
    ensure!(
        (found.records, &found.landed) == (truth.records, &truth.highs),
        "the audit counts {} records up to {:?}, not {} up to {:?}",
        found.records,
        found.landed,
        truth.records,
        truth.highs
    );
    Ok(epochs.len() as u64 - 1)
}

/// What the log acknowledged is on it where it said, once.
fn check_promises(scene: &Scene, ledger: &Ledger) -> Result<()> {
    let ever = scene.log.ever();
    let mut ids = BTreeSet::new();
    for value in ever.iter().flatten().flatten() {
        let (id, _) = rows_of(value);
        ensure!(ids.insert(id.clone()), "{id} is on the log twice");
    }
    for (id, place) in ledger.acknowledged() {
        let value = ever
            .get(place.partition as usize)
            .and_then(|values| values.get(place.offset as usize)?.as_ref());
        let found = value.map(|value| rows_of(value).0);
        ensure!(
            found.as_ref() == Some(&id),
            "{id} is not at {place:?} of the log"
        );
    }
    Ok(())
}

async fn check_table(lake: &Lake, table: &'static str, truth: &Truth) -> Result<()> {
    let mut missing = truth.rows.get(table).cloned().unwrap_or_default();
    let mut problems = Vec::new();
    for batch in read(lake, table).await? {
        for index in 0..batch.num_rows() {
            let place = place(&batch, index)?;
            let id = text(&batch, "_event_id", index);
            match missing.remove(&place) {
                // What is no event has no id, and lands with its text.
                Some(_) if table == "bad_events" => {}
                Some(expected) if id.as_ref() == Some(&expected) => {}
                other => problems.push(format!("{place:?} of {id:?}, expected {other:?}")),
            }
        }
    }
    let lost: Vec<_> = missing.into_iter().take(20).collect();
    problems.truncate(20);
    ensure!(
        problems.is_empty(),
        "rows twice, or invented: {problems:?}; lost: {lost:?}"
    );
    ensure!(lost.is_empty(), "lost: {lost:?}");
    Ok(())
}

/// All epochs by number; the one of number 0 holds nothing.
async fn check_epochs(lake: &Lake, truth: &Truth) -> Result<Vec<Epoch>> {
    let mut found = BTreeMap::new();
    for batch in read(lake, "_epochs").await? {
        for index in 0..batch.num_rows() {
            let epoch = Epoch {
                ranges: serde_json::from_str(&text(&batch, "ranges", index).unwrap_or_default())?,
                records: number(&batch, "records", index)?,
            };
            let number = number(&batch, "epoch", index)?;
            ensure!(
                found.insert(number, epoch).is_none(),
                "epoch {number} is there twice"
            );
        }
    }
    let nothing = truth.highs.iter().map(|_| OffsetRange::new(0, 0, 0));
    let mut epochs = vec![Epoch {
        ranges: nothing.collect(),
        records: 0,
    }];
    for (number, epoch) in found {
        ensure!(
            number == epochs.len() as u64,
            "epoch {} is missing",
            epochs.len()
        );
        let before = epochs.last().map_or(&[][..], |before| &before.ranges);
        let joins = epoch.ranges.len() == before.len()
            && epoch
                .ranges
                .iter()
                .zip(before)
                .all(|(own, before)| own.from == before.to);
        ensure!(
            joins,
            "epoch {number} does not go on where {before:?} ended: {epoch:?}"
        );
        epochs.push(epoch);
    }
    let records: u64 = epochs.iter().map(|epoch| epoch.records).sum();
    ensure!(
        records == truth.records,
        "{records} records, not {}",
        truth.records
    );
    let last = epochs.last().map_or(&[][..], |last| &last.ranges);
    let ends: Vec<u64> = last.iter().map(|range| range.to).collect();
    ensure!(
        ends == truth.highs,
        "they end at {ends:?}, not at {:?}",
        truth.highs
    );
    Ok(epochs)
}

/// The rows of a table's files at its newest version.
async fn read(lake: &Lake, table: &str) -> Result<Vec<RecordBatch>> {
    let (files, schema) = lake.newest_files(table).await?;
    let kept = schema
        .fields()
        .iter()
        .filter(|field| field.name() != "_event_date");
    let schema = Arc::new(arrow::datatypes::Schema::new(
        kept.cloned().collect::<Vec<_>>(),
    ));
    let mut batches = Vec::new();
    for (file, _) in files {
        let read = file.read(&schema).await;
        batches.extend(read.with_context(|| format!("{} of a version", file.path()))?);
    }
    Ok(batches)
}

fn place(batch: &RecordBatch, index: usize) -> Result<Place> {
    let partition = batch
        .column_by_name("_partition")
        .context("no _partition")?;
    let row = batch.column_by_name("_row");
    let row = row.map_or(0, |rows| rows.as_primitive::<Int32Type>().value(index));
    let partition = partition.as_primitive::<Int32Type>().value(index);
    let offset = number(batch, "_offset", index)?;
    Ok((u32::try_from(partition)?, offset, u32::try_from(row)?))
}

fn number(batch: &RecordBatch, column: &str, index: usize) -> Result<u64> {
    let values = batch
        .column_by_name(column)
        .context("a column is missing")?;
    Ok(u64::try_from(
        values.as_primitive::<Int64Type>().value(index),
    )?)
}

fn text(batch: &RecordBatch, column: &str, index: usize) -> Option<String> {
    let values = batch.column_by_name(column)?.as_string_opt::<i32>()?;
    values
        .is_valid(index)
        .then(|| values.value(index).to_owned())
}

/// A log that is not the one that was landed, or is not whole any more, is refused, and the lake stays as it is.
pub(crate) async fn check_refusals(scene: &Scene) -> Result<()> {
    let before = scene.world.listing().await;
    let cases = [
        ("made anew", scene.log.made_anew()),
        ("without its end", scene.log.without_its_end()),
        ("with a gap", scene.log.with_a_gap()),
    ];
    for (what, log) in cases {
        let scene = Scene {
            log: Arc::new(log),
            ..scene.clone()
        };
        match scene.prepare().await {
            Err(error) if error.is_final() => {}
            other => bail!("a log {what} was met with {other:?}"),
        }
    }
    let files = |listing: Vec<_>| -> BTreeSet<_> {
        let is_probe =
            |(path, _, _): &(object_store::path::Path, _, _)| path.as_ref().starts_with("_probe");
        listing.into_iter().filter(|file| !is_probe(file)).collect()
    };
    let after = scene.world.listing().await;
    ensure!(files(before) == files(after), "the lake was changed");
    Ok(())
}
