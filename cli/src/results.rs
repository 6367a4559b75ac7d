//! Query results: fetched from `/sql`, drawn as a table.

pub(crate) mod fetch;
pub(crate) mod table;

use serde::Deserialize;
use serde_json::Value;

/// A whole result in memory.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ResultSet {
    /// The columns in order.
    pub(crate) columns: Vec<ResultColumn>,
    /// The rows in order.
    pub(crate) rows: Vec<Vec<Value>>,
    /// True when there were more rows than asked for.
    #[serde(default)]
    pub(crate) truncated: bool,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ResultColumn {
    /// Its name.
    pub(crate) name: String,
    /// Its type by its Trino name, such as `bigint`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

impl ResultColumn {
    /// True when its values are numbers.
    pub(crate) fn is_numeric(&self) -> bool {
        let base = self.kind.split('(').next().unwrap_or_default();
        matches!(
            base,
            "tinyint" | "smallint" | "integer" | "bigint" | "real" | "double" | "decimal"
        )
    }
}

impl ResultSet {
    /// The place of a column by name, without regard to case.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// A value as text for people; `None` for null.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A value as a number, when it is one; decimals come as text.
pub(crate) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}
