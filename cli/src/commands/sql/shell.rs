//! The SQL shell: statements over any number of lines until a semicolon, and a few commands that begin with `\`.

use std::path::PathBuf;

use anyhow::Context;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::runtime::Runtime;

use super::complete::{COMMANDS, ShellHelper};
use super::run::{self, Options};
use super::{Format, split};
use crate::client::Client;
use crate::exit::{Outcome, describe};
use crate::output::{remark, say};
use crate::results::{ResultSet, fetch, table, text_of};

const HELP: &str = "\
A statement ends with a semicolon and may have many lines. Tab completes. Ctrl-C cancels a running query or
clears the line; Ctrl-D, exit and quit leave.
  \\d              the tables            \\d TABLE        a table's columns
  \\queries        the game's questions  \\run NAME       answer one of them
  \\format FORMAT  table, csv or json    \\timing         tell how long queries take, or not
  \\?              this help             \\q              leave";

/// The most tables and columns that completion knows: a page of names, not the whole memory.
const MAX_NAMES: u64 = 10_000;
/// The most lines of the history file.
const MAX_HISTORY: usize = 10_000;

/// What a line asked for.
enum Next {
    Continue,
    Leave,
}

/// Reads and runs until the end of input.
pub(crate) fn run(
    runtime: &Runtime,
    client: &Client,
    mut options: Options,
) -> anyhow::Result<Outcome> {
    let names = runtime.block_on(names(client))?;
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(MAX_HISTORY)
        .and_then(|builder| builder.history_ignore_dups(true))
        .context("failed to set up the line editor")?
        .build();
    let mut editor: Editor<ShellHelper, FileHistory> =
        Editor::with_config(config).context("failed to set up the line editor")?;
    editor.set_helper(Some(ShellHelper { names }));
    let history = history_file();
    if let Some(path) = &history {
        // No history yet is how everybody starts.
        let _ = editor.load_history(path);
    }
    say(&format!(
        "gamepipe SQL at {}; \\? for help, \\q to leave",
        client.base()
    ))?;
    options.timing = true;
    loop {
        match editor.readline("sql> ") {
            Ok(line) if split::is_blank(&line) => {}
            Ok(line) => {
                let _ = editor.add_history_entry(line.trim());
                if matches!(
                    step(runtime, client, line.trim(), &mut options)?,
                    Next::Leave
                ) {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("failed to read a line"),
        }
    }
    if let Some(path) = &history {
        save_history(&mut editor, path);
    }
    Ok(Outcome::Done)
}

fn step(
    runtime: &Runtime,
    client: &Client,
    line: &str,
    options: &mut Options,
) -> anyhow::Result<Next> {
    if split::leaves(line) {
        return Ok(Next::Leave);
    }
    if line.starts_with('\\') {
        return command(runtime, client, line.trim_end_matches(';').trim(), options);
    }
    for statement in split::statements(line) {
        run_cancellable(runtime, run::statement(client, statement, *options))?;
    }
    Ok(Next::Continue)
}

fn command(
    runtime: &Runtime,
    client: &Client,
    line: &str,
    options: &mut Options,
) -> anyhow::Result<Next> {
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = argument.trim();
    match (name, argument) {
        ("\\q", _) => return Ok(Next::Leave),
        ("\\?", _) => say(HELP)?,
        ("\\timing", _) => {
            options.timing = !options.timing;
            say(if options.timing {
                "timing is on"
            } else {
                "timing is off"
            })?;
        }
        ("\\format", "table") => options.format = Format::Table,
        ("\\format", "csv") => options.format = Format::Csv,
        ("\\format", "json") => options.format = Format::Json,
        ("\\format", _) => remark("\\format takes table, csv or json"),
        ("\\d", "") => run_cancellable(runtime, run::statement(client, "show tables", *options))?,
        ("\\d", name) => {
            let sql = format!("describe {}", name_in_sql(name));
            run_cancellable(runtime, run::statement(client, &sql, *options))?;
        }
        ("\\queries", _) => run_cancellable(runtime, list_queries(client))?,
        ("\\run", name) if !name.is_empty() => run_cancellable(runtime, run_named(client, name))?,
        _ => remark(&format!(
            "{name} is none of {}; \\? explains them",
            COMMANDS.join(" ")
        )),
    }
    Ok(Next::Continue)
}

/// Runs until done or Ctrl-C; an interrupted query's connection is dropped, which cancels it at the endpoint too.
/// A failed query is told and the shell goes on; only a closed output ends it.
fn run_cancellable(
    runtime: &Runtime,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let done = runtime.block_on(async {
        tokio::select! {
            done = work => Some(done),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    match done {
        None => remark("cancelled"),
        Some(Err(error)) if error.downcast_ref::<std::io::Error>().is_some() => return Err(error),
        Some(Err(error)) => remark(&format!("error: {}", describe(&error))),
        Some(Ok(())) => {}
    }
    Ok(())
}

async fn list_queries(client: &Client) -> anyhow::Result<()> {
    let queries = fetch::queries(client).await?;
    let rows: Vec<_> = queries
        .iter()
        .map(|query| [query.name.as_str(), query.title.as_str()])
        .collect();
    let columns = serde_json::json!([{"name": "query", "type": "varchar"}, {"name": "title", "type": "varchar"}]);
    let result: ResultSet =
        serde_json::from_value(serde_json::json!({ "columns": columns, "rows": rows }))?;
    Ok(say(&table::draw(&result, table::terminal_width()))?)
}

async fn run_named(client: &Client, name: &str) -> anyhow::Result<()> {
    let result = fetch::named(client, name).await?;
    say(&table::draw(&result, table::terminal_width()))?;
    Ok(say(&table::count_line(&result))?)
}

/// A name as the user typed it, quoted where it needs it; `schema.table` stays two names.
fn name_in_sql(name: &str) -> String {
    let plain = |part: &str| {
        part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || part.starts_with('"')
    };
    let parts = name.split('.').map(|part| {
        if plain(part) {
            part.to_owned()
        } else {
            format!("\"{}\"", part.replace('"', "\"\""))
        }
    });
    parts.collect::<Vec<_>>().join(".")
}

/// Tables, columns and named queries for completion.
async fn names(client: &Client) -> anyhow::Result<Vec<String>> {
    const SQL: &str = "select table_name from information_schema.columns union select column_name from information_schema.columns";
    let mut names: Vec<String> = fetch::queries(client)
        .await?
        .into_iter()
        .map(|query| query.name)
        .collect();
    // Completion is a comfort: without it the shell still works.
    if let Ok(result) = fetch::query(client, SQL, MAX_NAMES).await {
        names.extend(result.rows.iter().filter_map(|row| text_of(row.first()?)));
    }
    Ok(names)
}

/// The history's file in the user's folder for state (XDG); none when there is no home.
fn history_file() -> Option<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".local/state"),
    };
    Some(state.join("gamepipe").join("sql_history"))
}

fn save_history(editor: &mut Editor<ShellHelper, FileHistory>, path: &std::path::Path) {
    let folder = path.parent().unwrap_or(path);
    let saved = std::fs::create_dir_all(folder)
        .map_err(ReadlineError::from)
        .and_then(|()| editor.save_history(path));
    if let Err(error) = saved {
        remark(&format!(
            "the history was not saved to {}: {error}",
            path.display()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::name_in_sql;

    #[test]
    fn names_are_quoted_only_where_they_need_it() {
        assert_eq!(name_in_sql("player_events"), "player_events");
        assert_eq!(name_in_sql("arena_raw._epochs"), "arena_raw._epochs");
        assert_eq!(name_in_sql("odd name"), "\"odd name\"");
        assert_eq!(name_in_sql("\"a b\""), "\"a b\"");
    }
}
