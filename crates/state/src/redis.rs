//! The store in Redis, for processes that share one: a Lua script per commit, all keys in one hash slot.
//!
//! Redis does not promise what a disk promises, so this promises no more than Redis keeps, and looks whether it does:
//! every script compares the store's head with what the process knows of it, and a server that was restarted, emptied,
//! or replaced by a replica that lagged is noticed before anything is acknowledged. `docs/decisions/0032-redis.md` has
//! the layout, the durability policies and how each loss is noticed.

mod address;
mod check;
mod commit;
mod console;
mod head;
mod keys;
mod link;
mod outbox;
mod problem;
mod repair;
mod restore;
mod scripts;
mod session;

use std::sync::Arc;

use async_trait::async_trait;
use gamepipe_config::state::RedisConfig;
use gamepipe_domain::entity::{Entity, EntityId};
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_domain::time::Timestamp;
use gamepipe_service::clock::SharedClock;
use redis::cmd;
use tokio::task::AbortHandle;

use self::link::Link;
pub use self::repair::Repair;
pub use self::restore::Restore;
use self::session::Session;
use crate::format::entity;
use crate::store::{
    Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, OutboxEntry, StateError, StateStore,
};

/// The most entities that one scan returns, whatever was asked for.
const MAX_SCAN: usize = 2000;

/// The state store in Redis. Dropping it closes its connections.
///
/// After Redis was started anew or replaced, requests are refused until [`StateStore::trim_outbox`] has been called with
/// the log's position: that call shows whether the outbox still has all that the log has.
#[derive(Debug)]
pub struct RedisStore {
    link: Arc<Link>,
    outbox_id: String,
    keeper: AbortHandle,
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl RedisStore {
    /// Connects to Redis, verifies it, and opens the store, making it when there is none (see `RedisConfig::create`).
    /// Takes 10 s at most. Keeps the connection from then on: requests fail at once while Redis is away, and go on when
    /// it is back. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StateError::Invalid`] for settings that can't be right, [`StateError::Unavailable`] when Redis can't be used:
    /// the text names the reason and what to change.
    pub async fn open(config: &RedisConfig, clock: SharedClock) -> Result<Arc<Self>, StateError> {
        let link = Arc::new(Link::new(config, clock)?);
        let session = link.connect().await.map_err(StateError::Unavailable)?;
        let outbox_id = session.head.id.clone();
        let keeper = {
            let link = Arc::clone(&link);
            tokio::spawn(async move { link.keep(session).await }).abort_handle()
        };
        Ok(Arc::new(Self {
            link,
            outbox_id,
            keeper,
        }))
    }
}

#[async_trait]
impl StateStore for RedisStore {
    async fn load(&self, ids: &[EntityId]) -> Result<Vec<Option<Entity>>, StateError> {
        let session = self.link.session()?;
        let keys = ids
            .iter()
            .map(|id| self.link.keys.entity(id))
            .collect::<Result<Vec<_>, _>>()?;
        let found = self.link.read(&session, &session.commands, &keys).await?;
        found
            .iter()
            .map(|bytes| {
                bytes
                    .as_deref()
                    .map(|bytes| decode(&session, bytes))
                    .transpose()
            })
            .collect()
    }

    async fn idempotency_record(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StateError> {
        let session = self.link.session()?;
        let key = self.link.keys.record(key)?;
        let found = self.link.read(&session, &session.commands, &[key]).await?;
        let Some(bytes) = found.into_iter().next().flatten() else {
            return Ok(None);
        };
        let record = commit::decode_record(&session, &bytes)?;
        Ok((record.expires > now).then_some(record))
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StateError> {
        commit::commit(&self.link, commit).await
    }

    async fn outbox(&self, after: u64, max: usize) -> Result<Vec<OutboxEntry>, StateError> {
        outbox::read(&self.link, after, max).await
    }

    async fn trim_outbox(&self, up_to: u64) -> Result<(), StateError> {
        outbox::trim(&self.link, up_to).await
    }

    async fn outbox_changed(&self, after: u64) {
        self.link.watcher.changed(&self.link, after).await;
    }

    async fn outbox_marks(&self) -> Result<OutboxMarks, StateError> {
        outbox::marks(&self.link).await
    }

    async fn scan(
        &self,
        entity_type: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<(EntityId, Entity)>, StateError> {
        let session = self.link.session()?;
        let start = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        let mut range = cmd("ZRANGE");
        range
            .arg(self.link.keys.index(entity_type)?)
            .arg(start)
            .arg("+")
            .arg("BYLEX");
        range.arg("LIMIT").arg(0).arg(max.min(MAX_SCAN));
        let mut pages = session.pages.clone();
        let keys: Vec<String> = self
            .link
            .ask(&session, range.query_async(&mut pages))
            .await?;
        let ids: Vec<EntityId> = keys
            .into_iter()
            .map(|key| EntityId {
                entity_type: entity_type.to_owned(),
                key,
            })
            .collect();
        let keys = ids
            .iter()
            .map(|id| self.link.keys.entity(id))
            .collect::<Result<Vec<_>, _>>()?;
        let found = self.link.read(&session, &session.pages, &keys).await?;
        ids.into_iter()
            .zip(found)
            .map(|(id, bytes)| match bytes {
                Some(bytes) => Ok((id, decode(&session, &bytes)?)),
                None => Err(StateError::Corrupt(format!(
                    "Redis at {}: {} {:?} is in its index but not there",
                    session.place, id.entity_type, id.key
                ))),
            })
            .collect()
    }

    fn outbox_id(&self) -> &str {
        &self.outbox_id
    }
}

fn decode(session: &Session, bytes: &[u8]) -> Result<Entity, StateError> {
    entity::decode_entity(bytes)
        .map_err(|error| StateError::Corrupt(format!("Redis at {}: {error}", session.place)))
}
