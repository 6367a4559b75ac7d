//! A result as a table of text: numbers to the right, null told apart from the text `NULL`.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use super::{ResultSet, text_of};
use crate::terminal::printable;

/// What stands for null: a sign that no value contains by chance.
const NULL: &str = "∅";
/// The widest a table gets where the terminal's width is unknown, in columns: wide enough for anything sensible.
const UNKNOWN_WIDTH: u16 = 400;

/// Draws the result. `width` is the terminal's, when there is one: longer cells are wrapped to fit.
pub(crate) fn draw(result: &ResultSet, width: Option<u16>) -> String {
    let mut table = Table::new();
    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width.unwrap_or(UNKNOWN_WIDTH));
    table.set_header(
        result
            .columns
            .iter()
            .map(|column| Cell::new(printable(&column.name))),
    );
    for row in &result.rows {
        table.add_row(row.iter().enumerate().map(|(index, value)| {
            let numeric = result
                .columns
                .get(index)
                .is_some_and(super::ResultColumn::is_numeric);
            let cell = match text_of(value) {
                Some(text) => Cell::new(printable(&text)),
                None => Cell::new(NULL),
            };
            if numeric {
                cell.set_alignment(CellAlignment::Right)
            } else {
                cell
            }
        }));
    }
    table.trim_fmt()
}

/// `3 rows`, with a word on rows that were cut.
pub(crate) fn count_line(result: &ResultSet) -> String {
    let noun = if result.rows.len() == 1 {
        "row"
    } else {
        "rows"
    };
    let more = if result.truncated {
        ", and there are more (--max-rows)"
    } else {
        ""
    };
    format!("({} {noun}{more})", result.rows.len())
}

/// The width of the terminal in columns, when standard output is one.
pub(crate) fn terminal_width() -> Option<u16> {
    if !crate::output::is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(terminal_size::Width(width), _)| width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{count_line, draw};
    use crate::results::ResultSet;

    fn result() -> ResultSet {
        serde_json::from_value(json!({
            "columns": [{"name": "weapon", "type": "varchar"}, {"name": "n", "type": "bigint"}],
            "rows": [["nuke", 12], ["NULL", null], [null, 3], ["a\u{1b}[31m", 4]],
        }))
        .expect("a valid result")
    }

    #[test]
    fn null_is_told_apart_and_numbers_stand_to_the_right() {
        let text = draw(&result(), None);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn rows_are_counted_and_a_cut_is_told() {
        let mut result = result();
        assert_eq!(count_line(&result), "(4 rows)");
        result.truncated = true;
        assert_eq!(
            count_line(&result),
            "(4 rows, and there are more (--max-rows))"
        );
    }
}
