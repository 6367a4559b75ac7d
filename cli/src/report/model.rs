//! What a report tells.

use std::collections::HashSet;

use gamepipe_domain::definition::document::ChartSpec;

use crate::results::{ResultSet, number_of};

/// A whole report.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// Its title, such as `arena`.
    pub(crate) title: String,
    /// When it was made, for people, in UTC: `2026-01-02 03:04 UTC`.
    pub(crate) made: String,
    /// Its parts in order of reading.
    pub(crate) sections: Vec<Section>,
}

/// A named report of the game, or the questions that none names.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// Its title.
    pub(crate) title: String,
    /// What it tells.
    pub(crate) description: Option<String>,
    /// Its answers in order.
    pub(crate) answers: Vec<Answer>,
}

/// A question and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The query's name.
    pub(crate) name: String,
    /// The question.
    pub(crate) title: String,
    /// The SQL.
    pub(crate) sql: String,
    /// How it is drawn, besides the table.
    pub(crate) chart: Option<ChartSpec>,
    /// The rows, or why there are none.
    pub(crate) result: Result<ResultSet, NoAnswer>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Nothing has been recorded yet that it could be answered from.
    NoData,
    /// The query failed.
    Failed(String),
}

impl NoAnswer {
    /// A sentence for people.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::NoData => "No data yet.".to_owned(),
            Self::Failed(reason) => format!("This question could not be answered: {reason}"),
        }
    }
}

impl Report {
    /// Every answer once, in order of reading: a query that two sections name is one sheet or file.
    pub(crate) fn answers(&self) -> Vec<&Answer> {
        let mut seen = HashSet::new();
        let all = self.sections.iter().flat_map(|section| &section.answers);
        all.filter(|answer| seen.insert(answer.name.as_str()))
            .collect()
    }

    /// Answers whose query failed (not: which have no data yet).
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&Answer, &str)> {
        self.sections
            .iter()
            .flat_map(|section| &section.answers)
            .filter_map(|answer| match &answer.result {
                Err(NoAnswer::Failed(reason)) => Some((answer, reason.as_str())),
                _ => None,
            })
    }
}

/// For each column the greatest number in it, when the column is numeric and there is something to compare: at least two
/// rows that are not all equal.
pub(crate) fn maxima(result: &ResultSet) -> Vec<Option<f64>> {
    let column_maximum = |(index, column): (usize, &crate::results::ResultColumn)| {
        if !column.is_numeric() {
            return None;
        }
        let numbers: Vec<f64> = result
            .rows
            .iter()
            .filter_map(|row| number_of(row.get(index)?))
            .collect();
        let greatest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        (numbers.len() > 1 && least < greatest).then_some(greatest)
    };
    result
        .columns
        .iter()
        .enumerate()
        .map(column_maximum)
        .collect()
}

/// True when this cell holds its column's maximum.
pub(crate) fn is_maximum(maxima: &[Option<f64>], column: usize, value: &serde_json::Value) -> bool {
    match (maxima.get(column).copied().flatten(), number_of(value)) {
        (Some(maximum), Some(number)) => number >= maximum,
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use gamepipe_domain::definition::document::{ChartKind, ChartSpec};
    use serde_json::{Value, json};

    use super::{Answer, NoAnswer, Report, Section, is_maximum, maxima};
    use crate::results::ResultSet;

    pub(crate) fn result(columns: &[(&str, &str)], rows: Value) -> ResultSet {
        let columns: Vec<Value> = columns
            .iter()
            .map(|(name, kind)| json!({"name": name, "type": kind}))
            .collect();
        serde_json::from_value(json!({ "columns": columns, "rows": rows })).expect("a valid result")
    }

    fn answer(name: &str, kind: Option<ChartKind>, result: Result<ResultSet, NoAnswer>) -> Answer {
        Answer {
            name: name.to_owned(),
            title: format!("The question of {name}?"),
            sql: format!("select * from {name} where a < 1 and b > 2"),
            chart: kind.map(|kind| ChartSpec {
                kind,
                x: None,
                y: Vec::new(),
            }),
            result,
        }
    }

    /// A report with everything that can be in one, hostile text included.
    pub(crate) fn sample() -> Report {
        let weapons = result(
            &[
                ("weapon", "varchar"),
                ("purchases", "bigint"),
                ("share", "double"),
            ],
            json!([
                ["knife", 12, 0.5],
                ["=HYPERLINK(\"x\")", 7, 0.25],
                [null, 1, null],
                ["<script>alert(1)</script>", 12, -0.25]
            ]),
        );
        let days = result(
            &[("day", "date"), ("fights", "bigint")],
            json!([["2026-01-01", 3], ["2026-01-02", 9], ["2026-01-03", 4]]),
        );
        let players = result(&[("_col0", "bigint")], json!([[1234567]]));
        let empty = result(&[("username", "varchar"), ("n", "bigint")], json!([]));
        Report {
            title: "arena & friends".to_owned(),
            made: "2026-01-02 03:04 UTC".to_owned(),
            sections: vec![
                Section {
                    title: "Fights".to_owned(),
                    description: Some("What the arena saw.".to_owned()),
                    answers: vec![
                        answer("players", Some(ChartKind::Number), Ok(players)),
                        answer("weapons", Some(ChartKind::Bar), Ok(weapons.clone())),
                        answer("fights_per_day", Some(ChartKind::Line), Ok(days)),
                    ],
                },
                Section {
                    title: "More questions".to_owned(),
                    description: None,
                    answers: vec![
                        answer("weapons", None, Ok(weapons)),
                        answer("nobody", None, Ok(empty)),
                        answer("ratio", Some(ChartKind::Number), Err(NoAnswer::NoData)),
                        answer(
                            "broken",
                            None,
                            Err(NoAnswer::Failed("no such table".to_owned())),
                        ),
                    ],
                },
            ],
        }
    }

    #[test]
    fn maxima_are_of_numeric_columns_with_something_to_compare() {
        let table = result(
            &[
                ("name", "varchar"),
                ("n", "bigint"),
                ("same", "bigint"),
                ("d", "decimal(10,2)"),
            ],
            json!([["z", 1, 5, "1.50"], ["a", 3, 5, "10.25"], ["b", 3, 5, null]]),
        );
        let found = maxima(&table);
        assert_eq!(found, [None, Some(3.0), None, Some(10.25)]);
        assert!(is_maximum(&found, 1, &json!(3)) && !is_maximum(&found, 1, &json!(1)));
        assert!(is_maximum(&found, 3, &json!("10.25")) && !is_maximum(&found, 3, &Value::Null));
    }

    #[test]
    fn a_query_of_two_sections_is_one_answer() {
        let names: Vec<String> = sample()
            .answers()
            .iter()
            .map(|answer| answer.name.clone())
            .collect();
        assert_eq!(
            names,
            [
                "players",
                "weapons",
                "fights_per_day",
                "nobody",
                "ratio",
                "broken"
            ]
        );
    }
}
