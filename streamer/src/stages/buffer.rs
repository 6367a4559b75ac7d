//! Buffer: an epoch's rows, column by column, until the epoch is cut.

use std::time::Duration;

use arrow::error::ArrowError;
use gamepipe_domain::event::bad::{BAD_EVENT, BadEvent, decode_bad_event};
use gamepipe_eventlog::LogRecord;
use gamepipe_lake::LakeTable;
use gamepipe_lake::commit::Ahead;
use gamepipe_lake::epoch::OffsetRange;

use crate::json::time::{day_of, filing_day};
use crate::messages::{BadRecord, LogSlice, RowsEpoch, bad_code};
use crate::stages::decode::{
    Cell, Decoded, Decoder, MAX_RECORD_BYTES, MAX_ROWS_PER_EVENT, envelope_cell,
};
use crate::stages::route::{EVENT_ID, EVENT_TIME, EVENT_TYPE, Plan, Routes, Source, Target};

mod base64;
pub(crate) mod columns;

use columns::{Place, TableRows};

/// The most text that the rows of one event may repeat in one table: a record of [`MAX_RECORD_BYTES`] with thousands of
/// items, in a table that keeps the raw event, would otherwise fill the memory.
const MAX_REPEATED_BYTES: usize = 64 << 20;
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
    // For each partition: from where to where the epoch reaches.
    ranges: Vec<OffsetRange>,
    // For each partition: how far the first epoch must reach, because tables hold rows up to there.
    reach: Vec<u64>,
    records: u64,
    log_bytes: usize,
    bad_records: u64,
    scratch: String,
}

impl Buffer {
    /// An empty buffer for these tables, whose first epoch begins at `next` (an offset for each partition) and must cover
    /// all that tables are `ahead`.
    pub fn new(tables: &[LakeTable], next: &[u64], ahead: &Ahead) -> Self {
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
            ranges: (0..)
                .zip(next)
                .map(|(partition, from)| OffsetRange {
                    partition,
                    from: *from,
                    to: *from,
                })
                .collect(),
            reach: (0..)
                .zip(next)
                .map(|(partition, _)| ahead.reach(partition))
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
        if let Some(range) = self.ranges.get_mut(slice.range.partition as usize) {
            range.to = slice.range.to;
        }
        self.records += slice.records.len() as u64;
    }

    /// True when no record is in it.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// True when the epoch covers all that tables were ahead at the start: before, it must not be cut.
    pub fn may_be_cut(&self) -> bool {
        !self.is_empty()
            && self
                .ranges
                .iter()
                .zip(&self.reach)
                .all(|(range, reach)| range.to >= *reach)
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

/// Refuses an event whose rows would repeat too much of it. A table that keeps the record, or its long texts, in each row.
fn check_size(
    decoded: &Decoded<'_>,
    plan: &Plan,
    target: &Target,
    number: usize,
    text: &str,
) -> Result<(), BadRecord> {
    let rows = decoded
        .items
        .get(number)
        .map_or(1, |items| items.rows.max(1));
    if rows == 1 {
        return Ok(());
    }
    let of_column = |source: &Source| match source {
        Source::Raw => text.len(),
        Source::Cell(cell) => match decoded.cells.get(*cell) {
            Some(Cell::Text(span) | Cell::Escaped(span)) => span.len(),
            _ => 0,
        },
        Source::Item(_) => 0,
    };
    let columns: usize = target.columns.iter().map(of_column).sum();
    let extras = decoded.shape.extras.get(number).map_or(0, |extras| {
        extras
            .iter()
            .filter_map(|place| decoded.members.get(*place))
            .map(|member| member.json(text).len())
            .sum()
    });
    if (columns + extras).saturating_mul(rows) <= MAX_REPEATED_BYTES {
        return Ok(());
    }
    let list = target
        .rows
        .as_ref()
        .and_then(|rows| plan.names.get(rows.list));
    Err(BadRecord {
        code: bad_code::TOO_MANY_ROWS,
        detail: format!(
            "{rows} rows would repeat {} bytes of the event; at most {MAX_REPEATED_BYTES} (and {MAX_ROWS_PER_EVENT} rows) are made",
            (columns + extras).saturating_mul(rows)
        ),
        pointer: list.map(|list| format!("/{list}")).unwrap_or_default(),
    })
}

/// A decoded event, on its way into tables.
struct Event<'a> {
    text: &'a str,
    decoded: Decoded<'a>,
    id: Cell,
    micros: i64,
    place: Place,
}

impl Event<'_> {
    fn append(
        &self,
        plan: &Plan,
        target: &Target,
        number: usize,
        rows: &mut TableRows,
        scratch: &mut String,
    ) {
        let items = self
            .decoded
            .items
            .get(number)
            .filter(|items| items.rows > 0);
        let width = target.rows.as_ref().map_or(0, |rows| rows.cells.len());
        for row in 0..items.map_or(1, |items| items.rows) {
            for (source, column) in target.columns.iter().zip(rows.columns_mut()) {
                let cell = match source {
                    Source::Cell(cell) => self.decoded.cells.get(*cell),
                    Source::Item(cell) => {
                        items.and_then(|items| items.cells.get(row * width + cell))
                    }
                    Source::Raw => {
                        column.push_text(self.text);
                        continue;
                    }
                };
                column.push(cell.copied().unwrap_or(Cell::Null), self.text, scratch);
            }
            let extra = items
                .and_then(|items| items.extras.get(row))
                .filter(|extra| !extra.is_empty());
            let has_extra = self.extra(plan, target, number, extra, scratch);
            let row = i32::try_from(row).unwrap_or(i32::MAX);
            rows.end_row(
                self.place,
                self.micros,
                row,
                has_extra.then_some(scratch.as_str()),
            );
            rows.push_id(self.id, self.text, scratch);
        }
    }

    /// Puts the row's `_extra` into `out`; false when there is none.
    fn extra(
        &self,
        plan: &Plan,
        target: &Target,
        number: usize,
        of_item: Option<&String>,
        out: &mut String,
    ) -> bool {
        let extras = self
            .decoded
            .shape
            .extras
            .get(number)
            .map_or(&[][..], Vec::as_slice);
        if extras.is_empty() && of_item.is_none() && !target.type_to_extra {
            return false;
        }
        out.clear();
        out.push('{');
        let next = |out: &mut String| {
            if out.len() > 1 {
                out.push(',');
            }
        };
        let of_type = self
            .decoded
            .shape
            .names
            .iter()
            .position(|name| *name == Some(EVENT_TYPE));
        let of_type = of_type.filter(|_| target.type_to_extra);
        for member in of_type
            .iter()
            .chain(extras)
            .filter_map(|place| self.decoded.members.get(*place))
        {
            next(out);
            out.push_str(member.json(self.text));
        }
        let list = target
            .rows
            .as_ref()
            .and_then(|rows| plan.names.get(rows.list));
        if let (Some(members), Some(list)) = (of_item, list) {
            next(out);
            // A definition's names have no characters that JSON would escape.
            out.push('"');
            out.push_str(list);
            out.push_str("\":{");
            out.push_str(members);
            out.push('}');
        }
        out.push('}');
        true
    }
}

#[cfg(test)]
mod tests;
