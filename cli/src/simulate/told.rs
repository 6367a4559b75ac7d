//! What is said of a play: how many requests, how fast, with which answers, and whether all of it is in the lake.

use std::fmt::Write as _;

use serde_json::json;

use super::histogram::{Histogram, human};
use super::landed::Comparison;
use super::stats::{Played, Stats};
use crate::audit::MAX_SHOWN;
use crate::results::{ResultSet, table};
use crate::terminal::{Paint, grouped};

/// How a play went; `head` says what was asked for.
pub(crate) fn summary(game: &str, head: &str, played: &Played) -> String {
    let paint = Paint::for_stdout();
    let requests = played.stats.latency.count();
    let seconds = played.elapsed.as_secs_f64();
    let rate =
        f64::from(u32::try_from(requests).unwrap_or(u32::MAX)) / seconds.max(f64::MIN_POSITIVE);
    let title = format!(
        "{game}: {} requests in {seconds:.1} s, {rate:.0} per second",
        grouped(requests)
    );
    let mut text = format!("{} ({head})\n", paint.bold(&title));
    let setup = played.setup.latency.count();
    if setup > 0 {
        let (count, seconds) = (grouped(setup), played.setup_elapsed.as_secs_f64());
        let _ = writeln!(
            text,
            "setup    {count} requests in {seconds:.1} s, counted in nothing below"
        );
    }
    let _ = writeln!(text, "latency  {}", played.stats.latency.line());
    let _ = write!(
        text,
        "{}",
        table::draw(&answers(&played.stats), table::terminal_width())
    );
    let all = played.all();
    if all.unanswered > 0 {
        let example = all.example.as_deref().unwrap_or_default();
        let unanswered = format!(
            "{} requests got no answer; one of them: {example}",
            grouped(all.unanswered)
        );
        let _ = write!(text, "\n{}", paint.bad(&unanswered));
    }
    text
}

fn answers(stats: &Stats) -> ResultSet {
    let rows: Vec<_> = stats
        .answers
        .iter()
        .map(|((status, code), count)| json!([status, code, count]))
        .collect();
    let columns = json!([
        {"name": "status", "type": "integer"}, {"name": "code", "type": "varchar"}, {"name": "answers", "type": "bigint"},
    ]);
    serde_json::from_value(json!({ "columns": columns, "rows": rows })).unwrap_or_default()
}

/// Whether what was acknowledged is in the lake.
pub(crate) fn verdict(comparison: &Comparison, visible: &Histogram) -> String {
    let paint = Paint::for_stdout();
    let events = grouped(comparison.events);
    let mut text = if comparison.is_whole() {
        paint.good(&format!(
            "verified: all {events} acknowledged events are in their tables, exactly once"
        ))
    } else {
        paint.bad(&format!(
            "not verified: of {events} acknowledged events {} are missing, {} doubled, {} in the wrong tables",
            comparison.missing.len(),
            comparison.doubled.len(),
            comparison.misplaced.len()
        ))
    };
    for id in comparison.missing.iter().take(MAX_SHOWN) {
        let _ = write!(text, "\n  missing: {id}");
    }
    for (id, table) in comparison.doubled.iter().take(MAX_SHOWN) {
        let _ = write!(text, "\n  doubled: {id} in {table}");
    }
    for (id, tables) in comparison.misplaced.iter().take(MAX_SHOWN) {
        let _ = write!(text, "\n  misplaced: {id} in {tables}");
    }
    if visible.count() > 0 {
        let (p50, p95) = (human(visible.quantile(500)), human(visible.quantile(950)));
        let _ = write!(
            text,
            "\nvisible in SQL after  p50 {p50}   p95 {p95}   max {} ({} samples)",
            human(visible.max()),
            visible.count()
        );
    }
    text
}
