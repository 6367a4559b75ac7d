//! Buffer: an epoch's rows, column by column, until the epoch is cut.

use std::time::Duration;

use arrow::error::ArrowError;
use gamepipe_domain::event::bad::{BAD_EVENT, BadEvent, decode_bad_event};
use gamepipe_eventlog::LogRecord;
use gamepipe_lake::LakeTable;
use gamepipe_lake::epoch::OffsetRange;

use crate::json::time::{day_of, filing_day};
use crate::messages::{BadRecord, LogSlice, RowsEpoch, bad_code};
use crate::stages::decode::{Cell, Decoder, MAX_RECORD_BYTES, envelope_cell};
use crate::stages::route::{EVENT_ID, EVENT_TIME, EVENT_TYPE, Routes};

mod base64;
pub(crate) mod columns;
mod event;

use columns::{Place, TableRows};
use event::{Event, check_size};

/// `origin` of records that can't be read when they are landed.
const ORIGIN_LOG: &str = "log";

/// When an epoch is cut.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long its first record waits.
    pub interval: Duration,
    /// How many records it has at most, give or take a slice.
    pub records: usize,
    /// How many bytes it has at most, on the log or as rows, give or take a slice.
    pub bytes: usize,
}

/// The rows of the epoch that is being gathered.
#[derive(Debug)]
pub struct Buffer {
    routes: Routes,
    decoder: Decoder,
    tables: Vec<TableRows>,
    names: Vec<String>,
    // For each partition that this process lands: from where to where the epoch reaches.
    ranges: Vec<OffsetRange>,
    records: u64,
    log_bytes: usize,
    bad_records: u64,
    scratch: String,
}

impl Buffer {
    /// An empty buffer for these tables, whose first epoch begins at `next`: partition and offset, for each that this process
    /// lands.
    pub fn new(tables: &[LakeTable], next: &[(u32, u64)]) -> Self {
        let definitions: Vec<_> = tables.iter().map(|table| &table.table).collect();
        let routes = Routes::new(&definitions);
        Self {
            decoder: Decoder::new(&routes),
            routes,
            tables: tables.iter().map(TableRows::new).collect(),
            names: tables
                .iter()
                .map(|table| table.table.name.clone())
                .collect(),
            ranges: next
                .iter()
                .map(|(partition, from)| OffsetRange::new(*partition, *from, *from))
                .collect(),
            records: 0,
            log_bytes: 0,
            bad_records: 0,
            scratch: String::new(),
        }
    }

    /// Takes a slice: each record becomes rows of its tables, or one row of `bad_events`.
    pub fn take(&mut self, slice: &LogSlice) {
        for record in &slice.records {
            self.take_record(slice.range.partition, record);
        }
        let mut ranges = self.ranges.iter_mut();
        if let Some(range) = ranges.find(|range| range.partition == slice.range.partition) {
            range.to = slice.range.to;
            range.holes += slice.range.holes;
        }
        self.records += slice.records.len() as u64;
    }

    /// True when it covers no offset. An epoch of offsets without records has no row; it moves the resume point on.
    pub fn is_empty(&self) -> bool {
        self.ranges.iter().all(|range| range.to == range.from)
    }

    /// How many records of it turned out bad so far; counts on through epochs.
    pub fn bad_records(&self) -> u64 {
        self.bad_records
    }

    /// True when the epoch must be cut for its size.
    pub fn is_full(&self, limits: &Limits) -> bool {
        let rows: usize = self.tables.iter().map(TableRows::bytes).sum();
        self.records >= limits.records as u64 || self.log_bytes.max(rows) >= limits.bytes
    }

    /// The epoch; the buffer begins the next one.
    pub fn cut(&mut self) -> Result<RowsEpoch, ArrowError> {
        let mut tables = Vec::new();
        for (name, rows) in self.names.iter().zip(&mut self.tables) {
            if rows.rows() > 0 {
                tables.push((name.clone(), rows.finish()?));
            }
        }
        let epoch = RowsEpoch {
            ranges: self.ranges.clone(),
            records: self.records,
            tables,
        };
        for range in &mut self.ranges {
            range.from = range.to;
            range.holes = 0;
        }
        self.records = 0;
        self.log_bytes = 0;
        Ok(epoch)
    }

    fn take_record(&mut self, partition: u32, record: &LogRecord) {
        self.log_bytes += record.value.len() + record.key.len();
        let place = Place {
            partition: i32::try_from(partition).unwrap_or(i32::MAX),
            offset: i64::try_from(record.offset).unwrap_or(i64::MAX),
            day: day_of(record.appended.micros()),
        };
        if let Err(bad) = self.rows_of(place, record) {
            self.bad_records += 1;
            let payload = match std::str::from_utf8(&record.value) {
                Ok(text) => text.to_owned(),
                Err(_) => base64::encode(&record.value),
            };
            self.take_bad(
                place,
                &BadEvent {
                    id: String::new(),
                    time: record.appended,
                    origin: ORIGIN_LOG.to_owned(),
                    code: bad.code.to_owned(),
                    detail: bad.detail,
                    pointer: bad.pointer,
                    payload,
                },
            );
        }
    }

    fn rows_of(&mut self, place: Place, record: &LogRecord) -> Result<(), BadRecord> {
        let text = readable(&record.value)?;
        self.decoder.decode(&self.routes, text)?;
        let decoded = self.decoder.decoded();
        let Some(plan) = self.routes.plan(decoded.plan) else {
            return Ok(());
        };
        let cell = |name| {
            envelope_cell(plan, name)
                .and_then(|number| decoded.cells.get(number))
                .copied()
        };
        if let Some(Cell::Text(event_type)) = cell(EVENT_TYPE)
            && event_type.of(text) == BAD_EVENT
        {
            let bad = decode_bad_event(&record.value).ok_or_else(|| BadRecord {
                code: bad_code::WRONG_TYPE,
                detail: format!("a record of type {BAD_EVENT} lacks one of its own fields"),
                pointer: "/_bad".to_owned(),
            })?;
            self.bad_records += 1;
            self.take_bad(
                Place {
                    day: filing_day(bad.time.micros(), record.appended.micros()),
                    ..place
                },
                &bad,
            );
            return Ok(());
        }
        let (Some(id), Some(Cell::Micros(micros))) = (cell(EVENT_ID), cell(EVENT_TIME)) else {
            return Ok(());
        };
        let place = Place {
            day: filing_day(micros, record.appended.micros()),
            ..place
        };
        for (number, target) in plan.targets.iter().enumerate() {
            check_size(&decoded, plan, target, number, text)?;
        }
        let event = Event {
            text,
            decoded,
            id,
            micros,
            place,
        };
        for (number, target) in plan.targets.iter().enumerate() {
            if let Some(rows) = self.tables.get_mut(target.table) {
                event.append(plan, target, number, rows, &mut self.scratch);
            }
        }
        Ok(())
    }

    fn take_bad(&mut self, place: Place, bad: &BadEvent) {
        if let Some(rows) = self.tables.get_mut(self.routes.bad_events) {
            rows.append_bad(place, bad);
        }
    }
}

fn readable(value: &[u8]) -> Result<&str, BadRecord> {
    let bad = |code, detail| BadRecord {
        code,
        detail,
        pointer: String::new(),
    };
    if value.is_empty() {
        return Err(bad(bad_code::EMPTY, "the record has no value".to_owned()));
    }
    if value.len() > MAX_RECORD_BYTES {
        let detail = format!(
            "{} bytes; an event has at most {MAX_RECORD_BYTES}",
            value.len()
        );
        return Err(bad(bad_code::TOO_LARGE, detail));
    }
    std::str::from_utf8(value).map_err(|error| {
        let detail = format!(
            "not UTF-8 from byte {} on; the payload is in base64",
            error.valid_up_to()
        );
        bad(bad_code::INVALID_UTF8, detail)
    })
}

#[cfg(test)]
mod tests;
