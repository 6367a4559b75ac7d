//! A plain connection to the server that holds a store, for what a person decides about it. It looks at nothing and waits for
//! nothing: the store may be in any state.

use std::time::Duration;

use gamepipe_config::state::RedisConfig;
use gamepipe_service::clock::SharedClock;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Pipeline};

use super::link::Link;
use super::problem::explain;
use super::session;
use crate::store::StateError;

/// How long connecting, and each request, may take: a page of a thousand keys included.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Console {
    pub(super) link: Link,
    /// Which server it is, for messages.
    pub(super) place: String,
    connection: MultiplexedConnection,
}

impl Console {
    pub(super) async fn connect(
        config: &RedisConfig,
        clock: SharedClock,
    ) -> Result<Self, StateError> {
        let link = Link::new(config, clock)?;
        let found = tokio::time::timeout(TIMEOUT, session::find_node(&link)).await;
        let (address, connection) = match found {
            Ok(found) => found.map_err(StateError::Unavailable)?,
            Err(_) => return Err(StateError::Unavailable(link.too_slow(&link.address.shown))),
        };
        Ok(Self {
            link,
            place: address.shown,
            connection,
        })
    }

    /// Sends commands and gives their answers.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, StateError> {
        let mut connection = self.connection.clone();
        match tokio::time::timeout(TIMEOUT, commands.query_async(&mut connection)).await {
            Ok(answer) => {
                answer.map_err(|error| StateError::Unavailable(explain(&error, &self.place).text))
            }
            Err(_) => Err(StateError::Unavailable(self.link.too_slow(&self.place))),
        }
    }
}
