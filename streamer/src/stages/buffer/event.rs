//! One decoded event becomes its rows.

use super::columns::{Place, TableRows};
use crate::messages::{BadRecord, bad_code};
use crate::stages::decode::{Cell, Decoded, MAX_ROWS_PER_EVENT};
use crate::stages::route::{EVENT_TYPE, Plan, Source, Target};

/// The most text that the rows of one event may repeat in one table: a record of [`MAX_RECORD_BYTES`] with thousands of
/// items, in a table that keeps the raw event, would otherwise fill the memory.
const MAX_REPEATED_BYTES: usize = 64 << 20;
/// A decoded event, on its way into tables.
pub(super) struct Event<'a> {
    pub(super) text: &'a str,
    pub(super) decoded: Decoded<'a>,
    pub(super) id: Cell,
    pub(super) micros: i64,
    pub(super) place: Place,
}

impl Event<'_> {
    pub(super) fn append(
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

/// Refuses an event whose rows would repeat too much of it. A table that keeps the record, or its long texts, in each row.
pub(super) fn check_size(
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
