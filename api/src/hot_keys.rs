//! Lines up the requests for one entity inside this process, so that they don't race each other to the store.
//!
//! Correctness does not rest on it: the store checks versions, whoever else writes. Without it, 64 requests for one key
//! would decide 64 + 63 + 62 ... times.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use gamepipe_domain::entity::EntityId;
use tokio::sync::{Mutex, MutexGuard};

use crate::problem::{Problem, codes};

/// How many lines there are. Two different keys share a line by chance: with 128 requests of two entities each in
/// flight, one in 64 waits for a stranger's commit. A line is 40 bytes.
const ENTITY_LINES: usize = 16 << 10;
/// Lines for counters, of which a game has a handful. They are taken before those of entities, always, so the two
/// kinds can't lock one another up.
const COUNTER_LINES: usize = 64;
/// How long a request stands in a line. Far beyond any healthy wait; clients give up about then.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lines.
#[derive(Debug)]
pub(crate) struct HotKeys {
    hasher: RandomState,
    counters: Vec<Mutex<()>>,
    entities: Vec<Mutex<()>>,
}

/// A turn at some keys; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _held: Vec<MutexGuard<'a, ()>>,
}

impl HotKeys {
    pub(crate) fn new() -> Self {
        let lines = |count| std::iter::repeat_with(Mutex::default).take(count).collect();
        Self {
            hasher: RandomState::new(),
            counters: lines(COUNTER_LINES),
            entities: lines(ENTITY_LINES),
        }
    }

    /// Waits for a turn at `ids`, counters all of them. Take it before [`Self::entities`].
    pub(crate) async fn counters(&self, ids: &[EntityId]) -> Result<Turn<'_>, Problem> {
        self.turn(&self.counters, ids).await
    }

    /// Waits for a turn at `ids`.
    pub(crate) async fn entities(&self, ids: &[EntityId]) -> Result<Turn<'_>, Problem> {
        self.turn(&self.entities, ids).await
    }

    async fn turn<'a>(
        &self,
        lines: &'a [Mutex<()>],
        ids: &[EntityId],
    ) -> Result<Turn<'a>, Problem> {
        // In the order of lines, each once: no two requests can wait for one another.
        let mut places: Vec<usize> = ids.iter().map(|id| self.place(id, lines.len())).collect();
        places.sort_unstable();
        places.dedup();
        let mut held = Vec::with_capacity(places.len());
        for line in places.iter().filter_map(|place| lines.get(*place)) {
            held.push(match line.try_lock() {
                Ok(guard) => guard,
                Err(_) => tokio::time::timeout(PATIENCE, line.lock())
                    .await
                    .map_err(|_| {
                        Problem::new(
                            codes::CONTENDED,
                            "too many requests wait for the same entity",
                        )
                    })?,
            });
        }
        Ok(Turn { _held: held })
    }

    fn place(&self, id: &EntityId, lines: usize) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(id.entity_type.as_bytes());
        hasher.write_u8(0);
        hasher.write(id.key.as_bytes());
        usize::try_from(hasher.finish() % lines.max(1) as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use gamepipe_domain::entity::EntityId;

    use super::HotKeys;

    fn player(key: &str) -> EntityId {
        EntityId {
            entity_type: "player".to_owned(),
            key: key.to_owned(),
        }
    }

    #[tokio::test]
    async fn one_key_is_had_by_one_request_at_a_time_in_any_order_of_keys() {
        let (keys, inside) = (Arc::new(HotKeys::new()), Arc::new(AtomicUsize::new(0)));
        let racers: Vec<_> = (0..64)
            .map(|n| {
                let (keys, inside) = (Arc::clone(&keys), Arc::clone(&inside));
                tokio::spawn(async move {
                    let other = player(&format!("p{n}"));
                    let ids = if n % 2 == 0 {
                        [player("hot"), other]
                    } else {
                        [other, player("hot")]
                    };
                    let _turn = keys.entities(&ids).await.unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for racer in racers {
            racer.await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_same_key_twice_does_not_wait_for_itself() {
        let keys = HotKeys::new();
        drop(keys.entities(&[player("a"), player("a")]).await.unwrap());
    }
}
