//! Runs one statement and prints its answer.

use std::io::Write;
use std::time::Instant;

use http_body_util::BodyExt;

use super::Format;
use crate::client::{Client, Problem};
use crate::output;
use crate::results::{fetch, table};

/// The trailer that says that a query has failed after its answer had begun.
const QUERY_ERROR: &str = "x-query-error";

/// How answers are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) format: Format,
    pub(crate) max_rows: u64,
    pub(crate) timing: bool,
}

/// Runs a statement and prints its answer in the wanted form. An error that has a place is shown with it.
pub(crate) async fn statement(client: &Client, sql: &str, options: Options) -> anyhow::Result<()> {
    let started = Instant::now();
    let answered = match options.format {
        Format::Table => show_table(client, sql, options).await,
        Format::Csv => pass_on(client, sql, "text/csv").await,
        Format::Json => pass_on(client, sql, "application/x-ndjson").await,
    };
    answered.map_err(|error| with_place(error, sql))?;
    if options.timing {
        output::remark(&format!(
            "Time: {:.1} ms",
            started.elapsed().as_secs_f64() * 1000.0
        ));
    }
    Ok(())
}

async fn show_table(client: &Client, sql: &str, options: Options) -> anyhow::Result<()> {
    let result = fetch::query(client, sql, options.max_rows).await?;
    output::say(&table::draw(&result, table::terminal_width()))?;
    Ok(output::say(&table::count_line(&result))?)
}

/// Streams the endpoint's own form to standard output.
async fn pass_on(client: &Client, sql: &str, accept: &'static str) -> anyhow::Result<()> {
    let response = fetch::stream(client, sql, accept).await?;
    let id = fetch::query_id(&response);
    let mut body = response.into_body();
    let mut out = output::stdout();
    let mut is_whole = true;
    while let Some(frame) = body.frame().await {
        // CSV can't say that it is not whole, so the endpoint cuts it off; other forms say so at their end.
        let Ok(frame) = frame else {
            is_whole = false;
            break;
        };
        match frame.into_data() {
            Ok(data) => out.write_all(&data)?,
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                is_whole &= !trailers.contains_key(QUERY_ERROR);
            }
        }
    }
    out.flush()?;
    if is_whole {
        return Ok(());
    }
    Err(fetch::failure(client, id.as_deref()).await)
}

/// Adds the line that an error speaks of, with a caret below its column.
fn with_place(error: anyhow::Error, sql: &str) -> anyhow::Error {
    match error.downcast::<Problem>() {
        Ok(problem) => match placed(&problem, sql) {
            Some(text) => anyhow::anyhow!(text),
            None => problem.into(),
        },
        Err(error) => error,
    }
}

fn placed(problem: &Problem, sql: &str) -> Option<String> {
    let (line, column) = (problem.line?, problem.column?);
    let text = sql.lines().nth(line.checked_sub(1)?)?;
    let head: String = text.chars().take(column.checked_sub(1)?).collect();
    // Tabs keep their width, so that the caret stands below its character.
    let indent: String = head
        .chars()
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let text = crate::terminal::printable(text).replace("\\t", "\t");
    let told = problem.to_string();
    // The endpoint's text may begin with the place too.
    let told = told
        .strip_prefix(&format!("line {line}:{column}: "))
        .unwrap_or(&told);
    Some(format!(
        "{told}\n  line {line}, column {column}:\n  {text}\n  {indent}^"
    ))
}

#[cfg(test)]
mod tests {
    use super::placed;
    use crate::client::Problem;

    fn problem(line: usize, column: usize) -> Problem {
        let (code, detail) = ("COLUMN_NOT_FOUND".to_owned(), "no column nam".to_owned());
        Problem {
            status: 400,
            code,
            detail,
            line: Some(line),
            column: Some(column),
        }
    }

    #[test]
    fn an_error_points_at_its_column() {
        let text =
            placed(&problem(2, 10), "select a,\n  count(nam)\nfrom t").expect("the place exists");
        assert_eq!(
            text,
            "no column nam (COLUMN_NOT_FOUND)\n  line 2, column 10:\n    count(nam)\n           ^"
        );
    }

    #[test]
    fn a_place_outside_of_the_text_is_left_out() {
        assert_eq!(placed(&problem(3, 1), "select 1"), None);
        assert_eq!(placed(&problem(0, 0), "select 1"), None);
    }
}
