//! Playing: workers take tickets, one per request, until there are no more.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gamepipe_domain::rules::random::Draws;
use gamepipe_domain::rules::simulation::CompiledStep;
use gamepipe_service::Shutdown;

use super::connection::{Answer, Connection};
use super::event_id::parse_uuid;
use super::players::{Players, Taken};
use super::request::Target;
use super::script::{Plan, Script};
use super::stats::{Played, Stats};
use super::visible::Samples;

/// How long a worker waits after 503 or a failed connection: it must not storm a server that asks for patience.
const BACKOFF: Duration = Duration::from_millis(200);

/// How often a step of the setup is sent that the API can't take now: a player without it can do little later.
const SETUP_ATTEMPTS: u32 = 5;

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    GoOn,
    /// The API could not take the request now, or its outcome is open.
    TryAgain,
}

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Stage {
    script: Script,
    plan: Plan,
    authority: String,
    players: Players,
    next_player: AtomicU32,
    next_ticket: AtomicU64,
    /// Requests answered so far, those of the setup included.
    pub(crate) answered: AtomicU64,
    /// Each worker's own, so that counting is never contended.
    seen: Vec<Mutex<Seen>>,
    samples: Option<Samples>,
    stop: Shutdown,
}

/// Whose request it is, and for what.
#[derive(Debug, Clone, Copy)]
struct Worker {
    index: usize,
    in_setup: bool,
}

/// What a worker has seen.
#[derive(Debug, Default)]
struct Seen {
    setup: Stats,
    stats: Stats,
    acknowledged: Vec<u128>,
    malformed: u64,
}

impl Seen {
    /// Where a request of the worker is counted.
    fn stats_of(&mut self, worker: Worker) -> &mut Stats {
        if worker.in_setup {
            &mut self.setup
        } else {
            &mut self.stats
        }
    }
}

impl Stage {
    /// Everything ready to play at `authority`. `samples` takes some acknowledged events whose visibility is measured.
    pub(crate) fn new(
        script: Script,
        plan: Plan,
        authority: &str,
        samples: Option<Samples>,
        stop: Shutdown,
    ) -> anyhow::Result<Arc<Self>> {
        let players = Players::new(
            &script.simulation,
            plan.players,
            &mut Draws::from_seed(plan.seed),
        )?;
        let seen = (0..plan.connections).map(|_| Mutex::default()).collect();
        let (next_player, next_ticket, answered) = Default::default();
        let authority = authority.to_owned();
        Ok(Arc::new(Self {
            script,
            plan,
            authority,
            players,
            next_player,
            next_ticket,
            answered,
            seen,
            samples,
            stop,
        }))
    }

    /// How many requests it will be, if that is known.
    pub(crate) fn total(&self) -> Option<u64> {
        Some(self.plan.requests? + self.script.setup_requests(self.players.count()))
    }

    /// What has been seen so far, without the setup.
    pub(crate) fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        for seen in &self.seen {
            sum.merge(&lock(seen).stats);
        }
        sum
    }
}

/// Plays until the plan is fulfilled or `stop` is cancelled.
pub(crate) async fn run(stage: &Arc<Stage>) -> anyhow::Result<Played> {
    let began = Instant::now();
    in_parallel(stage, setup).await?;
    let setup_elapsed = began.elapsed();
    let begin = tokio::time::Instant::now();
    in_parallel(stage, move |stage, worker| play(stage, worker, begin)).await?;
    let mut played = Played {
        elapsed: begin.elapsed(),
        setup_elapsed,
        ..Played::default()
    };
    for seen in &stage.seen {
        let mut seen = lock(seen);
        played.stats.merge(&seen.stats);
        played.setup.merge(&seen.setup);
        played.acknowledged.append(&mut seen.acknowledged);
        played.malformed += seen.malformed;
    }
    Ok(played)
}

async fn in_parallel<F>(
    stage: &Arc<Stage>,
    work: impl Fn(Arc<Stage>, usize) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..stage.seen.len() {
        workers.spawn(work(Arc::clone(stage), worker));
    }
    while let Some(done) = workers.join_next().await {
        done??;
    }
    Ok(())
}

/// What every player does once, in order; players are shared out among the workers.
async fn setup(stage: Arc<Stage>, index: usize) -> anyhow::Result<()> {
    let worker = Worker {
        index,
        in_setup: true,
    };
    let mut connection = Connection::new(&stage.authority);
    while !stage.stop.is_cancelled() {
        let player = stage.next_player.fetch_add(1, Ordering::Relaxed);
        if player >= stage.players.count() || stage.script.setup.is_empty() {
            break;
        }
        let mut draws = Draws::from_seed(mix(stage.plan.seed, u64::from(player) | 1 << 63));
        for (step, target) in stage
            .script
            .simulation
            .setup()
            .iter()
            .zip(&stage.script.setup)
        {
            let Some(taken) = stage.players.take(player).await else {
                break;
            };
            for _ in 0..SETUP_ATTEMPTS {
                let due = Instant::now();
                let after = stage
                    .act(
                        worker,
                        &mut connection,
                        step,
                        target,
                        &taken,
                        &mut draws,
                        due,
                    )
                    .await?;
                if after == After::GoOn || stage.stop.is_cancelled() {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// What players do then: a step drawn by weight for a player drawn by chance, request after request.
async fn play(stage: Arc<Stage>, index: usize, begin: tokio::time::Instant) -> anyhow::Result<()> {
    let worker = Worker {
        index,
        in_setup: false,
    };
    let mut connection = Connection::new(&stage.authority);
    let kinds = stage
        .plan
        .kinds
        .unwrap_or(usize::MAX)
        .min(stage.script.weights.len());
    let weights = stage.script.weights.get(..kinds).unwrap_or_default();
    let end = stage.plan.duration.map(|duration| begin + duration);
    loop {
        let ticket = stage.next_ticket.fetch_add(1, Ordering::Relaxed);
        if stage.stop.is_cancelled()
            || stage
                .plan
                .requests
                .is_some_and(|requests| ticket >= requests)
        {
            return Ok(());
        }
        // With a rate, latency counts from when the request was due, so that a slow server can't hide its delays.
        let mut due = Instant::now();
        if let Some(rate) = stage.plan.rate {
            let offset = Duration::from_secs_f64(number(ticket) / rate);
            tokio::select! {
                () = tokio::time::sleep_until(begin + offset) => {}
                () = stage.stop.cancelled() => return Ok(()),
            }
            due = (begin + offset).into_std();
        }
        if end.is_some_and(|end| tokio::time::Instant::now() >= end) {
            return Ok(());
        }
        let mut draws = Draws::from_seed(mix(stage.plan.seed, ticket));
        let Some(drawn) = draws.weighted(weights) else {
            return Ok(());
        };
        let (Some(step), Some(target)) = (
            stage.script.simulation.steps().get(drawn),
            stage.script.steps.get(drawn),
        ) else {
            return Ok(());
        };
        let taken = match step.is_pair() {
            true => stage.players.take_pair(&mut draws).await,
            false => stage.players.take_any(&mut draws).await,
        };
        let taken =
            taken.ok_or_else(|| anyhow::anyhow!("the simulation needs more players: --players"))?;
        if stage.plan.rate.is_none() {
            due = Instant::now();
        }
        stage
            .act(
                worker,
                &mut connection,
                step,
                target,
                &taken,
                &mut draws,
                due,
            )
            .await?;
    }
}

impl Stage {
    /// One request, and what follows from its answer.
    #[expect(
        clippy::too_many_arguments,
        reason = "a worker's own things and the step's, used here and nowhere else"
    )]
    async fn act(
        &self,
        worker: Worker,
        connection: &mut Connection,
        step: &CompiledStep,
        target: &Target,
        taken: &Taken<'_>,
        draws: &mut Draws,
        due: Instant,
    ) -> anyhow::Result<After> {
        // A player whose setup was refused remembers nothing that later steps could use.
        let params = match taken.with(|actors| step.params(actors, draws)).transpose() {
            Ok(params) => params.unwrap_or_default(),
            Err(error) => {
                self.count(worker, |stats| stats.skip(step.action(), &error));
                return Ok(After::GoOn);
            }
        };
        let request = target.request(&params, taken.host().unwrap_or(&self.authority))?;
        let answer = connection.send(&request).await;
        let latency = due.elapsed();
        self.answered.fetch_add(1, Ordering::Relaxed);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.count(worker, |stats| stats.unanswered(&error));
                self.pause().await;
                return Ok(After::TryAgain);
            }
        };
        self.note(worker, &answer, latency);
        if (200..300).contains(&answer.status) && step.remembers() {
            let reply = target.reply(&answer);
            match taken
                .with(|actors| step.remember(actors, &reply, draws))
                .transpose()
            {
                Ok(remembered) => taken.remember(remembered.unwrap_or_default()),
                Err(error) => self.count(worker, |stats| stats.skip(step.action(), &error)),
            }
        }
        if answer.status == 503 {
            self.pause().await;
            return Ok(After::TryAgain);
        }
        Ok(After::GoOn)
    }

    fn count(&self, worker: Worker, count: impl FnOnce(&mut Stats)) {
        if let Some(seen) = self.seen.get(worker.index) {
            count(lock(seen).stats_of(worker));
        }
    }

    fn note(&self, worker: Worker, answer: &Answer, latency: Duration) {
        let Some(seen) = self.seen.get(worker.index) else {
            return;
        };
        let code = if answer.status < 400 {
            String::new()
        } else {
            crate::client::problem(answer.status, &answer.body).code
        };
        let mut seen = lock(seen);
        let stats = seen.stats_of(worker);
        stats.latency.record(latency);
        *stats.answers.entry((answer.status, code)).or_default() += 1;
        let ids = answer
            .headers
            .get(EVENT_IDS)
            .and_then(|ids| ids.to_str().ok())
            .unwrap_or_default();
        for text in ids
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            match parse_uuid(text) {
                Some(id) => {
                    seen.acknowledged.push(id);
                    if let Some(samples) = &self.samples {
                        samples.offer(text);
                    }
                }
                None => seen.malformed += 1,
            }
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = tokio::time::sleep(BACKOFF) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// The header that names the events of an answer.
const EVENT_IDS: &str = "gamepipe-event-ids";

/// A seed for each request (SplitMix64's last step): what a request draws does not depend on which worker sends it.
fn mix(seed: u64, ticket: u64) -> u64 {
    let mut value = seed.wrapping_add(ticket.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn number(ticket: u64) -> f64 {
    // Exact up to four thousand million requests; after that a run with a rate goes on at its last second.
    f64::from(u32::try_from(ticket).unwrap_or(u32::MAX))
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
