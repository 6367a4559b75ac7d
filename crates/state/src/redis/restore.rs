//! A store made anew from what the event log says: for a person's decision, while nobody uses it.

use gamepipe_config::state::RedisConfig;
use gamepipe_domain::entity::{Entity, EntityId};
use gamepipe_service::clock::SharedClock;
use redis::pipe;

use super::check::Info;
use super::console::Console;
use crate::encode::invalid;
use crate::format::entity;
use crate::store::StateError;

/// How many keys are looked at, and removed, at a time.
const PAGE_KEYS: usize = 1000;
/// What the store says of itself until it is complete.
const UNFINISHED: &str = "it is being restored from the event log; if that was broken off, run `gamepipe state rebuild --replace` again";

/// A store that is being filled. Processes that open it meanwhile are refused with the reason.
#[derive(Debug)]
pub struct Restore {
    console: Console,
    id: String,
}

impl Restore {
    /// Connects and begins. A store that is there is refused, or removed with everything in it when `replace` is set.
    ///
    /// # Errors
    /// [`StateError::Unavailable`] when Redis can't be reached, [`StateError::Invalid`] when it holds a store of this name.
    pub async fn begin(
        config: &RedisConfig,
        clock: SharedClock,
        replace: bool,
    ) -> Result<Self, StateError> {
        let console = Console::connect(config, clock).await?;
        let id = console.link.new_id();
        let restore = Self { console, id };
        let keys = restore.keys_of_the_store().await?;
        if !keys.is_empty() && !replace {
            return Err(StateError::Invalid(format!(
                "Redis at {} holds a store {:?} already; stop everything that uses it and give --replace to remove it first",
                restore.console.place, restore.console.link.name
            )));
        }
        for page in keys.chunks(PAGE_KEYS) {
            let mut unlink = pipe();
            unlink.cmd("UNLINK").arg(page).ignore();
            restore.console.ask::<()>(&unlink).await?;
        }
        let mut info = pipe();
        info.cmd("INFO").arg("server");
        let (info,): (String,) = restore.console.ask(&info).await?;
        let run = Info::parse(&info).get("run_id").to_owned();
        let keys = &restore.console.link.keys;
        let mut mark = pipe();
        mark.atomic()
            .cmd("SET")
            .arg(&keys.head)
            .arg(format!("1 {} 1 lost 0 0 0", restore.id))
            .ignore()
            .cmd("SET")
            .arg(&keys.lost)
            .arg(UNFINISHED)
            .ignore()
            .cmd("HSET")
            .arg(&keys.runs)
            .arg("1")
            .arg(format!("{run} 0"))
            .ignore();
        restore.console.ask::<()>(&mark).await?;
        Ok(restore)
    }

    /// Puts entities into the store, as they were at their versions. Each is given once.
    ///
    /// # Errors
    /// [`StateError::Unavailable`] when Redis does not answer, [`StateError::Invalid`] for an entity that no store can hold.
    pub async fn put(&self, entities: &[(EntityId, Entity)]) -> Result<(), StateError> {
        if entities.is_empty() {
            return Ok(());
        }
        let keys = &self.console.link.keys;
        let mut batch = pipe();
        for (id, found) in entities {
            let bytes = entity::encode_entity(found.version, &found.state).map_err(invalid)?;
            batch.cmd("SET").arg(keys.entity(id)?).arg(bytes).ignore();
            batch
                .cmd("ZADD")
                .arg(keys.index(&id.entity_type)?)
                .arg(0)
                .arg(&id.key)
                .ignore();
        }
        self.console.ask(&batch).await
    }

    /// Opens the store for use. Its outbox is new and empty.
    ///
    /// # Errors
    /// [`StateError::Unavailable`] when Redis does not answer.
    pub async fn finish(self) -> Result<(), StateError> {
        let keys = &self.console.link.keys;
        let mut open = pipe();
        open.atomic()
            .cmd("SET")
            .arg(&keys.head)
            .arg(format!("1 {} 1 ok 0 0 0", self.id))
            .ignore()
            .cmd("DEL")
            .arg(&keys.lost)
            .ignore();
        self.console.ask(&open).await
    }

    async fn keys_of_the_store(&self) -> Result<Vec<Vec<u8>>, StateError> {
        let pattern = format!("{}*", self.console.link.keys.prefix());
        let (mut keys, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let mut scan = pipe();
            scan.cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(PAGE_KEYS);
            let ((next, page),): ((u64, Vec<Vec<u8>>),) = self.console.ask(&scan).await?;
            keys.extend(page);
            cursor = next;
            if cursor == 0 {
                return Ok(keys);
            }
        }
    }
}
