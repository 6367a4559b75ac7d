//! `gamepipe up`: everything, embedded, in one process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use gamepipe_config::load::{Effective, Layers, load};
use gamepipe_domain::definition::Game;
use gamepipe_service::Shutdown;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::play::{self, INTERRUPTED, Session};
use crate::client::Client;
use crate::exit::Outcome;
use crate::games;
use crate::output::{remark, say};
use crate::report::{gather, summary};
use crate::results::table;
use crate::terminal::Paint;
use crate::up::banner::{self, Places};
use crate::up::data_dir::DataDir;
use crate::up::stack::{Listeners, Stack};

const AFTER_HELP: &str = "\
Examples:
  gamepipe up                                 the game `arena`, data in .gamepipe/arena
  gamepipe up --game quest --play 1000        simulated players at once, and the answers to the game's questions
  gamepipe up --game mygame/game.yaml
  gamepipe up --api 0.0.0.0:5000 --sql 127.0.0.1:0
  gamepipe up --play 500 --exit               play, verify, end: exit code 0 if all is well

Settings: flags, then variables such as GAMEPIPE_API_MAX_IN_FLIGHT, then the file of --config, then defaults; those in
force are printed at start.

Ctrl-C or SIGTERM drains: requests in flight finish and all that was acknowledged lands, within 10 seconds. A second
Ctrl-C ends at once; nothing acknowledged is lost by that either, it lands at the next start.
Exit codes: 0 stopped as asked; 1 a part failed, or --play found something; 2 wrong usage; 130 ended by the second Ctrl-C.";

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
    /// A file with settings (YAML)
    #[arg(long, env = "GAMEPIPE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Let simulated players send this many requests, verify the lake, and answer the game's questions
    #[arg(long, value_name = "N")]
    play: Option<u64>,
    /// End after --play: exit code 0 if all is well, 1 if not
    #[arg(long, requires = "play")]
    exit: bool,
}

pub(crate) async fn run(args: UpArgs) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let mut signals = Signals::new()?;
    let game = games::load(&args.game)?;
    let data = args
        .data
        .clone()
        .unwrap_or_else(|| PathBuf::from(".gamepipe").join(game.name()));
    let effective = settings(&args, &data)?;
    let data = DataDir::take(&data, game.name())?;
    let listeners = Listeners::bind(&effective.settings).await?;
    let paint = Paint::for_stderr();
    for line in effective.lines() {
        remark(&paint.dim(&line));
    }
    let mut stack = Stack::start(effective.settings, Arc::clone(&game), listeners).await?;
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

    let mut outcome = Ok(Outcome::Done);
    let stop = Shutdown::new();
    let session = args
        .play
        .map(|requests| session(&game, &stack, requests, stop.clone()));
    let mut session = std::pin::pin!(async {
        match session {
            Some(session) => session.await,
            None => std::future::pending().await,
        }
    });
    let mut played = false;
    loop {
        tokio::select! {
            error = stack.failed() => {
                outcome = Err(error);
                break;
            }
            () = signals.first() => break,
            done = &mut session, if !played => {
                played = true;
                outcome = done;
                if args.exit {
                    break;
                }
                if let Err(error) = &outcome {
                    remark(&format!("error: {}", crate::exit::describe(error)));
                }
            }
        }
    }
    stop.cancel();
    if !args.exit {
        remark("stopping: what was acknowledged lands first");
    }
    let drained = tokio::select! {
        drained = stack.drain() => drained,
        () = signals.first() => std::process::exit(INTERRUPTED),
    };
    // The directory is free when every part has let go of it.
    drop(data);
    let outcome = outcome?;
    drained.map(|()| outcome)
}

/// The settings in force. Directories lie below the data directory unless told otherwise.
fn settings(args: &UpArgs, data: &std::path::Path) -> anyhow::Result<Effective> {
    let below = |name: &str| json!(data.join(name).display().to_string());
    let mut layers = Layers {
        presumed: vec![
            ("state.path", below("state")),
            ("log.path", below("log")),
            ("lake.path", below("lake")),
            // The relay, the streamer and SQL drain after the API, and all of them have ten seconds.
            ("api.drainMs", json!(4000)),
        ],
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        ..Layers::default()
    };
    for (path, flag) in [("api.listen", &args.api), ("sql.listen", &args.sql)] {
        layers
            .flags
            .extend(flag.as_ref().map(|address| (path, json!(address))));
    }
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        layers.file = Some((path.display().to_string(), text));
    }
    Ok(load(&layers)?)
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
        let sql = Client::new(&sql, "the SQL endpoint")?;
        let session = Session::of_requests(Client::new(&api, "the API")?, sql.clone(), requests);
        say("")?;
        let mut outcome = play::play(&session, stop).await?;
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

/// SIGINT and SIGTERM.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on they no longer end the process by themselves.
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("failed to listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of either.
    async fn first(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
