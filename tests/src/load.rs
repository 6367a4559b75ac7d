//! Players of arena that remember what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

use crate::http::Client;
use crate::random::Random;

/// What the players were told.
#[derive(Debug, Default)]
pub struct Acknowledged {
    /// The ids of all events of replies that arrived, refusals included.
    pub event_ids: BTreeSet<String>,
    /// Requests that got no reply: their outcome is open.
    pub unanswered: usize,
}

impl Acknowledged {
    /// Adds what another has seen.
    pub fn merge(&mut self, other: Self) {
        self.event_ids.extend(other.event_ids);
        self.unanswered += other.unanswered;
    }
}

/// What players were told who go on when they are refused.
#[derive(Debug, Default)]
pub struct Refused {
    /// How many requests were refused with 503 and `Retry-After`.
    pub properly: usize,
    /// Any other answer that was no success and no refusal of the game.
    pub wrongly: Vec<String>,
}

/// Lets `clients` players of arena make new players until `until` says so; a refusal does not stop them.
pub fn insist(
    api: &Client,
    clients: usize,
    random: &mut Random,
    until: impl Fn() -> Result<bool>,
) -> Result<(Acknowledged, Refused)> {
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let (api, stop, mut random) = (Client::new(api.base()), stop.clone(), random.fork());
            thread::spawn(move || {
                let (mut seen, mut refused) = (Acknowledged::default(), Refused::default());
                while !stop.load(Ordering::Relaxed) {
                    // Long names fill a disk sooner.
                    let path = format!("/initialize?username=p{}-{:0>40}", random.bits(), 0);
                    match api.get(&path) {
                        Ok(reply) if reply.status < 500 => seen.event_ids.extend(reply.event_ids()),
                        Ok(reply) => {
                            seen.unanswered += 1;
                            if reply.status == 503 && reply.header("retry-after").is_some() {
                                refused.properly += 1;
                            } else {
                                refused
                                    .wrongly
                                    .push(format!("{}: {}", reply.status, reply.text()));
                            }
                            // Refusals cost nothing to make: without a pause they would be all there is.
                            thread::sleep(Duration::from_millis(5));
                        }
                        Err(error) => {
                            seen.unanswered += 1;
                            refused.wrongly.push(error.to_string());
                            thread::sleep(Duration::from_millis(5));
                        }
                    }
                }
                (seen, refused)
            })
        })
        .collect();
    let awaited = crate::wait::wait_for("the players to be told", crate::wait::PATIENCE, || {
        Ok(until()?.then_some(()))
    });
    stop.store(true, Ordering::Relaxed);
    let (mut seen, mut refused) = (Acknowledged::default(), Refused::default());
    for thread in threads {
        if let Ok((theirs, how)) = thread.join() {
            seen.merge(theirs);
            refused.properly += how.properly;
            refused.wrongly.extend(how.wrongly);
        }
    }
    awaited?;
    Ok((seen, refused))
}

/// A crowd of players at work.
#[derive(Debug)]
pub struct Crowd {
    threads: Vec<JoinHandle<Acknowledged>>,
    stop: Arc<AtomicBool>,
}

/// The players of a crowd by name: few, so that they race for the same entities.
pub const PLAYERS: [&str; 8] = ["ann", "bob", "cid", "dot", "eve", "fay", "gil", "hal"];

const WEAPONS: [&str; 4] = ["knife", "sword", "grenade", "nuke"];

impl Crowd {
    /// Starts `threads` players' clients; each goes on until it is stopped or the server is gone.
    pub fn start(api: &Client, threads: usize, random: &mut Random) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..threads)
            .map(|_| {
                let (api, stop, random) = (Client::new(api.base()), stop.clone(), random.fork());
                thread::spawn(move || play(&api, &stop, random))
            })
            .collect();
        Self { threads, stop }
    }

    /// Lets the players end after their current request, and gives what they were told.
    pub fn finish(self) -> Acknowledged {
        join(self.threads, &self.stop)
    }
}

fn join(threads: Vec<JoinHandle<Acknowledged>>, stop: &AtomicBool) -> Acknowledged {
    stop.store(true, Ordering::Relaxed);
    let mut all = Acknowledged::default();
    for thread in threads {
        if let Ok(seen) = thread.join() {
            all.merge(seen);
        }
    }
    all
}

fn play(api: &Client, stop: &AtomicBool, mut random: Random) -> Acknowledged {
    let mut seen = Acknowledged::default();
    while !stop.load(Ordering::Relaxed) {
        match request(api, &mut random) {
            Ok(ids) => seen.event_ids.extend(ids),
            Err(_) => {
                seen.unanswered += 1;
                return seen;
            }
        }
    }
    seen
}

/// Addresses that players choose from anew for each request; a test changes them as processes come and go.
pub type Targets = Arc<RwLock<Vec<String>>>;

/// How long a player waits after a request that was not answered, before the next one.
const AFTER_A_FAILURE: Duration = Duration::from_millis(10);

/// A crowd that goes on whatever happens to the servers.
#[derive(Debug)]
pub struct StubbornCrowd {
    threads: Vec<JoinHandle<Acknowledged>>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl StubbornCrowd {
    /// Starts `threads` players' clients; each goes on until [`Self::finish`].
    pub fn start(targets: &Targets, threads: usize, random: &mut Random) -> Self {
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let threads = (0..threads)
            .map(|_| {
                let (targets, stop) = (Arc::clone(targets), Arc::clone(&stop));
                let (answered, random) = (Arc::clone(&answered), random.fork());
                thread::spawn(move || insist_among(&targets, &stop, &answered, random))
            })
            .collect();
        Self {
            threads,
            stop,
            answered,
        }
    }

    /// How many requests have been answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Lets the players end after their current request, and gives what they were told.
    pub fn finish(self) -> Acknowledged {
        join(self.threads, &self.stop)
    }
}

fn insist_among(
    targets: &Targets,
    stop: &AtomicBool,
    answered: &AtomicU64,
    mut random: Random,
) -> Acknowledged {
    let mut seen = Acknowledged::default();
    let mut clients: BTreeMap<String, Client> = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let target = {
            let targets = targets.read().unwrap_or_else(PoisonError::into_inner);
            (!targets.is_empty()).then(|| random.pick(&targets).clone())
        };
        let asked = target.map(|target| {
            let client = clients
                .entry(target.clone())
                .or_insert_with(|| Client::new(&target));
            request(client, &mut random)
        });
        match asked {
            Some(Ok(ids)) => {
                seen.event_ids.extend(ids);
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Some(Err(_)) => {
                seen.unanswered += 1;
                thread::sleep(AFTER_A_FAILURE);
            }
            None => thread::sleep(AFTER_A_FAILURE),
        }
    }
    seen
}

fn request(api: &Client, random: &mut Random) -> Result<Vec<String>> {
    let player = *random.pick(&PLAYERS);
    let path = match random.below(10) {
        0 => format!("/initialize?username={player}-{}", random.bits()),
        1..=3 => format!(
            "/purchase_weapon?username={player}&weapon={}",
            random.pick(&WEAPONS)
        ),
        4..=7 => format!("/dig_for_gold?username={player}"),
        8 => format!("/purchase_shield?username={player}"),
        _ => format!("/attack?username={player}&enemy={}", random.pick(&PLAYERS)),
    };
    let reply = api.get(&path)?;
    // Anything but an answer with events is a refusal to take the request now: nothing was acknowledged.
    anyhow::ensure!(
        reply.status < 500,
        "status {}: {}",
        reply.status,
        reply.text()
    );
    Ok(reply.event_ids())
}

/// Makes the players; those that exist already are fine.
pub fn initialize_players(api: &Client) -> Result<Acknowledged> {
    let mut seen = Acknowledged::default();
    for player in PLAYERS {
        seen.event_ids.extend(
            api.get(&format!("/initialize?username={player}"))?
                .event_ids(),
        );
    }
    Ok(seen)
}
