//! `gamepipe up`: everything, embedded, in one process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use gamepipe_config::load::Effective;
use gamepipe_config::reference;
use gamepipe_domain::definition::Game;
use gamepipe_service::Shutdown;

use super::play::{self, Session};
use crate::client::{Client, Role};
use crate::configuration;
use crate::exit::{INTERRUPTED, Outcome};
use crate::games;
use crate::output::{remark, say};
use crate::questions;
use crate::report::{gather, summary};
use crate::results::table;
use crate::signals::Signals;
use crate::terminal::Paint;
use crate::up::banner::{self, Places};
use crate::up::changes;
use crate::up::data_dir::DataDir;
use crate::up::layers::presumed;
use crate::up::stack::{Listeners, Stack};

/// How long an interrupted play may take to say how far it came: requests in flight take milliseconds.
const SUMMARY: Duration = Duration::from_secs(2);

const AFTER_HELP: &str = "\
Examples:
  gamepipe up                                 the game `arena`, data in .gamepipe/arena
  gamepipe up --game quest --play 1000        simulated players at once, and the answers to the game's questions
  gamepipe up --game mygame/game.yaml
  gamepipe up --api 0.0.0.0:5000 --sql 127.0.0.1:0
  gamepipe up --play 500 --exit               play, verify, end: exit code 0 if all is well

Settings: flags, then variables such as GAMEPIPE_API_MAX_IN_FLIGHT, then the file of --config, then defaults;
those in force are printed at start, and --settings explains all of them.

Ctrl-C or SIGTERM drains: requests in flight finish and all that was acknowledged lands, within 10 seconds. A second
Ctrl-C ends at once; nothing acknowledged is lost by that either, it lands at the next start.
A definition that has changed is compared with the one that the data was last used with: what the data can't
follow is refused, what is lost is told (docs/guides/your-own-game.md).

Exit codes: 0 stopped as asked; 1 a part failed, or --play found something; 2 wrong usage;
130 --play with --exit was interrupted, or the second Ctrl-C.";

/// Run a whole game pipeline in this process: API, streamer, SQL and their stores
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct UpArgs {
    /// A game that comes with gamepipe (arena, guild, market, quest, trade), or a definition's file or folder
    #[arg(long, env = "GAMEPIPE_GAME", value_name = "NAME|FILE", default_value = games::DEFAULT_GAME)]
    game: String,
    /// Where everything is kept; .gamepipe/<game> unless given
    #[arg(long, env = "GAMEPIPE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the API listens; 127.0.0.1:5000 unless set
    #[arg(long, value_name = "ADDR")]
    api: Option<String>,
    /// Where SQL listens; 127.0.0.1:8080 unless set
    #[arg(long, value_name = "ADDR")]
    sql: Option<String>,
    /// Start although the definition has changed in a way that the data can't follow
    #[arg(long)]
    accept_changes: bool,
    /// Print every setting with its variable, its default and what it means, in Markdown, and end
    #[arg(long)]
    settings: bool,
    /// A file with settings (YAML)
    #[arg(long, env = "GAMEPIPE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let simulated players send this many requests, verify the lake, and answer the game's questions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    play: Option<u64>,
    /// End after --play: exit code 0 if all is well, 1 if not
    #[arg(long, requires = "play")]
    exit: bool,
}

pub(crate) async fn run(args: UpArgs) -> anyhow::Result<Outcome> {
    if args.settings {
        let data = std::path::Path::new(".gamepipe/<game>");
        say(reference::markdown(&presumed(data))?.trim_end())?;
        return Ok(Outcome::Done);
    }
    let began = Instant::now();
    let mut signals = Signals::new()?;
    let (game, source) = games::load_with_source(&args.game)?;
    questions::check(&game, &source).await?;
    let data = args
        .data
        .clone()
        .unwrap_or_else(|| PathBuf::from(".gamepipe").join(game.name()));
    let effective = settings(&args, &data)?;
    // The addresses first: a start that is refused for them leaves no directory behind.
    let listeners = Listeners::bind(&effective.settings).await?;
    let data = DataDir::take(&data, game.name())?;
    changes::check(&data, &game, args.accept_changes)?;
    let paint = Paint::for_stderr();
    for line in effective.lines() {
        remark(&paint.dim(&line));
    }
    let remember = || data.remember(game.document());
    let mut stack =
        Stack::start(effective.settings, Arc::clone(&game), listeners, remember).await?;
    let places = Places {
        api: stack.api,
        sql: stack.sql,
        data: data.path(),
    };
    say(&banner::render(
        &game,
        &places,
        began.elapsed(),
        Paint::for_stdout(),
    ))?;

    let stop = Shutdown::new();
    let session = args
        .play
        .map(|requests| session(&game, &stack, requests, stop.clone()));
    let outcome = until_stopped(&args, &mut stack, &mut signals, &stop, session).await;
    if !args.exit {
        remark("stopping: what was acknowledged lands first");
    }
    let drained = tokio::select! {
        drained = stack.drain() => drained,
        () = signals.first() => std::process::exit(INTERRUPTED.into()),
    };
    // The directory is free when every part has let go of it.
    drop(data);
    let outcome = outcome?;
    drained.map(|()| outcome)
}

/// Waits for a signal, the failure of a part, or with `--exit` the end of play. What is played then stops, and says how
/// far it came.
async fn until_stopped(
    args: &UpArgs,
    stack: &mut Stack,
    signals: &mut Signals,
    stop: &Shutdown,
    session: Option<impl Future<Output = anyhow::Result<Outcome>>>,
) -> anyhow::Result<Outcome> {
    let mut playing = session.is_some();
    let mut session = std::pin::pin!(async {
        match session {
            Some(session) => session.await,
            None => std::future::pending().await,
        }
    });
    let mut outcome = Ok(Outcome::Done);
    loop {
        tokio::select! {
            error = stack.failed() => {
                stop.cancel();
                return Err(error);
            }
            () = signals.first() => break,
            done = &mut session, if playing => {
                playing = false;
                outcome = done;
                if args.exit {
                    return outcome;
                }
                if let Err(error) = &outcome {
                    remark(&format!("error: {}", crate::exit::describe(error)));
                }
            }
        }
    }
    stop.cancel();
    if playing {
        tokio::select! {
            done = &mut session => outcome = done,
            () = tokio::time::sleep(SUMMARY) => outcome = Ok(Outcome::Interrupted),
            () = signals.first() => std::process::exit(INTERRUPTED.into()),
        }
        // Without --exit, a signal is how it is meant to end.
        if !args.exit && matches!(outcome, Ok(Outcome::Interrupted)) {
            outcome = Ok(Outcome::Done);
        }
    }
    outcome
}

/// The settings in force. Directories lie below the data directory unless told otherwise.
fn settings(args: &UpArgs, data: &std::path::Path) -> anyhow::Result<Effective> {
    let flags = [("api.listen", &args.api), ("sql.listen", &args.sql)];
    configuration::effective(presumed(data), &flags, args.config.as_deref())
}

/// Plays, verifies, and answers the game's questions.
fn session(
    game: &Game,
    stack: &Stack,
    requests: u64,
    stop: Shutdown,
) -> impl Future<Output = anyhow::Result<Outcome>> + use<> {
    let (api, sql) = (banner::url(stack.api), banner::url(stack.sql));
    let title = game
        .document()
        .spec
        .title
        .clone()
        .unwrap_or_else(|| game.name().to_owned());
    async move {
        let sql = Client::new(&sql, Role::Sql)?;
        let session = Session::of_requests(Client::new(&api, Role::Api)?, sql.clone(), requests);
        say("")?;
        let mut outcome = play::play(&session, stop).await?;
        if outcome == Outcome::Interrupted {
            return Ok(outcome);
        }
        let report = gather::gather(&sql, &title, &[]).await?;
        say(&format!(
            "\n{}",
            summary::render(&report, Paint::for_stdout(), table::terminal_width())
        ))?;
        for (answer, reason) in report.failures() {
            remark(&format!("{}: {reason}", answer.name));
            outcome = Outcome::Findings;
        }
        Ok(outcome)
    }
}
