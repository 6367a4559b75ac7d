//! Asks a running pipeline for what a report tells.

use gamepipe_service::clock::{Clock, SystemClock};

use super::model::{Answer, NoAnswer, Report, Section};
use crate::client::{Client, Problem};
use crate::exit::Usage;
use crate::results::fetch::{self, NamedQuery, NamedReport};

/// The title of the questions that no report names.
const OTHER_QUESTIONS: &str = "Questions";

/// Asks for the queries and reports of these names; everything when there are none. A query that fails does not spoil
/// the others: its answer says why.
pub(crate) async fn gather(
    client: &Client,
    title: &str,
    names: &[String],
) -> anyhow::Result<Report> {
    let queries = fetch::queries(client).await?;
    let reports = fetch::reports(client).await?;
    let plan = plan(&queries, &reports, names)?;
    let mut sections = Vec::with_capacity(plan.len());
    for part in plan {
        let mut answers = Vec::with_capacity(part.queries.len());
        for query in part.queries {
            answers.push(answer(client, query).await?);
        }
        sections.push(Section {
            title: part.title,
            description: part.description,
            answers,
        });
    }
    Ok(Report {
        title: title.to_owned(),
        made: now(),
        sections,
    })
}

/// A section before its questions are asked.
#[derive(Debug)]
struct Part<'a> {
    title: String,
    description: Option<String>,
    queries: Vec<&'a NamedQuery>,
}

fn plan<'a>(
    queries: &'a [NamedQuery],
    reports: &[NamedReport],
    names: &[String],
) -> Result<Vec<Part<'a>>, Usage> {
    let find = |name: &str| queries.iter().find(|query| query.name == name);
    let section = |report: &NamedReport| Part {
        title: report.title.clone(),
        description: report.description.clone(),
        queries: report
            .queries
            .iter()
            .filter_map(|name| find(name))
            .collect(),
    };
    let mut parts: Vec<Part<'a>> = Vec::new();
    let mut single: Vec<&NamedQuery> = Vec::new();
    if names.is_empty() {
        parts.extend(reports.iter().map(section));
        let named = |query: &NamedQuery| {
            reports
                .iter()
                .any(|report| report.queries.contains(&query.name))
        };
        single.extend(queries.iter().filter(|query| !named(query)));
    }
    for name in names {
        if let Some(report) = reports.iter().find(|report| report.name == *name) {
            parts.push(section(report));
        } else if let Some(query) = find(name) {
            single.push(query);
        } else {
            let known: Vec<&str> = reports
                .iter()
                .map(|report| report.name.as_str())
                .chain(queries.iter().map(|query| query.name.as_str()))
                .collect();
            return Err(Usage(format!(
                "no query or report is called {name:?}; there are {}",
                known.join(", ")
            )));
        }
    }
    if !single.is_empty() {
        parts.push(Part {
            title: OTHER_QUESTIONS.to_owned(),
            description: None,
            queries: single,
        });
    }
    Ok(parts)
}

async fn answer(client: &Client, query: &NamedQuery) -> anyhow::Result<Answer> {
    let result = match fetch::named(client, &query.name).await {
        Ok(result) => Ok(result),
        Err(error) => Err(match error.downcast::<Problem>() {
            // On an empty table a ratio divides by zero, as it would in Presto: nothing is wrong but that nobody played.
            Ok(problem) if problem.code == "DIVISION_BY_ZERO" => NoAnswer::NoData,
            Ok(problem) => NoAnswer::Failed(problem.to_string()),
            // The endpoint is gone: so is every other answer.
            Err(error) => return Err(error),
        }),
    };
    Ok(Answer {
        name: query.name.clone(),
        title: query.title.clone(),
        sql: query.sql.clone(),
        chart: query.chart.clone(),
        result,
    })
}

/// The time, to the minute.
fn now() -> String {
    minute(SystemClock.now_micros())
}

fn minute(micros: i64) -> String {
    let text = gamepipe_domain::time::Timestamp::from_micros(micros).to_rfc3339();
    let date = text.get(..10).unwrap_or_default();
    let time = text.get(11..16).unwrap_or_default();
    format!("{date} {time} UTC")
}

#[cfg(test)]
mod tests {
    use super::{minute, plan};
    use crate::results::fetch::{NamedQuery, NamedReport};

    fn queries() -> Vec<NamedQuery> {
        ["a", "b", "c"]
            .map(|name| NamedQuery {
                name: name.to_owned(),
                title: name.to_uppercase(),
                sql: String::new(),
                chart: None,
            })
            .to_vec()
    }

    fn reports() -> Vec<NamedReport> {
        let queries = vec!["c".to_owned(), "a".to_owned()];
        vec![NamedReport {
            name: "standings".to_owned(),
            title: "Standings".to_owned(),
            description: None,
            queries,
        }]
    }

    fn titles(names: &[&str]) -> Vec<(String, Vec<String>)> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (queries, reports) = (queries(), reports());
        let parts = plan(&queries, &reports, &names).expect("all names are known");
        let names_of =
            |queries: Vec<&NamedQuery>| queries.iter().map(|query| query.name.clone()).collect();
        parts
            .into_iter()
            .map(|part| (part.title, names_of(part.queries)))
            .collect()
    }

    #[test]
    fn without_names_reports_come_first_and_then_the_other_questions() {
        let expected = [
            ("Standings".to_owned(), vec!["c".to_owned(), "a".to_owned()]),
            ("Questions".to_owned(), vec!["b".to_owned()]),
        ];
        assert_eq!(titles(&[]), expected);
    }

    #[test]
    fn a_name_is_a_report_or_a_query_and_an_unknown_one_lists_all() {
        assert_eq!(
            titles(&["b"]),
            [("Questions".to_owned(), vec!["b".to_owned()])]
        );
        assert_eq!(titles(&["standings"]).len(), 1);
        let error = plan(&queries(), &reports(), &["d".to_owned()])
            .expect_err("d is unknown")
            .to_string();
        assert!(error.contains("standings, a, b, c"), "{error}");
    }

    #[test]
    fn the_date_of_a_report_is_to_the_minute() {
        assert_eq!(minute(1_767_323_045_000_006), "2026-01-02 03:04 UTC");
    }
}
