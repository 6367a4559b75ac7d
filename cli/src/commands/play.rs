//! `gamepipe play`: simulated players, and the proof that what was acknowledged to them is in the lake, once.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::{Clock, SystemClock};

use crate::args::{ApiAddress, SqlAddress};
use crate::client::{Client, Role};
use crate::exit::{INTERRUPTED, Outcome, Usage};
use crate::output::{remark, say};
use crate::simulate::landed::{self, Tables};
use crate::simulate::progress::Progress;
use crate::simulate::run::{self, Stage};
use crate::simulate::script::{Plan, Script};
use crate::simulate::stats::Played;
use crate::simulate::told;
use crate::simulate::visible::{self, Samples};
use crate::{games, served};

const AFTER_HELP: &str = "\
Examples:
  gamepipe play                                      what the game's simulation says, 1,000 requests
  gamepipe play --users 100 --kinds 9 --requests 1000
  gamepipe play --duration 30s --rate 2000           2,000 requests per second, however long answers take
  gamepipe play --requests 200000 --connections 64   as fast as answers come
  gamepipe play --api http://10.0.0.5:5000 --no-verify

The game is the one that the API serves. Players are set up first; their setup does not count as requests.
With --rate, latency counts from when a request was due, so that delays can't hide. Afterwards every event that the
API acknowledged is looked for in its tables. Exit code 1: one is missing or doubled, or the API failed.";

/// How many connections there are unless told otherwise: enough to share the store's syncs.
const CONNECTIONS: u32 = 16;
/// How many requests there are when neither a number nor a duration is given.
const REQUESTS: u64 = 1000;

/// Simulate players, then verify that nothing acknowledged was lost or doubled
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PlayArgs {
    #[command(flatten)]
    api: ApiAddress,
    #[command(flatten)]
    sql: SqlAddress,
    /// Play only if the API serves this game
    #[arg(long, value_name = "NAME|FILE")]
    game: Option<String>,
    /// How many requests; 1000 unless there is a --duration
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// How long, such as 500ms, 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// How many players; as many as the game says unless given
    #[arg(long, visible_alias = "users", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    players: Option<u32>,
    /// Only the first so many kinds of request that the game's simulation lists
    #[arg(long, visible_alias = "events", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    kinds: Option<u16>,
    /// How many connections, each with a request at a time
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Requests per second; as fast as answers come unless given
    #[arg(long, value_name = "R", value_parser = parse_rate)]
    rate: Option<f64>,
    /// What everything random is drawn from; the same seed plays the same game
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Don't look for the events in the lake afterwards
    #[arg(long)]
    no_verify: bool,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 500ms, 30s or 5m".to_owned();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| expected())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" | "" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(expected()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| expected())
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text
        .parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "expected a number of requests per second above 0".to_owned())
}

/// What a session is to do, and where.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) api: Client,
    /// None: nothing is verified.
    pub(crate) sql: Option<Client>,
    pub(crate) requests: Option<u64>,
    pub(crate) duration: Option<Duration>,
    pub(crate) players: Option<u32>,
    pub(crate) kinds: Option<usize>,
    pub(crate) connections: u32,
    pub(crate) rate: Option<f64>,
    pub(crate) seed: u64,
    /// True when the pipeline ends together with the play: what was interrupted is not verified then.
    pub(crate) ends_with_pipeline: bool,
}

impl Session {
    /// So many requests against a pipeline, verified afterwards.
    pub(crate) fn of_requests(api: Client, sql: Client, requests: u64) -> Self {
        Self {
            api,
            sql: Some(sql),
            requests: Some(requests),
            duration: None,
            players: None,
            kinds: None,
            connections: CONNECTIONS,
            rate: None,
            seed: SystemClock.seed(),
            ends_with_pipeline: true,
        }
    }
}

pub(crate) async fn run(args: PlayArgs) -> anyhow::Result<Outcome> {
    let api = Client::new(&args.api.api, Role::Api)?;
    let sql = Client::new(&args.sql.sql, Role::Sql)?;
    if let Some(wanted) = &args.game {
        let (wanted, found) = (games::load(wanted)?, served::game(&api).await?);
        if wanted.name() != found.name() {
            return Err(Usage(format!(
                "{} serves the game {}, not {}",
                api.base(),
                found.name(),
                wanted.name()
            ))
            .into());
        }
    }
    let requests = match (args.requests, args.duration) {
        (None, None) => Some(REQUESTS),
        (requests, _) => requests,
    };
    let session = Session {
        api,
        sql: (!args.no_verify).then_some(sql),
        requests,
        duration: args.duration,
        players: args.players,
        kinds: args.kinds.map(usize::from),
        connections: args.connections,
        rate: args.rate,
        seed: args.seed.unwrap_or_else(|| SystemClock.seed()),
        ends_with_pipeline: false,
    };
    let stop = Shutdown::new();
    let on_signal = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            remark("stopping; the second Ctrl-C ends at once");
            on_signal.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(INTERRUPTED.into());
        }
    });
    play(&session, stop).await
}

/// Plays, tells how it went, and verifies.
pub(crate) async fn play(session: &Session, stop: Shutdown) -> anyhow::Result<Outcome> {
    let game = served::game(&session.api).await?;
    let script = Script::new(&game)?.with_context(|| {
        format!(
            "the game {} has no simulation; add one to its definition (spec.simulation)",
            game.name()
        )
    })?;
    check_kinds(session, game.name(), script.weights.len())?;
    if let Some(sql) = &session.sql {
        // Better to know before an hour of play that nothing can be verified.
        sql.get_text("/readyz", "text/plain").await?;
    }
    let plan = Plan {
        requests: session.requests,
        duration: session.duration,
        players: session.players.unwrap_or_else(|| script.players()),
        connections: session.connections,
        seed: session.seed,
        rate: session.rate,
        kinds: session.kinds,
    };
    let tables = Tables::of(&game);
    let began = SystemClock.now_micros();
    let over = Shutdown::new();
    let (samples, watcher) = match &session.sql {
        Some(sql) => {
            let (samples, receiver) = Samples::new();
            (
                Some(samples),
                Some(tokio::spawn(visible::watch(
                    sql.clone(),
                    tables.in_sql(),
                    receiver,
                    over.clone(),
                ))),
            )
        }
        None => (None, None),
    };
    let head = format!(
        "{} players, {} connections, seed {}",
        plan.players, plan.connections, plan.seed
    );
    let authority = session.api.authority();
    let stage = Stage::new(script, plan, authority, samples, stop.clone())?;
    let progress = Progress::start(&stage);
    let played = run::run(&stage).await;
    drop(progress);
    over.cancel();
    let played = played?;
    say(&told::summary(game.name(), &head, &played))?;
    if session.ends_with_pipeline && stop.is_cancelled() {
        remark("interrupted: not verified; `gamepipe verify --data DIR` audits what has landed");
        return Ok(Outcome::Interrupted);
    }
    let mut outcome = judge(&played)?;
    if let (Some(sql), Some(watcher)) = (&session.sql, watcher) {
        let comparison = landed::compare(sql, &tables, &played.acknowledged, began).await?;
        say(&told::verdict(
            &comparison,
            &watcher.await.unwrap_or_default(),
        ))?;
        if !comparison.is_whole() {
            outcome = Outcome::Findings;
        }
    }
    Ok(outcome)
}

fn check_kinds(session: &Session, game: &str, kinds: usize) -> Result<(), Usage> {
    match session.kinds {
        Some(wanted) if wanted > kinds => Err(Usage(format!(
            "the simulation of {game} has {kinds} kinds of request: --kinds takes 1 to {kinds}"
        ))),
        _ => Ok(()),
    }
}

/// Whether the answers alone are as a sound API gives them.
fn judge(played: &Played) -> anyhow::Result<Outcome> {
    let all = played.all();
    if all.done() == 0 {
        let reason = all
            .example
            .as_deref()
            .unwrap_or("every request was refused");
        anyhow::bail!("nothing was played: {reason}");
    }
    let mut outcome = Outcome::Done;
    if all.faults() > 0 {
        remark(&format!(
            "{} answers are of a kind that a sound API never gives here",
            all.faults()
        ));
        outcome = Outcome::Findings;
    }
    if all.skipped > 0 {
        let example = all.example.as_deref().unwrap_or_default();
        remark(&format!(
            "{} steps could not be played, for the simulation gives them no values; one reason: {example}",
            all.skipped
        ));
        outcome = Outcome::Findings;
    }
    if played.malformed > 0 {
        remark(&format!(
            "{} event ids in answers are no UUIDs",
            played.malformed
        ));
        outcome = Outcome::Findings;
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse_duration, parse_rate};

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("30"), Ok(Duration::from_secs(30)));
        assert!(
            parse_duration("soon").is_err()
                && parse_duration("-1s").is_err()
                && parse_duration("5 days").is_err()
        );
    }

    #[test]
    fn a_rate_is_above_zero() {
        assert_eq!(parse_rate("0.5"), Ok(0.5));
        assert!(
            parse_rate("0").is_err() && parse_rate("NaN").is_err() && parse_rate("-3").is_err()
        );
    }
}
