//! Arrow types under their Trino names, with the signatures that Trino's clients decode values by.

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use serde_json::{Value, json};

/// The length in the signature of an unbounded varchar: the greatest integer, by which clients know it.
const UNBOUNDED: u32 = 2_147_483_647;

/// A Trino type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrinoType {
    /// As people read it: `decimal(10, 2)`.
    pub(crate) display: String,
    raw: &'static str,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Argument {
    Long(u32),
    Type(TrinoType),
    Named(String, TrinoType),
}

impl TrinoType {
    fn plain(raw: &'static str) -> Self {
        Self {
            display: raw.to_owned(),
            raw,
            arguments: Vec::new(),
        }
    }

    fn with_precision(display: String, raw: &'static str, precision: u32) -> Self {
        Self {
            display,
            raw,
            arguments: vec![Argument::Long(precision)],
        }
    }

    /// The `typeSignature` of the protocol.
    pub(crate) fn signature(&self) -> Value {
        let argument = |argument: &Argument| match argument {
            Argument::Long(value) => json!({"kind": "LONG", "value": value}),
            Argument::Type(inner) => json!({"kind": "TYPE", "value": inner.signature()}),
            Argument::Named(name, inner) => json!({
                "kind": "NAMED_TYPE",
                "value": {"fieldName": {"name": name}, "typeSignature": inner.signature()},
            }),
        };
        json!({"rawType": self.raw, "arguments": self.arguments.iter().map(argument).collect::<Vec<_>>()})
    }

    /// The type for clients that know no precision on times: `timestamp` for `timestamp(6)`.
    pub(crate) fn without_time_precision(&self) -> Self {
        match self.raw {
            "time" | "timestamp" | "timestamp with time zone" => Self::plain(self.raw),
            _ => self.clone(),
        }
    }
}

/// The Trino type of an Arrow type. One that Trino has no name for is shown as varchar.
#[expect(clippy::too_many_lines, reason = "a table: one arm per type")]
pub(crate) fn trino_type(kind: &DataType) -> TrinoType {
    match kind {
        DataType::Null => TrinoType::plain("unknown"),
        DataType::Boolean => TrinoType::plain("boolean"),
        DataType::Int8 => TrinoType::plain("tinyint"),
        DataType::Int16 | DataType::UInt8 => TrinoType::plain("smallint"),
        DataType::Int32 | DataType::UInt16 => TrinoType::plain("integer"),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => TrinoType::plain("bigint"),
        DataType::Float16 | DataType::Float32 => TrinoType::plain("real"),
        DataType::Float64 => TrinoType::plain("double"),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            let (precision, scale) = (u32::from(*p), u32::try_from(*s).unwrap_or(0));
            TrinoType {
                display: format!("decimal({precision}, {scale})"),
                raw: "decimal",
                arguments: vec![Argument::Long(precision), Argument::Long(scale)],
            }
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => TrinoType::plain("varbinary"),
        DataType::Date32 | DataType::Date64 => TrinoType::plain("date"),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let precision = digits(unit);
            TrinoType::with_precision(format!("time({precision})"), "time", precision)
        }
        DataType::Timestamp(unit, None) => {
            let precision = digits(unit);
            TrinoType::with_precision(format!("timestamp({precision})"), "timestamp", precision)
        }
        DataType::Timestamp(unit, Some(_)) => {
            let precision = digits(unit);
            let display = format!("timestamp({precision}) with time zone");
            TrinoType::with_precision(display, "timestamp with time zone", precision)
        }
        DataType::Interval(IntervalUnit::YearMonth) => TrinoType::plain("interval year to month"),
        DataType::Interval(_) | DataType::Duration(_) => TrinoType::plain("interval day to second"),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            let item = trino_type(item.data_type());
            TrinoType {
                display: format!("array({})", item.display),
                raw: "array",
                arguments: vec![Argument::Type(item)],
            }
        }
        DataType::Map(entries, _) => map_type(entries),
        DataType::Struct(fields) => {
            let all = fields
                .iter()
                .map(|field| (field.name().clone(), trino_type(field.data_type())));
            let all: Vec<_> = all.collect();
            let display = all
                .iter()
                .map(|(name, kind)| format!("{name} {}", kind.display))
                .collect::<Vec<_>>();
            TrinoType {
                display: format!("row({})", display.join(", ")),
                raw: "row",
                arguments: all
                    .into_iter()
                    .map(|(name, kind)| Argument::Named(name, kind))
                    .collect(),
            }
        }
        DataType::Dictionary(_, value) => trino_type(value),
        _ => TrinoType::with_precision("varchar".to_owned(), "varchar", UNBOUNDED),
    }
}

fn map_type(entries: &Field) -> TrinoType {
    let DataType::Struct(fields) = entries.data_type() else {
        return TrinoType::plain("unknown");
    };
    let mut kinds = fields.iter().map(|field| trino_type(field.data_type()));
    let mut next = || kinds.next().unwrap_or_else(|| TrinoType::plain("unknown"));
    let (key, value) = (next(), next());
    TrinoType {
        display: format!("map({}, {})", key.display, value.display),
        raw: "map",
        arguments: vec![Argument::Type(key), Argument::Type(value)],
    }
}

/// How many digits of a second a unit has.
pub(crate) fn digits(unit: &TimeUnit) -> u32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, TimeUnit};
    use serde_json::json;

    use super::trino_type;

    #[test]
    fn names_and_signatures_are_trinos() {
        let varchar = trino_type(&DataType::Utf8View);
        assert_eq!(varchar.display, "varchar");
        assert_eq!(
            varchar.signature(),
            json!({"rawType": "varchar", "arguments": [{"kind": "LONG", "value": 2_147_483_647}]})
        );
        let moment = trino_type(&DataType::Timestamp(TimeUnit::Microsecond, None));
        assert_eq!(moment.display, "timestamp(6)");
        assert_eq!(
            moment.without_time_precision().signature(),
            json!({"rawType": "timestamp", "arguments": []})
        );
        let list = trino_type(&DataType::List(Arc::new(Field::new(
            "item",
            DataType::Int64,
            true,
        ))));
        assert_eq!(list.display, "array(bigint)");
        assert_eq!(
            trino_type(&DataType::Decimal128(10, 2)).display,
            "decimal(10, 2)"
        );
    }
}
