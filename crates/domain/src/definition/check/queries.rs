//! Checks of queries and reports, and the files that queries name.

use std::collections::BTreeSet;

use super::{Report, names};
use crate::definition::document::{ChartKind, ChartSpec, GameDocument, GameSpec};
use crate::definition::problem::join;
use crate::definition::suggest::did_you_mean;

/// The longest query, in bytes: a definition that inlines it must stay below 1 MiB.
const MAX_SQL_BYTES: usize = 64 << 10;

pub(super) fn check(spec: &GameSpec, report: &mut Report) {
    for (name, query) in &spec.queries {
        let path = join("spec.queries", name);
        names::hyphenated(report, &path, "query", name);
        match (&query.sql, &query.file) {
            (None, None) => report.add(&path, "expected `sql` or `file`, got neither"),
            (Some(_), Some(_)) => report.add(&path, "expected `sql` or `file`, got both"),
            (None, Some(file)) => self::file(report, &join(&path, "file"), file),
            (Some(sql), None) => {
                if let Err(message) = one_statement(sql) {
                    report.add(join(&path, "sql"), message);
                }
            }
        }
        if let Some(chart) = &query.chart {
            self::chart(report, &join(&path, "chart"), chart);
        }
    }
    for (name, group) in &spec.reports {
        let path = join("spec.reports", name);
        names::hyphenated(report, &path, "report", name);
        if group.queries.is_empty() {
            report.add(join(&path, "queries"), "a report needs at least one query");
        }
        let mut seen = BTreeSet::new();
        for (index, query) in group.queries.iter().enumerate() {
            let query_path = format!("{path}.queries[{index}]");
            if !spec.queries.contains_key(query) {
                let hint = did_you_mean(query, super::keys(&spec.queries));
                report.add(query_path, format!("no query `{query}`{hint}"));
            } else if !seen.insert(query) {
                report.add(query_path, format!("`{query}` is in this report already"));
            }
        }
    }
}

/// What can be said of a chart without its query's columns.
fn chart(report: &mut Report, path: &str, chart: &ChartSpec) {
    match chart.kind {
        ChartKind::Line if chart.x.is_none() => {
            report.add(path, "a line needs `x`: the column along which it runs");
        }
        ChartKind::Number if chart.y.len() > 1 => report.add(
            join(path, "y"),
            format!(
                "a number is one figure, so one column; got {}",
                chart.y.len()
            ),
        ),
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for (index, column) in chart.y.iter().enumerate() {
        if !seen.insert(column) || chart.x.as_ref() == Some(column) {
            report.add(
                format!("{path}.y[{index}]"),
                format!("`{column}` is in this chart already"),
            );
        }
    }
}

/// A file lies beside the definition, or in a folder beside it; nothing else can be reached.
fn file(report: &mut Report, path: &str, file: &str) {
    let is_plain = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    if !file.split('/').all(is_plain) {
        report.add(
            path,
            format!("{file:?}: expected the name of a file beside the definition, such as `queries/players.sql`: letters, digits, `-`, `_`, `.`"),
        );
    }
}

/// Puts the text of every file that a query names in its place.
pub(in super::super) fn inline_files(
    document: &mut GameDocument,
    read_file: &dyn Fn(&str) -> Result<String, String>,
    report: &mut Report,
) {
    for (name, query) in &mut document.spec.queries {
        let path = format!("spec.queries.{name}.file");
        let Some(file) = query
            .file
            .clone()
            .filter(|_| query.sql.is_none() && report.is_clean(&path))
        else {
            continue;
        };
        match read_file(&file) {
            Ok(sql) => {
                if let Err(message) = one_statement(&sql) {
                    report.add(path, format!("{file}: {message}"));
                }
                query.sql = Some(sql);
                query.file = None;
            }
            Err(reason) => report.add(path, format!("can't read {file}: {reason}")),
        }
    }
}

/// The only statement in `sql` without its closing semicolon, or what is wrong.
pub(in super::super) fn one_statement(sql: &str) -> Result<&str, String> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(format!(
            "the query is {} bytes long; the limit is {MAX_SQL_BYTES}",
            sql.len()
        ));
    }
    let mut end = None;
    let mut has_content = false;
    let mut rest = sql;
    while let Some(letter) = rest.chars().next() {
        let length = token_length(rest, letter)?;
        let is_comment = rest.starts_with("--") || rest.starts_with("/*");
        if letter == ';' {
            end.get_or_insert(sql.len() - rest.len());
        } else if !letter.is_whitespace() && !is_comment {
            if end.is_some() {
                return Err("more than one statement: a query is one".to_owned());
            }
            has_content = true;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    if !has_content {
        return Err("the query is empty".to_owned());
    }
    Ok(sql.get(..end.unwrap_or(sql.len())).unwrap_or(sql).trim())
}

/// How long the quoted text, comment or letter is that `rest` begins with, in bytes.
fn token_length(rest: &str, letter: char) -> Result<usize, String> {
    let closed = |start: usize, close: &str| {
        rest.get(start..)?
            .find(close)
            .map(|at| start + at + close.len())
    };
    match letter {
        '\'' | '"' => closed(1, if letter == '"' { "\"" } else { "'" })
            .ok_or_else(|| format!("a quoted text ({letter}) is not closed")),
        '-' if rest.starts_with("--") => Ok(closed(2, "\n").unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => {
            closed(2, "*/").ok_or_else(|| "a comment (/*) is not closed".to_owned())
        }
        other => Ok(other.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::one_statement;

    #[test]
    fn one_statement_ends_before_its_semicolon() {
        assert_eq!(one_statement("select 1;\n-- done;\n"), Ok("select 1"));
        assert_eq!(
            one_statement("-- why\nselect ';', \"a;\" /* ; */ from t"),
            Ok("-- why\nselect ';', \"a;\" /* ; */ from t")
        );
        assert_eq!(
            one_statement("select 'it''s; fine';;"),
            Ok("select 'it''s; fine'")
        );
    }

    #[test]
    fn more_or_less_than_one_statement_is_refused() {
        for (sql, part) in [
            ("select 1; select 2", "more than one"),
            (" ; ", "empty"),
            ("-- nothing", "empty"),
            ("select 'x", "not closed"),
            ("select 1 /* x", "not closed"),
        ] {
            let message = one_statement(sql).expect_err(sql);
            assert!(message.contains(part), "{sql}: {message}");
        }
    }
}
