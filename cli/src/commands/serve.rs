//! `gamepipe serve`: a role as a process of its own.

use std::sync::Arc;
use std::time::Instant;

use clap::{Args, Subcommand};
use gamepipe_config::load::Effective;

use crate::args::Pipeline;
use crate::configuration;
use crate::exit::Outcome;
use crate::games;
use crate::output::{remark, say};
use crate::parts::{Parts, bind};
use crate::questions;
use crate::serve::backends::{require_kafka, require_lake, require_redis};
use crate::serve::role::Role;
use crate::signals::Signals;
use crate::terminal::Paint;
use crate::up::banner;

const AFTER_HELP: &str = "\
Examples:
  export GAMEPIPE_STATE_REDIS_URL=redis://127.0.0.1:6379
  export GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092
  export GAMEPIPE_LAKE_PATH=/srv/lake
  gamepipe serve api --game arena             actions and events over HTTP
  gamepipe serve streamer --game arena        log to tables; several share the partitions
  gamepipe serve sql --game arena             the tables over HTTP
  gamepipe serve api --config pipeline.yaml   the same settings in a file, for all roles

Any number of each may run.

Settings: flags, then variables, then the file of --config, then defaults; those in force are printed at start without
their secrets, and `gamepipe up --settings` explains all of them.

A backend that can't be used is waited for: /readyz and standard error say why. SIGTERM drains within 10 seconds.

Exit codes: 0 stopped as asked; 1 a part failed; 2 wrong usage.";

/// Run one role of a pipeline, sharing Redis, Kafka and a lake with others
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    role: RoleCommand,
}

#[derive(Debug, Subcommand)]
enum RoleCommand {
    /// The game's API: actions, events, and the relay from Redis to Kafka
    Api(Common),
    /// Lands the event log in the lake's tables; answers /livez, /readyz and /metrics
    Streamer(Common),
    /// Answers SQL over the lake's tables
    Sql(Common),
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    pipeline: Pipeline,
    /// Where it listens; 127.0.0.1 and port 5000 (api), 9090 (streamer) or 8080 (sql) unless set
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

/// What differs between the roles before they start.
struct Kind {
    name: &'static str,
    listen: &'static str,
    sections: &'static [&'static str],
}

const API: Kind = Kind {
    name: "api",
    listen: "api.listen",
    sections: &["api", "state", "log"],
};
const STREAMER: Kind = Kind {
    name: "streamer",
    listen: "streamer.listen",
    sections: &["streamer", "log", "lake"],
};
const SQL: Kind = Kind {
    name: "sql",
    listen: "sql.listen",
    sections: &["sql", "lake"],
};

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let mut signals = Signals::new()?;
    let (kind, common) = match &args.role {
        RoleCommand::Api(common) => (&API, common),
        RoleCommand::Streamer(common) => (&STREAMER, common),
        RoleCommand::Sql(common) => (&SQL, common),
    };
    let role = prepare(kind, common).await?;
    let (address, game) = (role.address()?, Arc::clone(&role.game));
    say(&format!(
        "{:<10}{}   game {}; /readyz says when it is ready",
        kind.name,
        banner::url(address),
        game.name()
    ))?;
    let starting = async {
        match args.role {
            RoleCommand::Api(_) => role.api().await,
            RoleCommand::Streamer(_) => role.streamer().await,
            RoleCommand::Sql(_) => role.sql().await,
        }
    };
    let parts = tokio::select! {
        started = starting => started?,
        () = signals.first() => return Ok(Outcome::Done),
    };
    say(&format!(
        "{:<10}ready after {} ms",
        kind.name,
        began.elapsed().as_millis()
    ))?;
    until_stopped(parts, &mut signals).await
}

async fn prepare(kind: &Kind, common: &Common) -> anyhow::Result<Role> {
    let (game, source) = games::load_with_source(&common.pipeline.game)?;
    if kind.name == SQL.name {
        questions::check(&game, &source).await?;
    }
    let flags = [(kind.listen, &common.listen)];
    let effective =
        configuration::effective(Vec::new(), &flags, common.pipeline.config.as_deref())?;
    tell(kind, &effective);
    let settings = effective.settings;
    let listen = match kind.name {
        "api" => {
            require_redis(&settings)?;
            require_kafka(&settings)?;
            &settings.api.listen
        }
        "streamer" => {
            require_kafka(&settings)?;
            require_lake(&settings)?;
            &settings.streamer.listen
        }
        _ => {
            require_lake(&settings)?;
            &settings.sql.listen
        }
    };
    let listener = bind(listen, &format!("the role {}", kind.name), "--listen").await?;
    Ok(Role {
        settings,
        game,
        listener,
    })
}

/// The settings that the role reads, as they are in force.
fn tell(kind: &Kind, effective: &Effective) {
    let paint = Paint::for_stderr();
    for line in effective.lines() {
        let section = line.split(':').next().unwrap_or_default();
        if kind.sections.contains(&section) {
            remark(&paint.dim(&line));
        }
    }
}

async fn until_stopped(mut parts: Parts, signals: &mut Signals) -> anyhow::Result<Outcome> {
    let failure = tokio::select! {
        error = parts.failed() => Some(error),
        () = signals.first() => None,
    };
    remark("stopping: what was acknowledged is finished first");
    let drained = tokio::select! {
        drained = parts.drain() => drained,
        () = signals.first() => std::process::exit(crate::exit::INTERRUPTED.into()),
    };
    match failure {
        Some(error) => Err(error),
        None => drained.map(|()| Outcome::Done),
    }
}
