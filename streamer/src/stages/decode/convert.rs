//! From a JSON value to a cell of a column's type, or why it does not fit.

use gamepipe_domain::definition::game::ColumnKind;

use super::Cell;
use super::refusal::mismatch;
use crate::json::scan::{Kind, Value};
use crate::json::time::parse_micros;
use crate::messages::{BadRecord, bad_code};

/// Why a value does not fit a column.
pub(super) struct Problem {
    code: &'static str,
    expected: &'static str,
}

impl Problem {
    pub(super) fn at(self, pointer: String, value: Value, text: &str) -> BadRecord {
        BadRecord {
            code: self.code,
            ..mismatch(pointer, self.expected, value, text)
        }
    }
}

/// Reads a value as a column's type. Nothing is bent: no text for a number, no fraction cut off, no moment from a number.
pub(super) fn convert(kind: ColumnKind, value: Value, text: &str) -> Result<Cell, Problem> {
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
