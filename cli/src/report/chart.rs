//! Charts as inline SVG: bars, lines, and one large figure. Pure functions from a result to text; colours come from the
//! page's style sheet, so that light, dark and print agree.

use std::fmt::Write as _;

use gamepipe_domain::definition::document::{ChartKind, ChartSpec};

use super::html::escape;
use crate::results::{ResultSet, number_of, text_of};

/// The most bars or points of a chart: beyond it labels overlap, and the table below has them all.
const MAX_POINTS: usize = 40;
/// The most series of a chart: the style sheet has as many colours.
const MAX_SERIES: usize = 6;
/// The width of a drawing in its own units; the page scales it.
const WIDTH: f64 = 720.0;
/// The longest label, in characters.
const MAX_LABEL: usize = 28;

/// What is drawn: labels and one or more series of numbers.
#[derive(Debug)]
struct Data {
    labels: Vec<String>,
    series: Vec<(String, Vec<Option<f64>>)>,
    left_out: usize,
}

/// The chart, or `None` when there is nothing to draw.
pub(crate) fn draw(spec: &ChartSpec, result: &ResultSet) -> Option<String> {
    if result.rows.is_empty() {
        return None;
    }
    if spec.kind == ChartKind::Number {
        return figure(spec, result);
    }
    let data = data(spec, result)?;
    let mut svg = match spec.kind {
        ChartKind::Line => line(&data),
        ChartKind::Bar | ChartKind::Number => bars(&data),
    };
    if data.left_out > 0 {
        let _ = write!(
            svg,
            "<p class=\"note\">The first {MAX_POINTS} rows are drawn; {} more are in the table.</p>",
            data.left_out
        );
    }
    Some(svg)
}

/// One large figure: the first number of the first row.
fn figure(spec: &ChartSpec, result: &ResultSet) -> Option<String> {
    let row = result.rows.first()?;
    let column = match spec.y.first() {
        Some(name) => result.column(name)?,
        None => result
            .columns
            .iter()
            .position(crate::results::ResultColumn::is_numeric)
            .unwrap_or(0),
    };
    let value = row.get(column)?;
    let text = match number_of(value) {
        Some(number) => human(number),
        None => text_of(value)?,
    };
    Some(format!("<p class=\"figure\">{}</p>", escape(&text)))
}

fn data(spec: &ChartSpec, result: &ResultSet) -> Option<Data> {
    let x = match &spec.x {
        Some(name) => result.column(name)?,
        None => 0,
    };
    let numeric = |index: &usize| {
        result
            .columns
            .get(*index)
            .is_some_and(crate::results::ResultColumn::is_numeric)
    };
    let columns: Vec<usize> = if spec.y.is_empty() {
        (0..result.columns.len())
            .filter(|index| *index != x)
            .filter(numeric)
            .take(MAX_SERIES)
            .collect()
    } else {
        spec.y
            .iter()
            .filter_map(|name| result.column(name))
            .filter(numeric)
            .take(MAX_SERIES)
            .collect()
    };
    let rows = result.rows.iter().take(MAX_POINTS);
    let labels = rows.clone().map(|row| label(row.get(x))).collect();
    let series: Vec<_> = columns
        .into_iter()
        .map(|column| {
            let name = result
                .columns
                .get(column)
                .map(|found| found.name.clone())
                .unwrap_or_default();
            (
                name,
                rows.clone()
                    .map(|row| number_of(row.get(column)?))
                    .collect(),
            )
        })
        .collect();
    if series.is_empty() {
        return None;
    }
    Some(Data {
        labels,
        series,
        left_out: result.rows.len().saturating_sub(MAX_POINTS),
    })
}

fn label(value: Option<&serde_json::Value>) -> String {
    let text = value.and_then(text_of).unwrap_or_else(|| "none".to_owned());
    if text.chars().count() <= MAX_LABEL {
        return text;
    }
    text.chars().take(MAX_LABEL - 1).chain(['…']).collect()
}

/// Bars to the right, one group per row, one bar per series: labels of any length stay readable.
fn bars(data: &Data) -> String {
    const BAR: f64 = 18.0;
    const GAP: f64 = 8.0;
    const LEFT: f64 = 190.0;
    const RIGHT: f64 = 80.0;
    let (least, greatest) = bounds(data);
    let scale = (WIDTH - LEFT - RIGHT) / (greatest - least);
    let zero = LEFT - least * scale;
    let group = BAR * count(data.series.len()) + GAP;
    let top = legend_height(data);
    let height = top + group * count(data.labels.len());
    let mut svg = open(height, "bars");
    legend(&mut svg, data);
    for (row, text) in data.labels.iter().enumerate() {
        let y = top + group * count(row);
        let middle = y + (group - GAP) / 2.0 + 5.0;
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{:.1}\" y=\"{middle:.1}\">{}</text>",
            LEFT - 8.0,
            escape(text)
        );
        for (index, (_, values)) in data.series.iter().enumerate() {
            let Some(value) = values.get(row).copied().flatten() else {
                continue;
            };
            let y = y + BAR * count(index);
            let length = (value * scale).abs();
            let x = if value < 0.0 { zero - length } else { zero };
            let _ = write!(
                svg,
                "<rect class=\"s{index}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\"/>\
                 <text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                length.max(1.0),
                BAR - 3.0,
                zero.max(x + length) + 6.0,
                y + 12.0,
                escape(&human(value)),
            );
        }
    }
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{zero:.1}\" y1=\"{top:.1}\" x2=\"{zero:.1}\" y2=\"{height:.1}\"/></svg>"
    );
    svg
}

/// A line per series over the rows in their order, with a few horizontal lines to read values from.
fn line(data: &Data) -> String {
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = 20.0;
    const PLOT: f64 = 220.0;
    /// As many labels as stand side by side below the axis.
    const LABELS: usize = 8;
    let (least, greatest) = bounds(data);
    let top = legend_height(data) + 10.0;
    let bottom = top + PLOT;
    let x = |row: usize| {
        let steps = count(data.labels.len().saturating_sub(1)).max(1.0);
        LEFT + (WIDTH - LEFT - RIGHT) * count(row) / steps
    };
    let y = |value: f64| bottom - PLOT * (value - least) / (greatest - least);
    let mut svg = open(bottom + 30.0, "lines");
    legend(&mut svg, data);
    for tick in ticks(least, greatest) {
        let at = y(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT:.1}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            escape(&human(tick)),
        );
    }
    let every = data.labels.len().div_ceil(LABELS).max(1);
    for (row, text) in data.labels.iter().enumerate().step_by(every) {
        let short: String = text.chars().take(12).collect();
        let _ = write!(
            svg,
            "<text class=\"below\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x(row),
            bottom + 20.0,
            escape(&short)
        );
    }
    for (index, (_, values)) in data.series.iter().enumerate() {
        let points = values
            .iter()
            .enumerate()
            .filter_map(|(row, value)| Some((x(row), y((*value)?))));
        let text: Vec<String> = points
            .clone()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = write!(
            svg,
            "<polyline class=\"l{index}\" points=\"{}\"/>",
            text.join(" ")
        );
        for (x, y) in points {
            let _ = write!(
                svg,
                "<circle class=\"s{index}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

fn open(height: f64, class: &str) -> String {
    format!(
        "<svg class=\"chart {class}\" role=\"img\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" xmlns=\"http://www.w3.org/2000/svg\">"
    )
}

fn legend_height(data: &Data) -> f64 {
    if data.series.len() > 1 { 28.0 } else { 4.0 }
}

/// Names the series by their colours; one series needs no legend, its title is the question.
fn legend(svg: &mut String, data: &Data) {
    if data.series.len() < 2 {
        return;
    }
    for (index, (name, _)) in data.series.iter().enumerate() {
        let x = 10.0 + count(index) * (WIDTH - 20.0) / count(data.series.len());
        let short: String = name.chars().take(18).collect();
        let _ = write!(
            svg,
            "<rect class=\"s{index}\" x=\"{x:.1}\" y=\"4\" width=\"12\" height=\"12\" rx=\"2\"/>\
             <text class=\"legend\" x=\"{:.1}\" y=\"14\">{}</text>",
            x + 18.0,
            escape(&short)
        );
    }
}

/// The least and greatest of all numbers, zero included, never equal.
fn bounds(data: &Data) -> (f64, f64) {
    let numbers = data
        .series
        .iter()
        .flat_map(|(_, values)| values.iter().copied().flatten());
    let (least, greatest) = numbers.fold((0.0_f64, 0.0_f64), |(least, greatest), n| {
        (least.min(n), greatest.max(n))
    });
    if greatest > least {
        (least, greatest)
    } else {
        (0.0, 1.0)
    }
}

/// Round numbers between the bounds: about five, with 1, 2 or 5 as their first digit's step.
fn ticks(least: f64, greatest: f64) -> Vec<f64> {
    let rough = (greatest - least) / 5.0;
    let magnitude = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * magnitude >= rough)
        .unwrap_or(10.0);
    let step = factor * magnitude;
    let first = (least / step).ceil();
    (0..12)
        .map(|index| (first + f64::from(index)) * step)
        .take_while(|tick| *tick <= greatest + step * 1e-9)
        .collect()
}

/// A number for people: digits in groups, at most four after the point.
fn human(number: f64) -> String {
    let rounded = format!("{:.4}", number.abs());
    let (whole, fraction) = rounded.split_once('.').unwrap_or((&rounded, ""));
    let whole = whole
        .parse()
        .map_or_else(|_| whole.to_owned(), crate::terminal::grouped);
    let fraction = fraction.trim_end_matches('0');
    let sign = if number < 0.0 { "−" } else { "" };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn count(number: usize) -> f64 {
    // Rows and series of a chart are at most 40.
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use gamepipe_domain::definition::document::{ChartKind, ChartSpec};
    use serde_json::json;

    use super::{MAX_POINTS, draw, human, ticks};
    use crate::report::model::tests::result;

    fn spec(kind: ChartKind) -> ChartSpec {
        ChartSpec {
            kind,
            x: None,
            y: Vec::new(),
        }
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(human(1_234_567.0), "1,234,567");
        assert_eq!(human(-0.5), "−0.5");
        assert_eq!(human(2.0 / 3.0), "0.6667");
    }

    #[test]
    fn ticks_are_round_and_within_the_bounds() {
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(-30.0, 120.0), [0.0, 50.0, 100.0]);
    }

    #[test]
    fn nothing_is_drawn_without_rows_or_numbers() {
        let empty = result(&[("name", "varchar"), ("n", "bigint")], json!([]));
        assert_eq!(draw(&spec(ChartKind::Bar), &empty), None);
        let words = result(&[("a", "varchar"), ("b", "varchar")], json!([["x", "y"]]));
        assert_eq!(draw(&spec(ChartKind::Line), &words), None);
    }

    #[test]
    fn rows_beyond_the_limit_are_told_not_drawn() {
        let rows: Vec<_> = (0..MAX_POINTS + 5)
            .map(|n| json!([format!("p{n}"), n]))
            .collect();
        let many = result(&[("name", "varchar"), ("n", "bigint")], json!(rows));
        let svg = draw(&spec(ChartKind::Bar), &many).expect("there are numbers");
        assert_eq!(svg.matches("<rect class=\"s0\"").count(), MAX_POINTS);
        assert!(svg.contains("5 more are in the table"), "{svg}");
    }

    #[test]
    fn one_row_all_zero_and_negative_numbers_give_finite_drawings() {
        for rows in [
            json!([["a", 0]]),
            json!([["a", -5], ["b", 5]]),
            json!([["a", null], ["b", 1]]),
        ] {
            let table = result(&[("name", "varchar"), ("n", "bigint")], rows);
            for kind in [ChartKind::Bar, ChartKind::Line] {
                let svg = draw(&spec(kind), &table).expect("there are numbers");
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}
