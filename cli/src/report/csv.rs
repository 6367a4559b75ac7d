//! A result as CSV (RFC 4180), safe to open in a spreadsheet.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and a
//! player's name may begin so. Such text gets an apostrophe in front, which spreadsheets show as text. Numbers stay as
//! they are. For exact text, take `gamepipe sql --format csv`.

use std::io::{self, Write};

use serde_json::Value;

use crate::results::{ResultSet, text_of};

/// Writes a header and the rows, each ended by CR LF. Null is an empty cell, the empty text is `""`.
pub(crate) fn write(out: &mut impl Write, result: &ResultSet) -> io::Result<()> {
    let header: Vec<String> = result
        .columns
        .iter()
        .map(|column| quoted(&guarded(&column.name)))
        .collect();
    write!(out, "{}\r\n", header.join(","))?;
    for row in &result.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        write!(out, "{}\r\n", cells.join(","))?;
    }
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        // A decimal comes as text; a negative one is no formula.
        Value::String(text) if text.parse::<f64>().is_ok() => quoted(text),
        Value::String(text) => quoted(&guarded(text)),
        other => quoted(&text_of(other).unwrap_or_default()),
    }
}

fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::write;
    use crate::report::model::tests::result;

    fn csv(columns: &[(&str, &str)], rows: serde_json::Value) -> String {
        let mut out = Vec::new();
        write(&mut out, &result(columns, rows)).expect("memory takes every write");
        String::from_utf8(out).expect("the input is UTF-8")
    }

    #[test]
    fn quotes_commas_and_line_ends_are_quoted() {
        let text = csv(
            &[("a", "varchar"), ("b", "varchar")],
            json!([["x,y", "say \"hi\"\nnow"]]),
        );
        assert_eq!(text, "a,b\r\n\"x,y\",\"say \"\"hi\"\"\nnow\"\r\n");
    }

    #[test]
    fn null_and_empty_text_differ() {
        assert_eq!(
            csv(&[("a", "varchar"), ("b", "varchar")], json!([[null, ""]])),
            "a,b\r\n,\"\"\r\n"
        );
    }

    #[test]
    fn text_that_a_spreadsheet_would_run_is_guarded_and_numbers_are_not() {
        let rows = json!([
            ["=1+1", -5, "-5.25"],
            ["@SUM(A1)", 3, "1.00"],
            ["-x", 0, "0"]
        ]);
        let text = csv(
            &[("a", "varchar"), ("b", "bigint"), ("c", "decimal(4,2)")],
            rows,
        );
        assert_eq!(
            text,
            "a,b,c\r\n'=1+1,-5,-5.25\r\n'@SUM(A1),3,1.00\r\n'-x,0,0\r\n"
        );
    }
}
