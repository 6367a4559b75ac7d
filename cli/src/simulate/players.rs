//! The simulated players, shared by all workers. A step for a pair has its two players for itself; other steps of the
//! same player may run side by side, as requests from two devices would.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gamepipe_domain::rules::random::Draws;
use gamepipe_domain::rules::simulation::{
    Actors, CompiledSimulation, Player, Remembered, SimulationError,
};
use serde_json::Value;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How often another player is drawn when the drawn one is taken, before a worker waits for it.
const REDRAWS: u32 = 16;

/// All players.
#[derive(Debug)]
pub(crate) struct Players {
    slots: Vec<Slot>,
    count: u32,
}

#[derive(Debug)]
struct Slot {
    /// Held for writing by a step for a pair, for reading by any other.
    gate: RwLock<()>,
    player: Mutex<Player>,
    host: Option<String>,
}

/// The players of a step, kept from others as long as this lives.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    players: &'a Players,
    me: usize,
    other: Option<usize>,
    _gates: Gates<'a>,
}

#[expect(dead_code, reason = "the guards are held, never looked at")]
#[derive(Debug)]
enum Gates<'a> {
    One(RwLockReadGuard<'a, ()>),
    Two(RwLockWriteGuard<'a, ()>, RwLockWriteGuard<'a, ()>),
}

impl Players {
    /// `count` players with the names and hosts that the simulation gives them.
    pub(crate) fn new(
        simulation: &CompiledSimulation,
        count: u32,
        draws: &mut Draws,
    ) -> Result<Self, SimulationError> {
        let mut slots = Vec::new();
        for index in 0..count {
            let player = Player {
                index,
                name: simulation.name(index, draws)?,
                memory: Value::Null,
            };
            let host = simulation.host(
                Actors {
                    me: &player,
                    other: None,
                    players: count,
                },
                draws,
            )?;
            slots.push(Slot {
                gate: RwLock::new(()),
                player: Mutex::new(player),
                host,
            });
        }
        Ok(Self { slots, count })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// This player, for a step of its own; `None` when there is no such player.
    pub(crate) async fn take(&self, index: u32) -> Option<Taken<'_>> {
        let me = usize::try_from(index).ok()?;
        let gate = self.slots.get(me)?.gate.read().await;
        Some(Taken {
            players: self,
            me,
            other: None,
            _gates: Gates::One(gate),
        })
    }

    /// Any player, for a step of its own.
    pub(crate) async fn take_any(&self, draws: &mut Draws) -> Option<Taken<'_>> {
        let mut me = self.draw(draws)?;
        for _ in 0..REDRAWS {
            if let Ok(gate) = self.slots.get(me)?.gate.try_read() {
                return Some(Taken {
                    players: self,
                    me,
                    other: None,
                    _gates: Gates::One(gate),
                });
            }
            me = self.draw(draws)?;
        }
        self.take(u32::try_from(me).ok()?).await
    }

    /// Any two players; `None` when there are not two.
    pub(crate) async fn take_pair(&self, draws: &mut Draws) -> Option<Taken<'_>> {
        if self.count < 2 {
            return None;
        }
        let (mut me, mut other) = self.draw_pair(draws)?;
        for _ in 0..REDRAWS {
            if let (Ok(mine), Ok(theirs)) = (
                self.slots.get(me)?.gate.try_write(),
                self.slots.get(other)?.gate.try_write(),
            ) {
                return Some(Taken {
                    players: self,
                    me,
                    other: Some(other),
                    _gates: Gates::Two(mine, theirs),
                });
            }
            (me, other) = self.draw_pair(draws)?;
        }
        // In order of index, so that two workers never wait for one another.
        let first = self.slots.get(me.min(other))?.gate.write().await;
        let second = self.slots.get(me.max(other))?.gate.write().await;
        Some(Taken {
            players: self,
            me,
            other: Some(other),
            _gates: Gates::Two(first, second),
        })
    }

    fn draw(&self, draws: &mut Draws) -> Option<usize> {
        (self.count > 0).then(|| usize::try_from(draws.below(u64::from(self.count))).unwrap_or(0))
    }

    fn draw_pair(&self, draws: &mut Draws) -> Option<(usize, usize)> {
        let me = self.draw(draws)?;
        let step = usize::try_from(draws.below(u64::from(self.count.checked_sub(1)?))).unwrap_or(0);
        Some((me, (me + 1 + step) % self.slots.len()))
    }

    fn player(&self, index: usize) -> Option<MutexGuard<'_, Player>> {
        Some(
            self.slots
                .get(index)?
                .player
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Taken<'_> {
    /// The `Host` header of the player that acts; `None`: the server's address.
    pub(crate) fn host(&self) -> Option<&str> {
        self.players.slots.get(self.me)?.host.as_deref()
    }

    /// Works with the players; `None` only when one does not exist.
    pub(crate) fn with<T>(&self, work: impl FnOnce(Actors<'_>) -> T) -> Option<T> {
        // A pair is this step's alone, so that the two locks are never contended and their order does not matter.
        let me = self.players.player(self.me)?;
        let other = match self.other {
            Some(index) => Some(self.players.player(index)?),
            None => None,
        };
        Some(work(Actors {
            me: &me,
            other: other.as_deref(),
            players: self.players.count,
        }))
    }

    /// Lets the players remember.
    pub(crate) fn remember(&self, remembered: Remembered) {
        if let (Some(memory), Some(mut player)) = (remembered.me, self.players.player(self.me)) {
            player.memory = memory;
        }
        if let (Some(memory), Some(mut player)) = (
            remembered.other,
            self.other.and_then(|other| self.players.player(other)),
        ) {
            player.memory = memory;
        }
    }
}
