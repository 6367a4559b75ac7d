//! The subcommands, one file each, in the order in which help lists them.

pub(crate) mod sql;

pub(crate) mod watch;

pub(crate) mod report;

pub(crate) mod game;

pub(crate) mod completions;

use std::future::Future;

use anyhow::Context;
use clap::Subcommand;

use crate::args::Cli;
use crate::exit::Outcome;

/// What gamepipe can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Sql(sql::SqlArgs),
    Watch(watch::WatchArgs),
    Report(report::ReportArgs),
    Game(game::GameArgs),
    Completions(completions::CompletionsArgs),
}

/// Runs the subcommand.
pub(crate) fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Sql(args) => sql::run(args),
        Command::Watch(args) => block_on(watch::run(args)),
        Command::Report(args) => block_on(report::run(args)),
        Command::Game(args) => game::run(args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Runs a client's work: one thread is enough for a request at a time.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    client_runtime()?.block_on(work)
}

/// A runtime for clients.
pub(crate) fn client_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")
}
