//! The subcommands, one file each, in the order in which help lists them.

pub(crate) mod up;

pub(crate) mod serve;

pub(crate) mod state;

pub(crate) mod play;

pub(crate) mod sql;

pub(crate) mod watch;

pub(crate) mod report;

pub(crate) mod verify;

pub(crate) mod game;

pub(crate) mod operator;

pub(crate) mod completions;

use std::future::Future;

use anyhow::Context;
use clap::Subcommand;

use crate::args::Cli;
use crate::exit::Outcome;

/// What gamepipe can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(up::UpArgs),
    Serve(serve::ServeArgs),
    State(state::StateArgs),
    Play(play::PlayArgs),
    Sql(sql::SqlArgs),
    Watch(watch::WatchArgs),
    Report(report::ReportArgs),
    Verify(verify::VerifyArgs),
    Game(game::GameArgs),
    Operator(operator::OperatorArgs),
    Completions(completions::CompletionsArgs),
}

/// Runs the subcommand.
pub(crate) fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Up(args) => serve_on(up::run(args)),
        Command::Serve(args) => serve_on(serve::run(args)),
        Command::State(args) => block_on(state::run(args)),
        Command::Play(args) => player_runtime()?.block_on(play::run(args)),
        Command::Sql(args) => sql::run(args),
        Command::Watch(args) => block_on(watch::run(args)),
        Command::Report(args) => block_on(report::run(args)),
        Command::Verify(args) => block_on(verify::run(args)),
        Command::Game(args) => game::run(args),
        Command::Operator(args) => operator::run(args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Runs a client's work: one thread is enough for a request at a time.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    client_runtime()?.block_on(work)
}

/// Runs a server's work. What libraries still wait for when all parts have drained is not waited for.
fn serve_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    const LEFT_OVER: std::time::Duration = std::time::Duration::from_secs(1);
    let runtime = server_runtime()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEFT_OVER);
    done
}

/// A runtime for a whole pipeline: a thread per core, at least two, so that one long step does not stop the rest.
fn server_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    const LEAST: usize = 2;
    let threads =
        std::thread::available_parallelism().map_or(LEAST, |cores| cores.get().max(LEAST));
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("failed to start the runtime")
}

/// A runtime for simulated players: two threads, for on a laptop the game needs the other cores.
fn player_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    const THREADS: usize = 2;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("failed to start the runtime")
}

/// A runtime for clients.
pub(crate) fn client_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")
}
