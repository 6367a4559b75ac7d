//! Words and tables of Markdown.

use serde_json::Value;

use crate::definition::document::{Capacity, Expr, ValueKind, ValueSpec};

/// Cells up to this many characters are lined up; longer ones stick out rather than blow up every row.
const WIDEST: usize = 60;

/// A table of Markdown, written with its columns lined up.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()],
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A bar would end the cell, a line the table.
        let clean = |cell: String| {
            cell.replace('|', "\\|")
                .replace(['\n', '\r'], " ")
                .trim()
                .to_owned()
        };
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    /// Writes it with a blank line after it; nothing when there is no row. Columns in which all cells are empty are left out.
    pub(super) fn write(&self, page: &mut String) {
        let Some((head, rows)) = self.rows.split_first() else {
            return;
        };
        if rows.is_empty() {
            return;
        }
        let width = |column: usize| {
            let lengths = self
                .rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count());
            lengths.max().unwrap_or(0).clamp(3, WIDEST)
        };
        let is_used = |column: &usize| {
            rows.iter()
                .any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty()))
        };
        let widths: Vec<(usize, usize)> = (0..head.len())
            .filter(is_used)
            .map(|column| (column, width(column)))
            .collect();
        let mut push = |row: &[String]| {
            let cell = |column: usize| row.get(column).map(String::as_str).unwrap_or_default();
            let cells: Vec<String> = widths
                .iter()
                .map(|(column, width)| format!("{:<width$}", cell(*column), width = *width))
                .collect();
            page.push_str(format!("| {} |", cells.join(" | ")).trim_end());
            page.push('\n');
        };
        push(head);
        push(
            &(0..head.len())
                .map(|column| "-".repeat(width(column)))
                .collect::<Vec<_>>(),
        );
        rows.iter().for_each(|row| push(row));
        page.push('\n');
    }
}

/// Text as code, whatever it holds.
pub(super) fn code(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.contains('`') {
        format!("`` {one_line} ``")
    } else {
        format!("`{one_line}`")
    }
}

/// A text of a definition as a paragraph: one line.
pub(super) fn sentence(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A JSON value as people write it: text without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An expression as it stands in the definition.
pub(super) fn expression(expression: &Expr) -> String {
    match expression {
        Expr::Boolean(value) => value.to_string(),
        Expr::Integer(value) => value.to_string(),
        Expr::Number(value) => value.to_string(),
        Expr::Cel(text) => sentence(text),
    }
}

/// A type with its bounds: `integer, 0 to 10, default 5`.
pub(super) fn value_type(spec: &ValueSpec) -> String {
    let mut parts = vec![kind(spec)];
    match (spec.minimum, spec.maximum) {
        (Some(least), Some(most)) => parts.push(format!("{least} to {most}")),
        (Some(least), None) => parts.push(format!("at least {least}")),
        (None, Some(most)) => parts.push(format!("at most {most}")),
        (None, None) => {}
    }
    match (spec.min_length, spec.max_length) {
        (Some(least), Some(most)) => parts.push(format!("{least} to {most} characters")),
        (Some(least), None) => parts.push(format!("at least {least} characters")),
        (None, Some(most)) => parts.push(format!("at most {most} characters")),
        (None, None) => {}
    }
    if let Some(most) = spec.max_items {
        parts.push(format!("at most {most} items"));
    }
    if let Some(allowed) = &spec.allowed {
        let listed: Vec<String> = allowed.iter().map(|value| code(&plain(value))).collect();
        parts.push(format!("one of {}", listed.join(", ")));
    }
    match &spec.capacity {
        Some(Capacity::Units(units)) => parts.push(format!("room for {units} units")),
        Some(Capacity::Field(field)) => parts.push(format!("room for {} units", code(field))),
        None => {}
    }
    if spec.nullable {
        parts.push("may be null".to_owned());
    }
    if let Some(default) = &spec.default {
        let text = plain(default);
        parts.push(if text.is_empty() {
            "empty by default".to_owned()
        } else {
            format!("default {}", code(&text))
        });
    }
    parts.join(", ")
}

fn kind(spec: &ValueSpec) -> String {
    let inner =
        |spec: &Option<Box<ValueSpec>>| spec.as_ref().map_or_else(String::new, |inner| kind(inner));
    match spec.kind {
        ValueKind::List => format!("list of {}", inner(&spec.items)),
        ValueKind::Map => format!("map to {}", inner(&spec.values)),
        ValueKind::Object => {
            let fields: Vec<String> = spec
                .properties
                .iter()
                .map(|(name, spec)| format!("{name}: {}", kind(spec)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.name().to_owned(),
    }
}
