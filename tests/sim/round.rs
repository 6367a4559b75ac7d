//! One round: processes come, go, stall and wake up late over a store and a log that fail, while events arrive; then all is healed,
//! everything lands, and what is there is compared with what must be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gamepipe_lake::Lake;
use gamepipe_lake::maintenance::Maintained;
use gamepipe_service::Shutdown;
use gamepipe_tests::random::Random;

use crate::appender::{Ledger, keep_appending};
use crate::chance::mixed;
use crate::check::{check, check_refusals};
use crate::log::MemoryLog;
use crate::process::{Process, Role, Scene};
use crate::reader::keep_reading;
use crate::seats::Seat;
use crate::store::{Fault, Trap};
use crate::template::{PARTITIONS, Template};

/// How long the next epoch may take to land when all is well again. Waits between attempts grow to 15 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a round may take in all.
const LONGEST: Duration = Duration::from_secs(200);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long the next deed waits for epochs, should none come.
const AT_MOST: Duration = Duration::from_millis(700);
/// Deeds in a round.
const DEEDS: u64 = 10;

/// What is done to the processes between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// A process is gone at once, and another takes its place.
    Kill,
    /// A process stops in the middle of a call, and does not know that others get its partitions.
    Trap,
    /// The one that stopped first goes on.
    Wake,
    /// Partitions get other owners, now and then two.
    Share,
    /// A process can't reach the store for a while.
    Outage,
    /// A process ends well, and another takes its place.
    Restart,
}

const DEEDS_DRAWN: [Deed; 10] = [
    Deed::Kill,
    Deed::Kill,
    Deed::Trap,
    Deed::Trap,
    Deed::Trap,
    Deed::Wake,
    Deed::Share,
    Deed::Share,
    Deed::Outage,
    Deed::Restart,
];

/// What a round has been through.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) epochs: u64,
    pub(crate) calls: u64,
    pub(crate) sightings: usize,
    pub(crate) maintained: Maintained,
    /// How often a process was stopped in the middle of a call.
    pub(crate) stalls: u64,
    /// How often each kind of fault happened.
    pub(crate) met: BTreeMap<Fault, u64>,
}

impl Played {
    pub(crate) fn add(&mut self, other: Self) {
        self.epochs += other.epochs;
        self.calls += other.calls;
        self.sightings += other.sightings;
        self.stalls += other.stalls;
        add(&mut self.maintained, other.maintained);
        for (fault, count) in other.met {
            *self.met.entry(fault).or_insert(0) += count;
        }
    }
}

fn add(all: &mut Maintained, done: Maintained) {
    all.merged_files += done.merged_files;
    all.checkpoints += done.checkpoints;
    all.vacuumed_files += done.vacuumed_files;
}

struct Round {
    scene: Scene,
    random: Random,
    processes: Vec<Process>,
    lake: Arc<Lake>,
    maintained: Maintained,
}

/// Plays a round on a copy of the template, all by the seed.
pub(crate) async fn play(template: &Template, seed: u64) -> Result<Played> {
    tokio::select! {
        played = play_on(template, seed) => played,
        () = looks(LONGEST) => bail!("no end in {LONGEST:?}"),
    }
}

/// Waits for a time in which this process has really run: one that was stopped, or a machine that was, is not late.
async fn looks(time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        tokio::time::sleep(LOOK).await;
        left = left.saturating_sub(LOOK);
    }
}

async fn play_on(template: &Template, seed: u64) -> Result<Played> {
    let mut random = Random::from_seed(seed);
    let (scene, ledger) = template.copy();
    let lake = scene.lake(&scene.calm_link(), &mut random)?;
    let first = lake.newest_epoch().await?.map_or(0, |newest| newest.epoch);
    let mut round = Round {
        processes: Vec::new(),
        maintained: Maintained::default(),
        lake,
        random: random.fork(),
        scene: scene.clone(),
    };
    let stop = Shutdown::new();
    let reading = tokio::spawn(keep_reading(scene.clone(), random.fork(), stop.clone()));
    let appenders: Vec<_> = (0..2)
        .map(|_| {
            let seat = scene.group.sit();
            let seat = Seat::new(&scene.log, &scene.group, seat, &scene.heat, random.bits());
            let log = Arc::<MemoryLog>::clone(&scene.log);
            let ledger = Arc::<Ledger>::clone(&ledger);
            tokio::spawn(keep_appending(
                ledger,
                seat,
                log,
                random.fork(),
                stop.clone(),
            ))
        })
        .collect();
    for _ in 0..2 + random.below(3) {
        round.start(Role::Streamer)?;
    }
    for _ in 0..1 + random.below(2) {
        round.start(Role::Compactor)?;
    }
    round.share();
    scene.heat.set(true);
    for number in 0..DEEDS {
        // Each deed has numbers of its own, so that what happened before it does not change it.
        round.random = Random::from_seed(mixed(seed ^ mixed(number)));
        round.wait_for_epochs().await?;
        round.deed().await?;
    }
    stop.cancel();
    for appender in appenders {
        appender.await?;
    }
    let seen = reading.await??;
    round.heal().await?;
    round.stop().await?;
    // What was under way all the time arrives at last.
    scene.world.arrive(true).await;
    let epochs = check(&scene, &ledger, &seen).await?;
    check_refusals(&scene).await?;
    Ok(Played {
        epochs: epochs - first,
        calls: scene.world.calls(),
        sightings: seen.len(),
        maintained: round.maintained,
        stalls: scene.world.stalls(),
        met: scene.world.met(),
    })
}

impl Round {
    fn start(&mut self, role: Role) -> Result<()> {
        let process = self.scene.start(role, &mut self.random)?;
        self.processes.push(process);
        Ok(())
    }

    /// Waits until a few more epochs have landed, or a moment.
    async fn wait_for_epochs(&mut self) -> Result<()> {
        let wanted = 1 + self.random.below(25);
        let newest = async || -> Result<u64> {
            Ok(self
                .lake
                .newest_epoch()
                .await?
                .map_or(0, |newest| newest.epoch))
        };
        let (begun, first) = (Instant::now(), newest().await?);
        while begun.elapsed() < AT_MOST && newest().await? < first + wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn deed(&mut self) -> Result<()> {
        if let Some(process) = self.processes.iter().find(|process| process.has_ended()) {
            bail!("{:?} {} has ended by itself", process.role, process.seat);
        }
        let deed = *self.random.pick(&DEEDS_DRAWN);
        let chosen = self.random.below(self.processes.len() as u64) as usize;
        match deed {
            Deed::Kill | Deed::Restart => {
                let process = self.processes.swap_remove(chosen);
                let role = process.role;
                // Who is stalled can't end well.
                if deed == Deed::Kill || process.link.is_stalled() {
                    process.kill().await;
                } else {
                    // Another is there before it has ended. It meets faults, but it is not stopped in a call: it would never end.
                    process.link.stall(false);
                    let ending = tokio::spawn(process.stop());
                    self.start(role)?;
                    self.share();
                    // Faults may keep it from landing what it holds: then others land it.
                    let _ = ending.await?;
                    return Ok(());
                }
                self.start(role)?;
                self.share();
            }
            Deed::Trap => {
                let trap = Trap::draw(self.random.bits());
                self.processes[chosen].link.set_trap(trap);
            }
            Deed::Wake => {
                if let Some(stalled) = self.processes.iter().find(|p| p.link.is_stalled()) {
                    stalled.link.stall(false);
                }
            }
            Deed::Share => self.share(),
            Deed::Outage => {
                let time = Duration::from_millis(self.random.below(900));
                self.processes[chosen].link.be_out(time);
            }
        }
        Ok(())
    }

    /// Gives every partition to one of the streamers that are not stalled, and now and then to two. A stalled one keeps
    /// believing in what it had.
    fn share(&mut self) {
        let is_awake =
            |process: &&Process| process.role == Role::Streamer && !process.link.is_stalled();
        let seats: Vec<u64> = self
            .processes
            .iter()
            .filter(is_awake)
            .map(|p| p.seat)
            .collect();
        if seats.is_empty() {
            return;
        }
        let mut shares = vec![Vec::new(); seats.len()];
        for partition in 0..PARTITIONS {
            let owner = self.random.below(seats.len() as u64) as usize;
            shares[owner].push(partition);
            if self.random.below(6) == 0 {
                let other = self.random.below(seats.len() as u64) as usize;
                if other != owner {
                    shares[other].push(partition);
                }
            }
        }
        for (seat, share) in seats.into_iter().zip(shares) {
            self.scene.group.hand_out(seat, share);
        }
    }

    /// Ends all faults, and waits until all of the log has landed.
    async fn heal(&mut self) -> Result<()> {
        self.scene.heat.set(false);
        for process in &self.processes {
            process.link.heal();
        }
        self.share();
        if self.random.below(2) == 0 {
            self.scene.world.arrive(true).await;
        }
        let done = landed(&self.lake, &self.scene.log).await;
        let all = self.processes.iter().map(Process::describe);
        done.with_context(|| all.collect::<Vec<_>>().join("\n"))
    }

    async fn stop(&mut self) -> Result<()> {
        for process in self.processes.drain(..) {
            add(&mut self.maintained, process.stop().await?);
        }
        Ok(())
    }
}

/// Waits until all that is on the log has landed, as long as there is progress.
pub(crate) async fn landed(lake: &Lake, log: &MemoryLog) -> Result<()> {
    let (mut last, mut patience) = (Vec::new(), PATIENCE);
    loop {
        let newest = lake.newest_epoch().await?;
        let ends = newest.iter().flat_map(|newest| &newest.ranges);
        let ends: Vec<u64> = ends.map(|range| range.to).collect();
        let highs = log.highs();
        if ends == highs {
            return Ok(());
        }
        if ends != last {
            (last, patience) = (ends, PATIENCE);
        }
        ensure!(
            !patience.is_zero(),
            "landed up to {last:?} of {highs:?}, and no further in {PATIENCE:?}"
        );
        looks(LOOK).await;
        patience = patience.saturating_sub(LOOK);
    }
}
