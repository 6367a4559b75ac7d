//! The connection as callers see it: there, or not there with the reason. A task of its own keeps it and gets it back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gamepipe_config::state::{Durability, RedisConfig};
use gamepipe_service::clock::SharedClock;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::{Semaphore, watch};

use super::address::Address;
use super::head::{Head, Status};
use super::keys::Keys;
use super::outbox::Watcher;
use super::problem::explain;
use super::scripts::{self, Script};
use super::session::Session;
use crate::encode;
use crate::store::StateError;

/// How many requests may wait for Redis at once. Ten times what keeps it busy; more would only wait in its queue.
const MAX_IN_FLIGHT: usize = 1024;

/// The pauses between attempts to connect double between these.
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// There, or why not.
type State = Result<Arc<Session>, Arc<str>>;

/// What a process knows of the store, so that it notices when Redis knows less.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The store's id; empty before the first session.
    pub(super) id: String,
    /// The incarnation of the last session.
    pub(super) incarnation: u64,
}

/// The way to Redis.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) keys: Keys,
    pub(super) address: Address,
    pub(super) durability: Durability,
    pub(super) may_create: bool,
    pub(super) timeout: Duration,
    pub(super) clock: SharedClock,
    pub(super) watcher: Watcher,
    known: Mutex<Known>,
    /// The highest commit number that any answer told.
    seen: AtomicU64,
    state: watch::Sender<State>,
    in_flight: Semaphore,
}

impl Link {
    /// A link that is not connected yet.
    pub(super) fn new(config: &RedisConfig, clock: SharedClock) -> Result<Self, StateError> {
        let not_yet = Err("not connected yet".into());
        Ok(Self {
            name: config.name.clone(),
            keys: Keys::new(&config.name)?,
            address: Address::new(config)?,
            durability: config.durability,
            may_create: config.create,
            timeout: Duration::from_millis(config.timeout_ms.max(1)),
            clock,
            watcher: Watcher::default(),
            known: Mutex::default(),
            seen: AtomicU64::new(0),
            state: watch::Sender::new(not_yet),
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
        })
    }

    /// Connects once; callers may ask from then on.
    pub(super) async fn connect(&self) -> Result<Arc<Session>, String> {
        let session = Arc::new(Session::connect(self).await?);
        self.note_commits(session.head.commits);
        *self.lock_known() = Known {
            id: session.head.id.clone(),
            incarnation: session.head.incarnation,
        };
        self.watcher.begin(session.head.last);
        self.publish(Ok(Arc::clone(&session)));
        Ok(session)
    }

    /// Keeps the link: looks after `session`, and connects again when it has failed. Never ends.
    pub(super) async fn keep(&self, mut session: Arc<Session>) {
        loop {
            let reason = tokio::select! {
                reason = session.failed() => reason,
                reason = session.watch_health(self) => reason.into(),
                reason = self.watcher.watch(self, &session) => reason.into(),
            };
            tracing::warn!(%reason, "requests to Redis are refused until it is back");
            session.fail(&reason);
            self.publish(Err(reason));
            session = self.reconnect().await;
            tracing::info!(
                redis.address = session.place,
                incarnation = session.head.incarnation,
                confirmed = session.is_confirmed(),
                "Redis is back"
            );
        }
    }

    async fn reconnect(&self) -> Arc<Session> {
        let mut pause = FIRST_BACKOFF;
        let mut told = String::new();
        loop {
            match self.connect().await {
                Ok(session) => return session,
                Err(reason) => {
                    if reason != told {
                        tracing::warn!(reason, "Redis can't be used");
                        told.clone_from(&reason);
                    }
                    self.publish(Err(reason.into()));
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_BACKOFF);
        }
    }

    fn publish(&self, state: State) {
        // What it was before is of no use any more.
        drop(self.state.send_replace(state));
    }

    /// The session, confirmed or not; an error at once when there is none.
    pub(super) fn any_session(&self) -> Result<Arc<Session>, StateError> {
        let session = match &*self.state.borrow() {
            Ok(session) => Arc::clone(session),
            Err(reason) => return Err(StateError::Unavailable(reason.to_string())),
        };
        match session.failure() {
            Some(reason) => Err(StateError::Unavailable(reason.to_string())),
            None => Ok(session),
        }
    }

    /// The session, when commits may be taken and what is read may be believed.
    pub(super) fn session(&self) -> Result<Arc<Session>, StateError> {
        let session = self.any_session()?;
        if session.is_confirmed() {
            return Ok(session);
        }
        Err(StateError::Unavailable(format!(
            "Redis at {} was started anew or replaced (incarnation {}): requests wait until the relay has compared the \
             outbox with the event log",
            session.place, session.head.incarnation
        )))
    }

    /// Changes of what [`Link::any_session`] answers.
    pub(super) fn changes(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Asks Redis, within the time limit. An error leaves the outcome open.
    pub(super) async fn ask<T>(
        &self,
        session: &Session,
        request: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StateError> {
        let answer = self.answer(session, request).await?;
        answer.map_err(|error| self.error(session, &error))
    }

    /// Runs a script. Loads it when the server has forgotten it: then it has not run, so this is no second attempt at
    /// anything.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        session: &Session,
        connection: &MultiplexedConnection,
        script: Script,
        call: &Cmd,
    ) -> Result<T, StateError> {
        let mut connection = connection.clone();
        let mut answer: RedisResult<T> = self
            .answer(session, call.query_async(&mut connection))
            .await?;
        let no_script = ErrorKind::Server(ServerErrorKind::NoScript);
        if answer
            .as_ref()
            .is_err_and(|error| error.kind() == no_script)
        {
            let load = scripts::load(script);
            let _: String = self.ask(session, load.query_async(&mut connection)).await?;
            answer = self
                .answer(session, call.query_async(&mut connection))
                .await?;
        }
        answer.map_err(|error| self.error(session, &error))
    }

    async fn answer<T>(
        &self,
        session: &Session,
        request: impl Future<Output = RedisResult<T>>,
    ) -> Result<RedisResult<T>, StateError> {
        let limited = async {
            // Fails only when it is closed, which nobody does.
            let _turn = self.in_flight.acquire().await;
            request.await
        };
        tokio::time::timeout(self.timeout, limited)
            .await
            .map_err(|_| {
                let reason = self.too_slow(&session.place);
                session.fail(&reason);
                StateError::Unavailable(reason)
            })
    }

    /// What an error of a request means for its caller; ends the session when it means something for the others, too.
    fn error(&self, session: &Session, error: &RedisError) -> StateError {
        let problem = explain(error, &session.place);
        if problem.breaks {
            session.fail(&problem.text);
        }
        StateError::Unavailable(problem.text)
    }

    /// Checks that a head that was read together with something else is the session's.
    pub(super) fn check_head(
        &self,
        session: &Session,
        head: Option<&[u8]>,
        seen: u64,
    ) -> Result<Head, StateError> {
        let head = head
            .and_then(|head| str::from_utf8(head).ok())
            .and_then(Head::parse)
            .filter(|head| head.prefix() == session.head.prefix() && head.commits >= seen);
        let Some(head) = head else {
            return Err(self.lost_track(session));
        };
        self.note_commits(head.commits);
        Ok(head)
    }

    /// The values of keys, all of one moment, in a store that may be believed. `None` where there is none.
    pub(super) async fn read(
        &self,
        session: &Session,
        connection: &MultiplexedConnection,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let seen = self.seen();
        let mut command = Cmd::with_capacity(2 + keys.len(), 64 * (2 + keys.len()));
        command.arg("MGET").arg(&self.keys.head);
        for key in keys {
            command.arg(key.as_slice());
        }
        let mut connection = connection.clone();
        let mut values: Vec<Option<Vec<u8>>> = self
            .ask(session, command.query_async(&mut connection))
            .await?;
        if values.is_empty() {
            return Err(self.lost_track(session));
        }
        let head = values.remove(0);
        match self.check_head(session, head.as_deref(), seen)?.status {
            Status::Open => Ok(values),
            Status::New | Status::Lost => Err(self.lost_track(session)),
        }
    }

    /// Ends the session because the store is not what it was; nothing was done.
    pub(super) fn lost_track(&self, session: &Session) -> StateError {
        let reason = self.moved(&session.place);
        session.fail(&reason);
        StateError::Unavailable(reason)
    }

    /// The message for a store that is not what it was.
    pub(super) fn moved(&self, place: &str) -> String {
        format!(
            "the store in Redis at {place} was restarted, flushed or replaced while in use; it is looked at again"
        )
    }

    /// The message for a request that took too long.
    pub(super) fn too_slow(&self, place: &str) -> String {
        format!(
            "Redis at {place} did not answer within {} ms (state.redis.timeoutMs): is it stopped or overloaded?",
            self.timeout.as_millis()
        )
    }

    /// The highest commit number that is known: Redis must never tell a lower one.
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Notes a commit number.
    pub(super) fn note_commits(&self, commits: u64) {
        self.seen.fetch_max(commits, Ordering::AcqRel);
    }

    /// What is known of the store.
    pub(super) fn known(&self) -> Known {
        self.lock_known().clone()
    }

    fn lock_known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id for a store that is to be made.
    pub(super) fn new_id(&self) -> String {
        encode::new_id(&*self.clock)
    }
}
