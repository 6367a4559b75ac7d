//! `gamepipe game`: work on a definition without running it.

mod cases;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use gamepipe_domain::definition::problem::Problems;
use gamepipe_domain::definition::{Game, docs, schema, template};

use crate::exit::{Outcome, Usage};
use crate::games;
use crate::games::GameError;
use crate::output::{remark, say};
use crate::questions;

const AFTER_HELP: &str = "\
Examples:
  gamepipe game new mygame           a folder mygame/ with a small, complete game to edit
  gamepipe game check mygame         everything that is wrong with it, with line and column
  gamepipe up --game mygame
  gamepipe game render mygame | kubectl apply -f -
  gamepipe game docs mygame > mygame.md
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
    /// Tell everything that is wrong with definitions, by file, line and column; run the cases beside them
    ///
    /// Queries are tried on tables without rows, and charts compared with their columns. Cases are the files `cases/*.yaml`
    /// beside a definition: what an action must do in a given state. `game new` writes some.
    Check {
        /// Files, folders with a `game.yaml`, or games that come with gamepipe
        #[arg(required = true, value_name = "GAME")]
        games: Vec<PathBuf>,
    },
    /// Write a small, complete game to edit, in a new folder
    New {
        /// The game's name: lower-case letters, digits and `-`
        name: String,
        /// The folder; named like the game unless given
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print a game's documentation in Markdown: actions, events, tables, questions
    Docs {
        /// A file, a folder with a `game.yaml`, or a game that comes with gamepipe
        #[arg(value_name = "GAME")]
        game: String,
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
        GameCommand::New { name, dir } => new(&name, dir.as_deref())?,
        GameCommand::Docs { game } => say(docs::markdown(&*games::load(&game)?).trim_end())?,
        GameCommand::Render { game, format } => render(&game, format)?,
        GameCommand::Schema => say(&serde_json::to_string_pretty(&schema::json_schema())?)?,
    }
    Ok(Outcome::Done)
}

fn check(files: &[PathBuf]) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Done;
    for file in files {
        if !check_one(file)? {
            outcome = Outcome::Findings;
        }
    }
    Ok(outcome)
}

/// Tells what is wrong; true when nothing is.
fn check_one(file: &Path) -> anyhow::Result<bool> {
    let loaded = games::load_with_source(&file.to_string_lossy());
    let checked = loaded.and_then(|(game, source)| {
        super::block_on(questions::check(&game, &source))?;
        Ok(game)
    });
    let game = match checked {
        Ok(game) => game,
        Err(error) => {
            let Some(problems) = problems_in(&error) else {
                return Err(error);
            };
            say(&problems.to_string())?;
            remark(&format!(
                "{}: {}",
                file.display(),
                counted(problems.0.len(), "problem")
            ));
            return Ok(false);
        }
    };
    let (passed, failures) = cases::run(file, &game)?;
    for failure in &failures {
        say(failure)?;
    }
    if !failures.is_empty() {
        remark(&format!(
            "{}: {} failed, {passed} passed",
            file.display(),
            counted(failures.len(), "case")
        ));
        return Ok(false);
    }
    let mut counts = vec![
        counted(game.actions().count(), "action"),
        counted(game.tables().len(), "table"),
        game.queries().len().to_string()
            + if game.queries().len() == 1 {
                " query"
            } else {
                " queries"
            },
    ];
    if passed > 0 {
        counts.push(counted(passed, "case") + " passed");
    }
    say(&format!(
        "{}: the game {} is well formed: {}",
        file.display(),
        game.name(),
        counts.join(", ")
    ))?;
    Ok(true)
}

fn problems_in(error: &anyhow::Error) -> Option<&Problems> {
    match error.downcast_ref::<GameError>() {
        Some(GameError::Problems(problems)) => Some(problems),
        _ => error.downcast_ref::<Problems>(),
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn new(name: &str, dir: Option<&Path>) -> anyhow::Result<()> {
    let folder = dir.unwrap_or_else(|| Path::new(name));
    let files = template::new_game(name);
    let read = |wanted: &str| {
        let found = files.iter().find(|(path, _)| path == wanted);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| "no such file".to_owned())
    };
    // The template itself is sound, so the only thing that can be wrong is the name.
    let problem = Game::load("game.yaml", &read("game.yaml").unwrap_or_default(), &read).err();
    if let Some(problem) = problem.and_then(|problems| problems.0.into_iter().next()) {
        return Err(Usage(problem.message).into());
    }
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Usage(format!(
            "{} is there already and is not empty; choose another: --dir",
            folder.display()
        ))
        .into());
    }
    for (path, text) in &files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .with_context(|| format!("failed to create {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
        say(&format!("wrote {}", path.display()))?;
    }
    let folder = folder.display();
    say(&format!(
        "\nTry:\n  gamepipe game check {folder}\n  gamepipe up --game {folder}/game.yaml\n\
         then, beside it:\n  curl -X POST 'localhost:5000/arrive?name=ann'\n  \
         curl -X POST 'localhost:5000/cast?name=ann'\n  gamepipe sql 'select * from casts'"
    ))?;
    Ok(())
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
