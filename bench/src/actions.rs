//! Durable actions a second, beside a Flask development server with a Redis client that plays the same game the way the
//! original systems did: read, check and write in separate calls.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use gamepipe_tests::{Client, Start};

use crate::load::{self, MakeRequest, Outcome};
use crate::machine::{cpu_seconds, describe, memory_mib, quantile, say};
use crate::peers::{FlaskGame, address};

const PLAYERS: u64 = 1000;
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(10);
/// Connections: ours at 64 and 128; the peer at the number where it does best.
const OURS: [usize; 2] = [64, 128];
const PEERS: usize = 32;
/// Connections that race for one wallet at the end.
const RACERS: usize = 16;
/// Players that they race for, and the requests of each connection for one of them.
const RACED: u64 = 200;
const TURNS: u64 = 20;
/// What the raced players must have in all: the start, what was dug less the fee, less the knives.
const LEDGER: &str = "select 200 * 100 + coalesce((select sum(gold_found - 5) from dig_for_gold_events where username like 'r%'), 0) \
                      - 5 * (select count(*) from purchase_weapon_events where username like 'r%')";

pub(crate) fn run() -> Result<()> {
    say(&format!("# actions\n{}", describe()));
    let platform = Start::game("arena").up()?;
    let api = platform.api()?;
    initialize(&api)?;
    let mut best = 0.0_f64;
    for connections in OURS {
        measure(&api, connections, WARM_UP)?;
        let before = cpu_seconds(platform.pid())?;
        let outcome = measure(&api, connections, MEASURED)?;
        let cpu = cpu_seconds(platform.pid())? - before;
        best = best.max(report(
            &format!("gamepipe, {connections} connections"),
            &outcome,
            cpu,
        ));
    }
    let (now, peak) = memory_mib(platform.pid())?;
    say(&format!("gamepipe memory {now:.0} MiB, peak {peak:.0} MiB"));
    race(&api)?;
    platform.wait_until_landed()?;
    let mut wallets = 0;
    for player in 0..RACED {
        let entity = api.get(&format!("/v1/entities/player/r{player}"))?.json()?;
        wallets += entity["state"]["money"]
            .as_i64()
            .context("a player without money")?;
    }
    let due = platform.sql()?.value(LEDGER)?;
    say(&format!(
        "gamepipe after a race of {RACERS} connections for one wallet after another: {wallets} gold, their events say {due}"
    ));
    platform.stop()?;

    let flask = FlaskGame::start()?;
    let peer = Client::new(&flask.base());
    initialize(&peer)?;
    measure(&peer, PEERS, WARM_UP)?;
    let before = flask.cpu_seconds()?;
    let outcome = measure(&peer, PEERS, MEASURED)?;
    let theirs = report(
        &format!("Flask + Redis, {PEERS} connections"),
        &outcome,
        flask.cpu_seconds()? - before,
    );
    race(&peer)?;
    let lost = flask.lost_debits()?;
    say(&format!(
        "Flask + Redis after such a race: {lost} of all that it acknowledged is lost"
    ));
    say(&format!(
        "ratio: {:.1} x Flask + Redis (target: 12)",
        best / theirs
    ));
    Ok(())
}

/// All connections play the same player at a time, and the next one when its wallet is about empty.
fn race(client: &Client) -> Result<()> {
    for player in 0..RACED {
        let reply = client.get(&format!("/initialize?username=r{player}"))?;
        anyhow::ensure!(reply.status < 500, "{}", reply.text());
    }
    let make: Arc<MakeRequest> = Arc::new(|_, number| {
        let player = number / TURNS % RACED;
        match number % 3 {
            0 => load::get(&format!("/dig_for_gold?username=r{player}")),
            _ => load::get(&format!("/purchase_weapon?username=r{player}&weapon=knife")),
        }
    });
    let address = address(client.base()).context("no address")?;
    load::run(address, RACERS, WARM_UP, make).map(drop)
}

pub(crate) fn initialize(client: &Client) -> Result<()> {
    for player in 0..PLAYERS {
        let reply = client.get(&format!("/initialize?username=p{player}"))?;
        anyhow::ensure!(reply.status < 500, "{}", reply.text());
    }
    Ok(())
}

fn measure(client: &Client, connections: usize, time: Duration) -> Result<Outcome> {
    measure_among(std::slice::from_ref(client), connections, time)
}

/// Purchases and digs of one player set, through any of these APIs.
pub(crate) fn measure_among(
    clients: &[Client],
    connections: usize,
    time: Duration,
) -> Result<Outcome> {
    let make: Arc<MakeRequest> = Arc::new(|connection, number| {
        let player = (number.wrapping_mul(7919) + connection as u64 * 104_729) % PLAYERS;
        match number % 3 {
            0 => load::get(&format!("/purchase_weapon?username=p{player}&weapon=knife")),
            _ => load::get(&format!("/dig_for_gold?username=p{player}")),
        }
    });
    let addresses: Vec<String> = clients
        .iter()
        .filter_map(|client| address(client.base()).map(str::to_owned))
        .collect();
    load::run_among(&addresses, connections, time, make)
}

pub(crate) fn report(name: &str, outcome: &Outcome, cpu: f64) -> f64 {
    let answered = outcome.ok + outcome.refused;
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
    let (rate, cpu_micros) = (
        answered as f64 / outcome.seconds,
        cpu * 1e6 / answered.max(1) as f64,
    );
    say(&format!(
        "{name}: {rate:.0} requests/s ({} done, {} refused by a rule, {} failed), p50 {:.1} ms, p99 {:.1} ms, server CPU {cpu_micros:.0} us each",
        outcome.ok,
        outcome.refused,
        outcome.failed,
        millis(quantile(&outcome.micros, 0.5)),
        millis(quantile(&outcome.micros, 0.99)),
    ));
    rate
}

#[expect(
    clippy::cast_precision_loss,
    reason = "latencies are far below 2^52 microseconds"
)]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
