//! Decode: from a record's bytes to typed cells, or to the reason why it can't be rows. Nothing is half taken: all of a
//! record's cells are read before any row is made.

use gamepipe_domain::definition::game::ColumnKind;

use crate::json::scan::{Fault, Kind, MAX_DEPTH, Member, Scanner, Span, Value, find_duplicate};
use crate::json::text::unescape;
use crate::json::time::parse_micros;
use crate::messages::{BadRecord, bad_code};
use crate::stages::route::{CellPlan, EVENT_ID, EVENT_TIME, EVENT_TYPE, Plan, Routes, RowsPlan};

pub(crate) mod shape;

use shape::{Shape, Shapes};

/// The longest record that is read: what Kafka takes by default, and sixteen times the largest event that the API does.
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// The most rows that one event makes in a table. A list of a game is a hand, a basket or a board; this is one that
/// wants to be a table of its own.
pub const MAX_ROWS_PER_EVENT: usize = 10_000;
/// How much of a culprit's text a detail quotes, in characters.
const QUOTED_CHARACTERS: usize = 80;

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

struct ItemReader<'a> {
    rows: &'a RowsPlan,
    at: &'a str,
    text: &'a str,
    members: &'a mut Vec<Member>,
}

impl ItemReader<'_> {
    fn read(
        &mut self,
        scanner: &mut Scanner,
        list: Span,
        items: &mut Items,
    ) -> Result<(), BadRecord> {
        let mut outcome = Ok(());
        let text = self.text;
        let scanned = scanner.items(text, list, |scanner, item| {
            if outcome.is_ok() {
                outcome = self.item(scanner, item, items);
            }
        });
        scanned.map_err(|fault| of_fault(fault, text))?;
        outcome
    }

    fn item(
        &mut self,
        scanner: &mut Scanner,
        item: Value,
        items: &mut Items,
    ) -> Result<(), BadRecord> {
        let number = items.rows;
        if number >= MAX_ROWS_PER_EVENT {
            return Err(BadRecord {
                code: bad_code::TOO_MANY_ROWS,
                detail: format!("an event makes at most {MAX_ROWS_PER_EVENT} rows of a table"),
                pointer: self.at.to_owned(),
            });
        }
        if item.kind != Kind::Object {
            return Err(mismatch(
                format!("{}/{number}", self.at),
                "an object",
                item,
                self.text,
            ));
        }
        scanner
            .members_of(self.text, item.span, self.members)
            .map_err(|fault| of_fault(fault, self.text))?;
        let first = items.cells.len();
        items
            .cells
            .resize(first + self.rows.cells.len(), Cell::Null);
        let mut extra = String::new();
        for member in self.members.iter() {
            let name = plain_key(member, self.text);
            let Some(known) = self.rows.names.iter().position(|wanted| *wanted == name) else {
                if !extra.is_empty() {
                    extra.push(',');
                }
                extra.push_str(member.json(self.text));
                continue;
            };
            let wanted = self
                .rows
                .cells
                .iter()
                .enumerate()
                .filter(|(_, cell)| cell.name == known);
            for (place, cell) in wanted {
                let value = convert(cell.kind, member.value, self.text).map_err(|problem| {
                    problem.at(
                        format!("{}/{number}{}", self.at, pointer(member, self.text)),
                        member.value,
                        self.text,
                    )
                })?;
                if let Some(target) = items.cells.get_mut(first + place) {
                    *target = value;
                }
            }
        }
        items.rows += 1;
        items.extras.push(extra);
        Ok(())
    }
}

/// Why a value does not fit a column.
struct Problem {
    code: &'static str,
    expected: &'static str,
}

impl Problem {
    fn at(self, pointer: String, value: Value, text: &str) -> BadRecord {
        BadRecord {
            code: self.code,
            ..mismatch(pointer, self.expected, value, text)
        }
    }
}

/// Reads a value as a column's type. Nothing is bent: no text for a number, no fraction cut off, no moment from a number.
fn convert(kind: ColumnKind, value: Value, text: &str) -> Result<Cell, Problem> {
    let wrong = |expected| {
        Err(Problem {
            code: bad_code::WRONG_TYPE,
            expected,
        })
    };
    let range = |expected| Problem {
        code: bad_code::OUT_OF_RANGE,
        expected,
    };
    match (kind, value.kind) {
        (_, Kind::Null) => Ok(Cell::Null),
        (ColumnKind::String, Kind::Text { escaped: false }) => Ok(Cell::Text(value.span)),
        (ColumnKind::String, Kind::Text { escaped: true }) => Ok(Cell::Escaped(value.span)),
        (ColumnKind::Integer, Kind::Integer) => {
            let number = value
                .span
                .of(text)
                .parse()
                .map_err(|_| range("an integer of 64 bits"))?;
            Ok(Cell::Integer(number))
        }
        (ColumnKind::Number, Kind::Integer | Kind::Decimal) => {
            let number = value
                .span
                .of(text)
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite());
            number
                .map(Cell::Number)
                .ok_or_else(|| range("a number that fits 64 bits"))
        }
        (ColumnKind::Boolean, Kind::Boolean(truth)) => Ok(Cell::Boolean(truth)),
        (ColumnKind::Timestamp, Kind::Text { .. }) => match parse_micros(value.span.of(text)) {
            Some(micros) => Ok(Cell::Micros(micros)),
            None => wrong("an RFC 3339 time"),
        },
        (ColumnKind::Json, Kind::Array | Kind::Object) => Ok(Cell::Text(value.span)),
        (ColumnKind::String, _) => wrong("a string"),
        (ColumnKind::Integer, _) => wrong("an integer"),
        (ColumnKind::Number, _) => wrong("a number"),
        (ColumnKind::Boolean, _) => wrong("a boolean"),
        (ColumnKind::Timestamp, _) => wrong("an RFC 3339 time"),
        (ColumnKind::Json, _) => wrong("a list or an object"),
    }
}

fn of_fault(fault: Fault, text: &str) -> BadRecord {
    let (code, detail) = match fault {
        Fault::Grammar { at, expected } => (
            bad_code::INVALID_JSON,
            format!(
                "expected {expected} at byte {at}, got {}",
                quote(text.get(at..).unwrap_or_default())
            ),
        ),
        Fault::NotAnObject { found } => (
            bad_code::NOT_AN_OBJECT,
            format!("expected an object, got {found}"),
        ),
        Fault::TooDeep { at } => (
            bad_code::TOO_DEEP,
            format!("nested more than {MAX_DEPTH} levels deep at byte {at}"),
        ),
        Fault::DuplicateKey { key } => (
            bad_code::DUPLICATE_KEY,
            format!("key {} occurs twice in an object", quote(key.of(text))),
        ),
    };
    BadRecord {
        code,
        detail,
        pointer: String::new(),
    }
}

fn missing(field: &str) -> BadRecord {
    BadRecord {
        code: bad_code::MISSING_FIELD,
        detail: format!("every event has a field {field}"),
        pointer: format!("/{field}"),
    }
}

fn mismatch(pointer: String, expected: &str, value: Value, text: &str) -> BadRecord {
    BadRecord {
        code: bad_code::WRONG_TYPE,
        detail: format!(
            "expected {expected}, got {}: {}",
            value.kind.name(),
            quote(value.json(text))
        ),
        pointer,
    }
}

/// The beginning of a text, for a detail.
fn quote(text: &str) -> String {
    if text.is_empty() {
        return "the end of the record".to_owned();
    }
    let end = text
        .char_indices()
        .nth(QUOTED_CHARACTERS)
        .map_or(text.len(), |(at, _)| at);
    let mark = if end < text.len() { "..." } else { "" };
    format!("`{}{mark}`", text.get(..end).unwrap_or_default())
}

fn plain_key<'a>(member: &Member, text: &'a str) -> std::borrow::Cow<'a, str> {
    if !member.key_escaped {
        return member.key.of(text).into();
    }
    let mut plain = String::new();
    unescape(member.key.of(text), &mut plain);
    plain.into()
}

fn pointer(member: &Member, text: &str) -> String {
    format!(
        "/{}",
        plain_key(member, text)
            .replace('~', "~0")
            .replace('/', "~1")
    )
}

#[cfg(test)]
mod tests;
