//! Going on after a loss: for a person's decision, never on our own.

use std::time::Duration;

use gamepipe_config::state::RedisConfig;
use gamepipe_service::clock::SharedClock;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, cmd};

use super::check::Info;
use super::head::Head;
use super::link::Link;
use super::problem::explain;
use super::scripts::{ACCEPT, Answer, Outcome};
use super::session;
use crate::store::StateError;

/// How long connecting, and each request, may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// By how much the commit number leaps: more than can have been lost, and a millionth of what Lua counts exactly.
const LEAP: &str = "4294967296";

/// A store that nobody may commit to, because acknowledged commits are missing from it.
#[derive(Debug)]
pub struct Repair {
    link: Link,
    connection: MultiplexedConnection,
    place: String,
    head: Head,
}

impl Repair {
    /// Connects to the store in whatever state it is.
    ///
    /// # Errors
    /// [`StateError::Unavailable`] when Redis can't be reached or does not hold a store of this name.
    pub async fn connect(config: &RedisConfig, clock: SharedClock) -> Result<Self, StateError> {
        let link = Link::new(config, clock)?;
        let found = tokio::time::timeout(TIMEOUT, session::find_node(&link)).await;
        let (address, connection) = match found {
            Ok(found) => found.map_err(StateError::Unavailable)?,
            Err(_) => return Err(StateError::Unavailable(link.too_slow(&link.address.shown))),
        };
        let place = address.shown;
        let get = cmd("GET").arg(&link.keys.head).to_owned();
        let head: Option<String> = ask(&link, &place, &connection, &get).await?;
        let Some(head) = head.as_deref().and_then(Head::parse) else {
            let name = &link.name;
            let text =
                format!("Redis at {place} holds no store {name:?} that this version can read");
            return Err(StateError::Unavailable(text));
        };
        Ok(Self {
            link,
            connection,
            place,
            head,
        })
    }

    /// The outbox's id, under which the log knows its position.
    pub fn outbox_id(&self) -> &str {
        &self.head.id
    }

    /// Accepts that commits are missing, and takes new ones. `log_position` is the last entry of this outbox that is on the
    /// log: the outbox goes on after it. Running processes go on by themselves. The events of lost commits that are on
    /// the log stay there, so tables may tell of changes that no entity shows.
    ///
    /// # Errors
    /// [`StateError::Unavailable`] when Redis does not answer, or the store was replaced meanwhile.
    pub async fn accept_loss(self, log_position: u64) -> Result<(), StateError> {
        let info: String = ask(&self.link, &self.place, &self.connection, &cmd("INFO")).await?;
        let run_id = Info::parse(&info).get("run_id");
        let keys = &self.link.keys;
        let mut call = cmd("EVAL");
        call.arg(ACCEPT).arg(4);
        call.arg(&[&keys.head, &keys.runs, &keys.lost, &keys.outbox]);
        call.arg(&self.head.id)
            .arg(log_position)
            .arg(log_position.saturating_add(1));
        call.arg(run_id).arg(LEAP);
        let answer: Answer = ask(&self.link, &self.place, &self.connection, &call).await?;
        match answer.outcome {
            Outcome::Done => Ok(()),
            _ => Err(StateError::Unavailable(self.link.moved(&self.place))),
        }
    }
}

async fn ask<T: FromRedisValue>(
    link: &Link,
    place: &str,
    connection: &MultiplexedConnection,
    command: &Cmd,
) -> Result<T, StateError> {
    let mut connection = connection.clone();
    match tokio::time::timeout(TIMEOUT, command.query_async(&mut connection)).await {
        Ok(answer) => answer.map_err(|error| StateError::Unavailable(explain(&error, place).text)),
        Err(_) => Err(StateError::Unavailable(link.too_slow(place))),
    }
}
