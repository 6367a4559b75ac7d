//! `gamepipe game`: work on a definition without running it.

mod yaml;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use gamepipe_domain::definition::schema;

use crate::exit::Outcome;
use crate::games;
use crate::games::GameError;
use crate::output::{remark, say};

const AFTER_HELP: &str = "\
Examples:
  gamepipe game check mygame         everything that is wrong with it, with line and column
  gamepipe up --game mygame
  gamepipe game render mygame | kubectl apply -f -
  gamepipe game schema > game.schema.json

GAME is the name of a game that comes with gamepipe (arena, guild, market, quest, trade), a file, or a folder with a
`game.yaml`.";

/// Check, start or describe a game's definition
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct GameArgs {
    #[command(subcommand)]
    command: GameCommand,
}

#[derive(Debug, Subcommand)]
enum GameCommand {
    /// Tell everything that is wrong with definitions, by file, line and column
    Check {
        /// Files, folders with a `game.yaml`, or games that come with gamepipe
        #[arg(required = true, value_name = "GAME")]
        games: Vec<PathBuf>,
    },
    /// Print the one document that `kubectl apply` takes, with the files that the definition names inlined
    Render {
        /// A file, a folder with a `game.yaml`, or a game that comes with gamepipe
        #[arg(value_name = "GAME")]
        game: String,
        /// The form
        #[arg(long, value_enum, default_value = "yaml")]
        format: Form,
    },
    /// Print the JSON Schema of definitions, for editors
    Schema,
}

/// The forms of a rendered definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

pub(crate) fn run(args: GameArgs) -> anyhow::Result<Outcome> {
    match args.command {
        GameCommand::Check { games } => return check(&games),
        GameCommand::Render { game, format } => render(&game, format)?,
        GameCommand::Schema => say(&serde_json::to_string_pretty(&schema::json_schema())?)?,
    }
    Ok(Outcome::Done)
}

fn check(files: &[PathBuf]) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Done;
    for file in files {
        let error = match games::load(&file.to_string_lossy()) {
            Ok(game) => {
                let counts = [
                    (game.actions().count(), "actions"),
                    (game.tables().len(), "tables"),
                    (game.queries().len(), "queries"),
                ];
                let counts = counts
                    .map(|(count, noun)| format!("{count} {noun}"))
                    .join(", ");
                say(&format!(
                    "{}: the game {} is well formed: {counts}",
                    file.display(),
                    game.name()
                ))?;
                continue;
            }
            Err(error) => error,
        };
        let Some(GameError::Problems(problems)) = error.downcast_ref::<GameError>() else {
            return Err(error);
        };
        say(&problems.to_string())?;
        let noun = if problems.0.len() == 1 {
            "problem"
        } else {
            "problems"
        };
        remark(&format!("{}: {} {noun}", file.display(), problems.0.len()));
        outcome = Outcome::Findings;
    }
    Ok(outcome)
}

fn render(game: &str, format: Form) -> anyhow::Result<()> {
    let game = games::load(game)?;
    let document = serde_json::to_value(game.document())?;
    match format {
        Form::Yaml => say(yaml::write(&document).trim_end())?,
        Form::Json => say(&serde_json::to_string_pretty(&document)?)?,
    }
    Ok(())
}
