//! A report for the terminal: every answer as a small table.

use std::fmt::Write as _;

use super::model::Report;
use crate::results::{ResultSet, table};
use crate::terminal::{Paint, printable};

/// The most rows of a table in a summary: it is to be read at a glance.
const MAX_ROWS: usize = 10;

/// The text.
pub(crate) fn render(report: &Report, paint: Paint, width: Option<u16>) -> String {
    let mut text = String::new();
    for answer in report.answers() {
        let _ = writeln!(text, "{}", paint.bold(&printable(&answer.title)));
        match &answer.result {
            Ok(result) if !result.rows.is_empty() => {
                let shown = ResultSet {
                    columns: result.columns.clone(),
                    rows: result.rows.iter().take(MAX_ROWS).cloned().collect(),
                    truncated: false,
                };
                let _ = writeln!(text, "{}", table::draw(&shown, width));
                let more = result.rows.len().saturating_sub(MAX_ROWS);
                if more > 0 {
                    let _ = writeln!(
                        text,
                        "{}",
                        paint.dim(&format!("({more} more: gamepipe report, or gamepipe sql)"))
                    );
                }
            }
            Ok(_) => {
                let _ = writeln!(text, "{}", paint.dim("No data yet."));
            }
            Err(reason) => {
                let _ = writeln!(text, "{}", paint.dim(&printable(&reason.sentence())));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::report::model::tests::sample;
    use crate::terminal::Paint;

    #[test]
    fn the_summary_of_a_fixed_report_is_as_reviewed() {
        insta::assert_snapshot!(render(&sample(), Paint::for_stdout(), Some(100)));
    }
}
