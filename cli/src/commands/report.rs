//! `gamepipe report`: the game's questions answered, as a page, a workbook or CSV.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::args::SqlAddress;
use crate::client::{Client, Role};
use crate::exit::{Outcome, Usage};
use crate::output::{self, remark};
use crate::report::model::Report;
use crate::report::{csv, gather, html, summary, xlsx};
use crate::results::{fetch, table, text_of};
use crate::terminal::Paint;

const AFTER_HELP: &str = "\
Examples:
  gamepipe report                                  all answers, as tables on the terminal
  gamepipe report -o report.html                   one page with charts; needs no network and no other file
  gamepipe report -o report.xlsx player_standings  a workbook, a sheet per query
  gamepipe report --format csv -o answers/         a folder with a file per query
  gamepipe report --format csv players_killed      one answer on standard output

The form follows the name of the file unless --format says otherwise. In CSV, text that a spreadsheet would run as a
formula gets an apostrophe in front; `gamepipe sql --format csv` gives exact text.
A question without data yet, or that fails, does not spoil the others: exit code 1 says that one failed.";

/// Answer the game's questions: a page with charts, a workbook, or CSV
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    sql: SqlAddress,
    /// The form of the report
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// Where to write it: a file, or a folder for CSV
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// The report's title
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Queries or reports; all when none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Tables for the terminal
    Text,
    /// One self-contained page
    Html,
    /// A file per query, or standard output for one
    Csv,
    /// One workbook, a sheet per query
    Xlsx,
}

pub(crate) async fn run(args: ReportArgs) -> anyhow::Result<Outcome> {
    let form = args.form()?;
    let client = Client::new(&args.sql.sql, Role::Sql)?;
    let title = match &args.title {
        Some(title) => title.clone(),
        None => format!("The game {}", game_name(&client).await?),
    };
    let report = gather::gather(&client, &title, &args.names).await?;
    match form {
        Form::Text => write_text(args.output.as_deref(), &report)?,
        Form::Html => write_bytes(args.output.as_deref(), html::render(&report).as_bytes())?,
        Form::Xlsx => {
            let bytes = xlsx::render(&report).context("failed to make the workbook")?;
            write_bytes(args.output.as_deref(), &bytes)?;
        }
        Form::Csv => write_csv(args.output.as_deref(), &report)?,
    }
    let mut outcome = Outcome::Done;
    for (answer, reason) in report.failures() {
        remark(&format!("{}: {reason}", answer.name));
        outcome = Outcome::Findings;
    }
    Ok(outcome)
}

impl ReportArgs {
    /// The form asked for, or the one that the file's name tells; text when neither does.
    fn form(&self) -> Result<Form, Usage> {
        let by_name = self
            .output
            .as_deref()
            .and_then(Path::extension)
            .and_then(|extension| match extension.to_str()? {
                "html" | "htm" => Some(Form::Html),
                "xlsx" => Some(Form::Xlsx),
                "csv" => Some(Form::Csv),
                "txt" => Some(Form::Text),
                _ => None,
            });
        let form = match (self.format, by_name, &self.output) {
            (Some(form), ..) | (None, Some(form), _) => form,
            (None, None, None) => Form::Text,
            (None, None, Some(path)) => {
                let path = path.display();
                return Err(Usage(format!(
                    "{path} does not tell the form; add --format html, csv, xlsx or text"
                )));
            }
        };
        if self.output.is_none() && form == Form::Xlsx {
            return Err(Usage("a workbook needs a file: -o report.xlsx".to_owned()));
        }
        Ok(form)
    }
}

/// The game's name as SQL has it: the schema with a `_raw` beside it.
async fn game_name(client: &Client) -> anyhow::Result<String> {
    let schemas = fetch::query(client, "show schemas from lake", MAX_SCHEMAS).await?;
    let names: Vec<String> = schemas
        .rows
        .iter()
        .filter_map(|row| text_of(row.first()?))
        .collect();
    let has_raw = |name: &&String| names.contains(&format!("{name}_raw"));
    Ok(names
        .iter()
        .find(has_raw)
        .map_or_else(|| "Game".to_owned(), |name| name.replace('_', "-")))
}

/// More schemas than a lake of one game has.
const MAX_SCHEMAS: u64 = 100;

fn write_text(path: Option<&Path>, report: &Report) -> anyhow::Result<()> {
    let head = format!("{}, as of {}\n\n", report.title, report.made);
    match path {
        Some(path) => write_file(
            path,
            (head + &summary::render(report, Paint::never(), None)).as_bytes(),
        ),
        None => {
            let text =
                head + &summary::render(report, Paint::for_stdout(), table::terminal_width());
            write_bytes(None, text.as_bytes())
        }
    }
}

fn write_bytes(path: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    match path {
        Some(path) => write_file(path, bytes),
        None => {
            let mut out = output::stdout();
            out.write_all(bytes)?;
            Ok(out.flush()?)
        }
    }
}

/// CSV has no place for two tables in one file: one answer may go to standard output or a `.csv` file, more need a folder.
fn write_csv(path: Option<&Path>, report: &Report) -> anyhow::Result<()> {
    let answers = report.answers();
    let is_file =
        path.is_some_and(|path| path.extension().is_some_and(|extension| extension == "csv"));
    if path.is_none() || is_file {
        let [answer] = answers.as_slice() else {
            let count = answers.len();
            return Err(Usage(format!("CSV holds one answer and there are {count}; name one query, or a folder: -o answers/")).into());
        };
        let mut bytes = Vec::new();
        if let Ok(result) = &answer.result {
            csv::write(&mut bytes, result)?;
        }
        return write_bytes(path, &bytes);
    }
    let folder = path.unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    let mut written = 0;
    for answer in &answers {
        let Ok(result) = &answer.result else { continue };
        let mut bytes = Vec::new();
        csv::write(&mut bytes, result)?;
        let file = folder.join(format!("{}.csv", answer.name));
        fs::write(&file, bytes).with_context(|| format!("failed to write {}", file.display()))?;
        written += 1;
    }
    remark(&format!("wrote {written} files to {}", folder.display()));
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("failed to write {}", path.display()))?;
    remark(&format!("wrote {}", path.display()));
    Ok(())
}
