//! The command `gamepipe`: parses the command line and hands over to one file per subcommand.

mod args;
mod audit;
mod client;
mod commands;
mod configuration;
mod exit;
mod games;
mod output;
mod parts;
mod questions;
mod report;
mod results;
mod serve;
mod served;
mod signals;
mod simulate;
mod terminal;
mod up;

use clap::Parser;

fn main() -> std::process::ExitCode {
    let cli = args::Cli::parse();
    exit::code(cli.start_logging().and_then(|()| commands::run(cli)))
}
