//! The command line: what every subcommand shares. Each subcommand's own arguments stand in its file.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, ValueEnum};
use gamepipe_service::telemetry::{LogFormat, start_logging};

use crate::commands::Command;
use crate::exit::Usage;
use crate::games;

/// Colours of the help. clap leaves them out by itself when `NO_COLOR` is set or the output is not a terminal.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Try it:
  gamepipe up                        the game `arena`, everything in one process
  gamepipe play --requests 1000      simulated players, and a proof that nothing got lost
  gamepipe sql 'show tables'         ask the tables
  gamepipe report -o report.html     the game's own questions, answered with charts

Exit codes: 0 done; 1 failed, or something was found; 2 wrong usage; 130 interrupted before it was done.
Colours are used on a terminal only, and never when NO_COLOR is set.";

/// Turns what players do into tables that anyone can query seconds later.
///
/// A game's rules, events and tables are one YAML file. gamepipe serves the game's HTTP API, records what happens
/// together with the change of state, lands every event exactly once in open Delta tables, and answers SQL.
#[derive(Debug, Parser)]
#[command(
    name = "gamepipe",
    version,
    styles = STYLES,
    after_help = AFTER_HELP,
    max_term_width = 110,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) logging: Logging,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Logs go to standard error; what a command answers goes to standard output.
#[derive(Debug, Args)]
pub(crate) struct Logging {
    /// Which log lines to show, such as `debug` or `info,gamepipe_api=trace`
    #[arg(
        long,
        global = true,
        env = "GAMEPIPE_LOG",
        value_name = "FILTER",
        default_value = "warn"
    )]
    pub(crate) log: String,
    /// The form of log lines
    #[arg(
        long,
        global = true,
        env = LOG_FORMAT_VARIABLE,
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogForm,
}

/// The variable of [`Logging::log_format`]: its name looks like that of a setting of the event log.
pub(crate) const LOG_FORMAT_VARIABLE: &str = "GAMEPIPE_LOG_FORMAT";

/// The forms of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Cli {
    pub(crate) fn start_logging(&self) -> anyhow::Result<()> {
        let format = match self.logging.log_format {
            LogForm::Text => LogFormat::Text,
            LogForm::Json => LogFormat::Json,
        };
        let filter = &self.logging.log;
        start_logging(filter, format).map_err(|reason| {
            let message = format!(
                "--log (GAMEPIPE_LOG) can't be {filter:?}: {reason}; expected such as `debug` or `info,gamepipe_api=trace`"
            );
            Usage(message).into()
        })
    }
}

/// Which pipeline a role or a repair is of.
#[derive(Debug, Args)]
pub(crate) struct Pipeline {
    /// A game that comes with gamepipe (arena, guild, market, quest, trade), or a definition's file or folder
    #[arg(long, env = "GAMEPIPE_GAME", value_name = "NAME|FILE", default_value = games::DEFAULT_GAME)]
    pub(crate) game: String,
    /// A file with settings (YAML)
    #[arg(long, env = "GAMEPIPE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Where a running pipeline answers SQL.
#[derive(Debug, Clone, Args)]
pub(crate) struct SqlAddress {
    /// The SQL endpoint
    #[arg(
        long,
        env = "GAMEPIPE_SQL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) sql: String,
}

/// Where a running pipeline serves its game.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApiAddress {
    /// The game's API
    #[arg(
        long,
        env = "GAMEPIPE_API",
        value_name = "URL",
        default_value = "http://127.0.0.1:5000"
    )]
    pub(crate) api: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_of_every_command_is_as_reviewed() {
        let mut text = String::new();
        collect(&mut Cli::command().term_width(100), &mut text);
        insta::assert_snapshot!(text);
    }

    fn collect(command: &mut clap::Command, text: &mut String) {
        let name = command.get_name().to_owned();
        text.push_str(&format!("== {name}\n{}\n", command.render_long_help()));
        let names: Vec<String> = command
            .get_subcommands()
            .map(|sub| sub.get_name().to_owned())
            .collect();
        for name in names {
            if let Some(sub) = command.find_subcommand_mut(&name) {
                *sub = sub.clone().term_width(100);
                collect(sub, text);
            }
        }
    }
}
