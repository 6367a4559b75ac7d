//! `gamepipe sql`: one-shot queries, and a shell when there is none.

mod complete;
mod run;
mod shell;
mod split;

use std::fs;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::args::SqlAddress;
use crate::client::{Client, Role};
use crate::exit::{Outcome, Usage};

const AFTER_HELP: &str = "\
Examples:
  gamepipe sql                                          a shell: \\? for help, \\q to leave
  gamepipe sql 'select count(*) from player_events'     one query
  gamepipe sql --format csv 'select * from trades' > trades.csv
  gamepipe sql -f questions.sql                         statements in a file, each ended by a semicolon
  echo 'show tables' | gamepipe sql

Tables: the game's own stand in the schema named like the game; `<game>_raw` has them with the system columns,
and the system tables beside them. Only reading is possible. csv and json (one object a line) stream, up to the
server's setting sql.maxRows (10,000,000 unless set): a longer answer is cut off there, with an error.";

/// Ask the tables: a shell, or one query
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SqlArgs {
    #[command(flatten)]
    sql: SqlAddress,
    /// The form of answers
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Read the statements from a file; `-` is standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "query")]
    file: Option<PathBuf>,
    /// The most rows that a table shows
    #[arg(long, value_name = "N", default_value = "1000")]
    max_rows: u64,
    /// Print how long each query took
    #[arg(long)]
    timing: bool,
    /// The SQL; a shell starts when there is neither a query, nor a file, nor a pipe
    #[arg(value_name = "QUERY")]
    query: Option<String>,
}

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// RFC 4180 with a header, exact text
    Csv,
    /// One JSON object a line
    Json,
}

pub(crate) fn run(args: SqlArgs) -> anyhow::Result<Outcome> {
    let runtime = super::client_runtime()?;
    let client = Client::new(&args.sql.sql, Role::Sql)?;
    let options = run::Options {
        format: args.format,
        max_rows: args.max_rows,
        timing: args.timing,
    };
    let Some(text) = statements(&args)? else {
        return shell::run(&runtime, &client, options);
    };
    let statements = split::statements(&text);
    if statements.is_empty() {
        return Err(Usage("there is no SQL in what was given".to_owned()).into());
    }
    for statement in statements {
        runtime.block_on(run::statement(&client, statement, options))?;
    }
    Ok(Outcome::Done)
}

/// What to run, or `None` for a shell.
fn statements(args: &SqlArgs) -> anyhow::Result<Option<String>> {
    if let Some(query) = &args.query {
        return Ok(Some(query.clone()));
    }
    match &args.file {
        Some(path) if path.as_os_str() != "-" => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("failed to read {}", path.display()))?;
            Ok(Some(text))
        }
        None if std::io::stdin().is_terminal() => Ok(None),
        _ => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("failed to read standard input")?;
            Ok(Some(text))
        }
    }
}
