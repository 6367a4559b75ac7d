//! A report as one Excel workbook: an overview, then a sheet per query, the greatest number of each column highlighted.
//! Text is always written as text, so that a name such as `=1+1` stays one.

use rust_xlsxwriter::{Color, Format, FormatAlign, Workbook, Worksheet, XlsxError};
use serde_json::Value;

use super::model::{Answer, Report, is_maximum, maxima};
use crate::results::{ResultSet, number_of, text_of};

/// The longest name of a sheet that Excel takes, in characters.
const MAX_SHEET_NAME: usize = 31;
/// The most rows of a sheet that Excel takes, less the lines above the table.
const MAX_ROWS: usize = 1_048_576 - 8;
/// The longest text of a cell that Excel takes, in characters.
const MAX_TEXT: usize = 32_767;
/// Columns are at most this wide, in pixels: a long text must not push the others off the screen.
const MAX_WIDTH: u32 = 400;

/// The cell formats of a workbook.
struct Style {
    title: Format,
    soft: Format,
    header: Format,
    maximum: Format,
}

/// The workbook's bytes.
pub(crate) fn render(report: &Report) -> Result<Vec<u8>, XlsxError> {
    let style = Style {
        title: Format::new().set_bold().set_font_size(14),
        soft: Format::new().set_italic().set_font_color(Color::Gray),
        header: Format::new()
            .set_bold()
            .set_align(FormatAlign::Left)
            .set_background_color(Color::RGB(0x00E9_EDF2)),
        maximum: Format::new()
            .set_bold()
            .set_background_color(Color::RGB(0x00FF_F0B3)),
    };
    let answers = report.answers();
    let names = sheet_names(&answers);
    let mut book = Workbook::new();
    overview(book.add_worksheet(), report, &answers, &names, &style)?;
    for (answer, name) in answers.iter().zip(&names) {
        sheet(book.add_worksheet(), report, answer, name, &style)?;
    }
    book.save_to_buffer()
}

fn overview(
    sheet: &mut Worksheet,
    report: &Report,
    answers: &[&Answer],
    names: &[String],
    style: &Style,
) -> Result<(), XlsxError> {
    sheet.set_name(OVERVIEW)?;
    sheet.write_string_with_format(0, 0, cut(&report.title), &style.title)?;
    sheet.write_string_with_format(1, 0, format!("As of {}", report.made), &style.soft)?;
    for (row, (answer, name)) in (3..).zip(answers.iter().zip(names)) {
        let target = format!("internal:'{}'!A1", name.replace('\'', "''"));
        sheet.write_url_with_text(row, 0, target.as_str(), name.as_str())?;
        sheet.write_string(row, 1, cut(&answer.title))?;
        let rows = answer
            .result
            .as_ref()
            .map_or_else(super::model::NoAnswer::sentence, |result| {
                match result.rows.len() {
                    1 => "1 row".to_owned(),
                    count => format!("{count} rows"),
                }
            });
        sheet.write_string_with_format(row, 2, cut(&rows), &style.soft)?;
    }
    sheet.set_autofit_max_width(MAX_WIDTH).autofit();
    Ok(())
}

fn sheet(
    sheet: &mut Worksheet,
    report: &Report,
    answer: &Answer,
    name: &str,
    style: &Style,
) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    match &answer.result {
        Ok(result) if !result.rows.is_empty() => table(sheet, result, style)?,
        Ok(_) => {
            sheet.write_string_with_format(FIRST_ROW, 0, "No data yet.", &style.soft)?;
        }
        Err(reason) => {
            sheet.write_string_with_format(FIRST_ROW, 0, cut(&reason.sentence()), &style.soft)?;
        }
    }
    // The title comes after the fit: it may run over the columns beside it.
    sheet.set_autofit_max_width(MAX_WIDTH).autofit();
    sheet.write_string_with_format(0, 0, cut(&answer.title), &style.title)?;
    sheet.write_string_with_format(1, 0, format!("As of {}", report.made), &style.soft)?;
    Ok(())
}

/// The row of the table's header, below title and date.
const FIRST_ROW: u32 = 3;
/// The name of the first sheet.
const OVERVIEW: &str = "Overview";

fn table(sheet: &mut Worksheet, result: &ResultSet, style: &Style) -> Result<(), XlsxError> {
    for (column, header) in (0u16..).zip(&result.columns) {
        sheet.write_string_with_format(FIRST_ROW, column, cut(&header.name), &style.header)?;
    }
    let maxima = maxima(result);
    let plain = Format::new();
    for (row, values) in (FIRST_ROW + 1..).zip(result.rows.iter().take(MAX_ROWS)) {
        for (column, (index, value)) in (0u16..).zip(values.iter().enumerate()) {
            let format = if is_maximum(&maxima, index, value) {
                &style.maximum
            } else {
                &plain
            };
            let numeric = result
                .columns
                .get(index)
                .is_some_and(crate::results::ResultColumn::is_numeric);
            match (value, number_of(value).filter(|_| numeric)) {
                (_, Some(number)) if is_exact(value) => {
                    sheet.write_number_with_format(row, column, number, format)?;
                }
                (Value::Null, _) => {}
                (Value::Bool(truth), _) => {
                    sheet.write_boolean_with_format(row, column, *truth, format)?;
                }
                _ => {
                    sheet.write_string_with_format(
                        row,
                        column,
                        cut(&text_of(value).unwrap_or_default()),
                        format,
                    )?;
                }
            }
        }
    }
    sheet.set_freeze_panes(FIRST_ROW + 1, 0)?;
    Ok(())
}

/// True when a spreadsheet's float holds the number; a longer integer is kept as text rather than rounded in silence.
fn is_exact(value: &Value) -> bool {
    const EXACT: u64 = 1 << 53;
    match value {
        Value::Number(number) => number
            .as_i64()
            .is_none_or(|whole| whole.unsigned_abs() <= EXACT),
        _ => true,
    }
}

/// Sheet names from query names: the characters that Excel refuses replaced, cut to its limit, unique without regard to case.
fn sheet_names(answers: &[&Answer]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(answers.len());
    let taken = |names: &[String], name: &str| {
        name.eq_ignore_ascii_case(OVERVIEW)
            || names.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    for answer in answers {
        let clean: String = answer
            .name
            .chars()
            .map(|c| if "[]:*?/\\'".contains(c) { '_' } else { c })
            .collect();
        let mut name: String = clean.chars().take(MAX_SHEET_NAME).collect();
        let mut number = 2;
        while taken(&names, &name) {
            let suffix = format!("~{number}");
            name = clean
                .chars()
                .take(MAX_SHEET_NAME - suffix.len())
                .chain(suffix.chars())
                .collect();
            number += 1;
        }
        names.push(name);
    }
    names
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MAX_SHEET_NAME, is_exact, render, sheet_names};
    use crate::report::model::Answer;
    use crate::report::model::tests::sample;

    #[test]
    fn a_workbook_is_written_for_everything_a_report_can_hold() {
        let bytes = render(&sample()).expect("the sample is within Excel's limits");
        assert!(bytes.starts_with(b"PK"), "a workbook is a zip file");
    }

    #[test]
    fn sheet_names_are_short_unique_and_free_of_forbidden_characters() {
        let long = "most_diverse_inventory_ever_by_player_and_class".to_owned();
        let named = |name: &str| Answer {
            name: name.to_owned(),
            ..sample().answers()[0].clone()
        };
        let answers = [
            named(&long),
            named(&long.to_uppercase()),
            named("a/b"),
            named("overview"),
        ];
        let names = sheet_names(&answers.iter().collect::<Vec<_>>());
        assert!(
            names
                .iter()
                .all(|name| name.chars().count() <= MAX_SHEET_NAME)
        );
        assert_eq!(names[2..], ["a_b", "overview~2"]);
        assert_ne!(names[0].to_lowercase(), names[1].to_lowercase());
    }

    #[test]
    fn integers_beyond_a_float_stay_text() {
        assert!(is_exact(&json!(9_007_199_254_740_992_i64)));
        assert!(!is_exact(&json!(9_007_199_254_740_993_i64)));
        assert!(is_exact(&json!(0.1)));
    }
}
