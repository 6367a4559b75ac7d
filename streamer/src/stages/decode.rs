//! Decode: from a record's bytes to typed cells, or to the reason why it can't be rows. Nothing is half taken: all of a
//! record's cells are read before any row is made.

use gamepipe_domain::definition::game::ColumnKind;

use crate::json::scan::{Fault, Kind, Member, Scanner, Span, Value, find_duplicate};
use crate::json::text::unescape;
use crate::messages::BadRecord;
use crate::stages::route::{CellPlan, EVENT_ID, EVENT_TIME, EVENT_TYPE, Plan, Routes};

mod convert;

mod items;

mod refusal;

pub(crate) mod shape;

use convert::convert;
use items::ItemReader;
use refusal::{mismatch, missing, of_fault, pointer};
use shape::{Shape, Shapes};

/// The longest record that is read: what Kafka takes by default, and sixteen times the largest event that the API does.
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// The most rows that one event makes in a table. A list of a game is a hand, a basket or a board; this is one that
/// wants to be a table of its own.
pub const MAX_ROWS_PER_EVENT: usize = 10_000;
/// A value, ready for a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Micros(i64),
    /// Text as it is in the record.
    Text(Span),
    /// Text with escapes to undo.
    Escaped(Span),
}

/// The rows that a list makes: the cells of its items, one item after the other.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) rows: usize,
    pub(crate) cells: Vec<Cell>,
    /// For each item: the members that no column takes, as JSON members without braces; empty when there are none.
    pub(crate) extras: Vec<String>,
}

/// The decoder's memory: the last record's cells, and what it has learned about the shape of records.
#[derive(Debug)]
pub(crate) struct Decoder {
    scanner: Scanner,
    members: Vec<Member>,
    item_members: Vec<Member>,
    shapes: Shapes,
    cells: Vec<Cell>,
    // For each target of the plan.
    items: Vec<Items>,
    plan: usize,
    shape: usize,
}

/// A decoded record, as far as it is not text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoded<'a> {
    /// The number of the plan that it goes by.
    pub(crate) plan: usize,
    pub(crate) members: &'a [Member],
    pub(crate) cells: &'a [Cell],
    pub(crate) items: &'a [Items],
    pub(crate) shape: &'a Shape,
}

impl Decoder {
    pub(crate) fn new(routes: &Routes) -> Self {
        Self {
            scanner: Scanner::default(),
            members: Vec::new(),
            item_members: Vec::new(),
            shapes: Shapes::new(routes.plans()),
            cells: Vec::new(),
            items: Vec::new(),
            plan: 0,
            shape: 0,
        }
    }

    /// Reads a record. On success [`Self::decoded`] tells what was found.
    pub(crate) fn decode(&mut self, routes: &Routes, text: &str) -> Result<(), BadRecord> {
        self.scanner
            .object(text, &mut self.members)
            .map_err(|fault| of_fault(fault, text))?;
        let event_type = self.event_type(text)?;
        self.plan = match event_type.kind {
            Kind::Text { escaped: false } => routes.plan_of(event_type.span.of(text)),
            _ => {
                let mut plain = String::new();
                unescape(event_type.span.of(text), &mut plain);
                routes.plan_of(&plain)
            }
        };
        let Some(plan) = routes.plan(self.plan) else {
            return Err(missing("event_type"));
        };
        self.shape = match self.shapes.find(self.plan, &self.members, text) {
            Some(known) => known,
            None => {
                self.refuse_duplicates(text)?;
                self.shapes.learn(self.plan, plan, &self.members, text)
            }
        };
        self.read_cells(plan, text)?;
        self.read_items(plan, text)
    }

    /// What the last record that was decoded holds.
    pub(crate) fn decoded(&self) -> Decoded<'_> {
        Decoded {
            plan: self.plan,
            members: &self.members,
            cells: &self.cells,
            items: &self.items,
            shape: self.shapes.get(self.plan, self.shape),
        }
    }

    fn event_type(&self, text: &str) -> Result<Value, BadRecord> {
        // gamepipe's own records have it in second place.
        let is_type = |member: &&Member| member.key.of(text) == "event_type";
        let member = self
            .members
            .get(1)
            .filter(is_type)
            .or_else(|| self.members.iter().find(is_type));
        match member.map(|member| member.value) {
            Some(
                value @ Value {
                    kind: Kind::Text { .. },
                    ..
                },
            ) => Ok(value),
            Some(Value {
                kind: Kind::Null, ..
            })
            | None => Err(missing("event_type")),
            Some(value) => Err(mismatch("/event_type".to_owned(), "a string", value, text)),
        }
    }

    fn refuse_duplicates(&self, text: &str) -> Result<(), BadRecord> {
        let mut keys: Vec<(Span, bool)> = self
            .members
            .iter()
            .map(|member| (member.key, member.key_escaped))
            .collect();
        match find_duplicate(text.as_bytes(), &mut keys) {
            Some(key) => Err(of_fault(Fault::DuplicateKey { key }, text)),
            None => Ok(()),
        }
    }

    fn read_cells(&mut self, plan: &Plan, text: &str) -> Result<(), BadRecord> {
        self.cells.clear();
        self.cells.resize(plan.cells.len(), Cell::Null);
        let shape = self.shapes.get(self.plan, self.shape);
        for (member, cells) in self.members.iter().zip(&shape.cells) {
            for number in cells.clone() {
                let (Some(cell), Some(wanted)) =
                    (self.cells.get_mut(number), plan.cells.get(number))
                else {
                    continue;
                };
                *cell = convert(wanted.kind, member.value, text)
                    .map_err(|problem| problem.at(pointer(member, text), member.value, text))?;
            }
        }
        // The envelope's cells are the first of their members, and members are in order.
        for (name, wanted) in [
            (EVENT_ID, "event_id"),
            (EVENT_TYPE, "event_type"),
            (EVENT_TIME, "event_time"),
        ] {
            let cell = envelope_cell(plan, name).and_then(|number| self.cells.get(number));
            if matches!(cell, None | Some(Cell::Null)) {
                return Err(missing(wanted));
            }
        }
        Ok(())
    }

    fn read_items(&mut self, plan: &Plan, text: &str) -> Result<(), BadRecord> {
        if plan.targets.iter().all(|target| target.rows.is_none()) {
            self.items.clear();
            return Ok(());
        }
        self.items.resize_with(plan.targets.len(), Items::default);
        let shape = self.shapes.get(self.plan, self.shape);
        for (target, items) in plan.targets.iter().zip(&mut self.items) {
            items.rows = 0;
            items.cells.clear();
            items.extras.clear();
            let Some(rows) = &target.rows else { continue };
            let list = shape.names.iter().position(|name| *name == Some(rows.list));
            let Some(member) = list.and_then(|place| self.members.get(place)) else {
                continue;
            };
            match member.value.kind {
                Kind::Array => {
                    let list = member.value.span;
                    let at = pointer(member, text);
                    let mut reader = ItemReader {
                        rows,
                        at: &at,
                        text,
                        members: &mut self.item_members,
                    };
                    reader.read(&mut self.scanner, list, items)?;
                }
                Kind::Null => {}
                _ => {
                    return Err(mismatch(
                        pointer(member, text),
                        "a list",
                        member.value,
                        text,
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The cell of an envelope's member: its first one of the type that the system column has.
pub(crate) fn envelope_cell(plan: &Plan, name: usize) -> Option<usize> {
    let kind = if name == EVENT_TIME {
        ColumnKind::Timestamp
    } else {
        ColumnKind::String
    };
    plan.cells
        .iter()
        .position(|cell| *cell == CellPlan { name, kind })
}

#[cfg(test)]
mod tests;
