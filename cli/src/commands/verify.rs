//! `gamepipe verify`: no gap, no duplicate, live or stopped.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::args::{ApiAddress, SqlAddress};
use crate::audit::{Report, live, stopped};
use crate::client::{Client, Role};
use crate::configuration;
use crate::exit::{Outcome, Usage};
use crate::games;
use crate::output::say;
use crate::results::table;
use crate::served;
use crate::terminal::Paint;
use crate::up::data_dir::DataDir;
use crate::up::layers::presumed;

const AFTER_HELP: &str = "\
Examples:
  gamepipe verify                              the pipeline that runs here
  gamepipe verify --data .gamepipe/arena       one that is stopped, from its files alone

Exit codes: 0 everything is in its table, once; 1 something is not, or it could not be checked; 2 wrong usage.";

/// Audit the lake: no gap, no duplicate
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    api: ApiAddress,
    #[command(flatten)]
    sql: SqlAddress,
    /// Audit the files of a stopped pipeline instead
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The definition of a stopped pipeline's game, when its directory holds none or another is meant
    #[arg(long, value_name = "FILE", requires = "data")]
    game: Option<String>,
    /// The file with a stopped pipeline's settings (YAML), when they say where its lake is
    #[arg(long, env = "GAMEPIPE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(args: VerifyArgs) -> anyhow::Result<Outcome> {
    let report = match &args.data {
        Some(data) => stopped(data, args.game.as_deref(), args.config.as_deref()).await?,
        None => {
            let api = Client::new(&args.api.api, Role::Api)?;
            let sql = Client::new(&args.sql.sql, Role::Sql)?;
            let game = served::game(&api).await?;
            live::audit(&sql, &game).await?
        }
    };
    say(&report.render(Paint::for_stdout(), table::terminal_width()))?;
    Ok(if report.is_clean() {
        Outcome::Done
    } else {
        Outcome::Findings
    })
}

async fn stopped(data: &Path, game: Option<&str>, config: Option<&Path>) -> anyhow::Result<Report> {
    let (held, name) = DataDir::take_existing(data)?;
    let remembered = held
        .definition_file()
        .map(|file| file.display().to_string());
    let game =
        games::load(game.or(remembered.as_deref()).unwrap_or(&name)).map_err(
            |error| match error.downcast::<Usage>() {
                Ok(_) => Usage(format!(
                    "{} is of the game {name}; name its definition: --game FILE",
                    data.display()
                ))
                .into(),
                Err(error) => error,
            },
        )?;
    if game.name() != name {
        return Err(Usage(format!(
            "{} is of the game {name}, not {}",
            data.display(),
            game.name()
        ))
        .into());
    }
    let settings = configuration::effective(presumed(held.path()), &[], config)?.settings;
    stopped::audit(&settings.lake, game).await
}
