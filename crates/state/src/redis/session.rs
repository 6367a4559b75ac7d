//! One connected, verified server: from the first dial to the moment when something is wrong with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gamepipe_config::state::Durability;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError, cmd};
use tokio::sync::watch;

use super::address::Address;
use super::check::Info;
use super::head::{Head, Status};
use super::link::Link;
use super::problem::explain;
use super::scripts::{self, Script, Shas};

/// How long one attempt to connect and verify may take. Two fit into the time within which a start must say what is wrong.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);

/// How many nodes of a cluster may point to another. A stable cluster needs one.
const MAX_REDIRECTS: usize = 5;

/// How often a server is looked at again: often enough that a changed setting is noticed before much depends on it.
const HEALTH_PERIOD: Duration = Duration::from_secs(2);

/// The same while a new incarnation is unconfirmed: another process's relay may confirm it.
const CONFIRM_PERIOD: Duration = Duration::from_millis(100);

/// How many incarnations are remembered: more than a server is restarted while a process waits for it.
const REMEMBERED_RUNS: u64 = 1000;

/// A verified server.
pub(super) struct Session {
    /// Which server it is, for messages.
    pub(super) place: String,
    /// For commits and reads of a few keys.
    pub(super) commands: MultiplexedConnection,
    /// For pages, which would hold up the others.
    pub(super) pages: MultiplexedConnection,
    /// For the command that blocks.
    pub(super) waiting: MultiplexedConnection,
    pub(super) shas: Shas,
    /// The head when the session began.
    pub(super) head: Head,
    /// What the head begins with while commits may be taken.
    pub(super) open_prefix: String,
    confirmed: AtomicBool,
    failure: watch::Sender<Option<Arc<str>>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Session")
            .field("place", &self.place)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// True when commits may be taken in this incarnation.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Acquire)
    }

    /// Notes that the outbox and the log agree.
    pub(super) fn confirm(&self) {
        self.confirmed.store(true, Ordering::Release);
    }

    /// Ends the session: the server is to be looked at again. The first reason stays.
    pub(super) fn fail(&self, reason: &str) {
        self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert_with(|| reason.into());
            is_first
        });
    }

    /// Why it has ended.
    pub(super) fn failure(&self) -> Option<Arc<str>> {
        self.failure.borrow().clone()
    }

    /// Waits until it has ended.
    pub(super) async fn failed(&self) -> Arc<str> {
        let mut failure = self.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(failure) => failure.clone().unwrap_or_default(),
            // The sender lives as long as `self`.
            Err(_) => Arc::default(),
        }
    }

    /// Connects to the server in the settings, or to the node of its cluster that has the store's slot, and verifies it.
    pub(super) async fn connect(link: &Link) -> Result<Self, String> {
        match tokio::time::timeout(ATTEMPT_TIMEOUT, find(link)).await {
            Ok(session) => session,
            Err(_) => Err(format!(
                "Redis at {} did not answer within {} s: is it a Redis, and is it neither stopped nor overloaded?",
                link.address.shown,
                ATTEMPT_TIMEOUT.as_secs()
            )),
        }
    }

    /// Looks at the server again and again; returns when it is no longer what it was.
    pub(super) async fn watch_health(&self, link: &Link) -> String {
        loop {
            let period = if self.is_confirmed() {
                HEALTH_PERIOD
            } else {
                CONFIRM_PERIOD
            };
            tokio::time::sleep(period).await;
            match tokio::time::timeout(link.timeout, self.look(link)).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => return reason,
                Err(_) => return link.too_slow(&self.place),
            }
        }
    }

    async fn look(&self, link: &Link) -> Result<(), String> {
        let seen = link.seen();
        let mut pipeline = redis::pipe();
        pipeline.cmd("INFO").cmd("GET").arg(&link.keys.head);
        let (info, head): (String, Option<String>) = pipeline
            .query_async(&mut self.commands.clone())
            .await
            .map_err(|error| explain(&error, &self.place).text)?;
        let info = Info::parse(&info);
        if let Some(objection) = info.objection(link.durability, None) {
            return Err(format!("Redis at {} {objection}", self.place));
        }
        let head = head.as_deref().and_then(Head::parse);
        match head {
            Some(head) if head.prefix() == self.head.prefix() && head.commits >= seen => {
                link.note_commits(head.commits);
                match head.status {
                    Status::Open => self.confirm(),
                    Status::New if !self.is_confirmed() => {}
                    _ => return Err(link.moved(&self.place)),
                }
                Ok(())
            }
            _ => Err(link.moved(&self.place)),
        }
    }
}

async fn find(link: &Link) -> Result<Session, String> {
    let (address, commands) = find_node(link).await?;
    greet(link, address, commands).await
}

/// Follows a cluster's directions to the node that has the store.
pub(super) async fn find_node(link: &Link) -> Result<(Address, MultiplexedConnection), String> {
    let mut address = link.address.clone();
    for _ in 0..=MAX_REDIRECTS {
        let mut commands = dial(&address).await?;
        let head = cmd("GET").arg(&link.keys.head).to_owned();
        let answer: Result<redis::Value, RedisError> = head.query_async(&mut commands).await;
        let Err(error) = answer else {
            return Ok((address, commands));
        };
        let node = error
            .redirect_node()
            .and_then(|(node, _)| address.of_node(node));
        address = node.ok_or_else(|| explain(&error, &address.shown).text)?;
    }
    Err(format!(
        "the Redis cluster at {} sends requests in a circle: is it being moved?",
        link.address.shown
    ))
}

async fn dial(address: &Address) -> Result<MultiplexedConnection, String> {
    // Both waits are bounded from outside, per request and per attempt.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let connect = async {
        let client = address.client()?;
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    };
    connect
        .await
        .map_err(|error: RedisError| explain(&error, &address.shown).text)
}

/// Verifies the server and opens the store in it.
async fn greet(
    link: &Link,
    address: Address,
    mut commands: MultiplexedConnection,
) -> Result<Session, String> {
    let place = address.shown.clone();
    let problem = |error: RedisError| explain(&error, &place).text;
    let info: String = cmd("INFO")
        .query_async(&mut commands)
        .await
        .map_err(problem)?;
    let info = Info::parse(&info);
    let appendfsync = appendfsync(&mut commands).await;
    if appendfsync.is_none() && link.durability != Durability::None {
        tracing::warn!(
            redis.address = place,
            "Redis does not say how often it syncs its append-only file (CONFIG GET appendfsync); taking it on trust"
        );
    }
    if let Some(objection) = info.objection(link.durability, appendfsync.as_deref()) {
        return Err(format!("Redis at {place} {objection}"));
    }
    let mut shas = Vec::with_capacity(scripts::ALL.len());
    for script in scripts::ALL {
        let sha: String = scripts::load(script)
            .query_async(&mut commands)
            .await
            .map_err(problem)?;
        shas.push(sha);
    }
    let shas = Shas(<[String; 4]>::try_from(shas).map_err(|_| String::new())?);
    let (verdict, detail): (String, String) = open_call(link, &shas, info.get("run_id"))
        .query_async(&mut commands)
        .await
        .map_err(problem)?;
    let head = verdict_head(link, &place, &verdict, &detail)?;
    Ok(Session {
        pages: dial(&address).await?,
        waiting: dial(&address).await?,
        place,
        commands,
        shas,
        open_prefix: format!("{}ok ", head.prefix()),
        confirmed: AtomicBool::new(head.status == Status::Open),
        head,
        failure: watch::Sender::new(None),
    })
}

/// The policy, where the server tells it: managed ones and restricted users often don't.
async fn appendfsync(commands: &mut MultiplexedConnection) -> Option<String> {
    let (_, policy): (String, String) = cmd("CONFIG")
        .arg("GET")
        .arg("appendfsync")
        .query_async(commands)
        .await
        .ok()?;
    Some(policy)
}

fn open_call(link: &Link, shas: &Shas, run_id: &str) -> redis::Cmd {
    let keys = &link.keys;
    let [probe_1, probe_2, probe_3] = &keys.probes;
    let known = link.known();
    let (incarnation, seen) = (known.incarnation.to_string(), link.seen().to_string());
    let remembered = REMEMBERED_RUNS.to_string();
    shas.call(
        Script::Open,
        &[
            &keys.head,
            &keys.runs,
            &keys.lost,
            &keys.outbox,
            probe_1,
            probe_2,
            probe_3,
        ],
        &[
            if link.may_create { "1" } else { "0" },
            &link.new_id(),
            run_id,
            &known.id,
            &incarnation,
            &seen,
            &remembered,
        ],
    )
}

/// What the script `open` found, as a head or as a sentence that says what happened and what to do.
fn verdict_head(link: &Link, place: &str, verdict: &str, detail: &str) -> Result<Head, String> {
    const RESTORE: &str = "nothing is acknowledged until its data is back: restore its append-only file, make the replica \
         that has it the primary, or rebuild the state from the event log (`gamepipe state rebuild`)";
    let name = &link.name;
    let known = link.known().id;
    Err(match verdict {
        "open" => {
            return Head::parse(detail).ok_or_else(|| {
                format!("Redis at {place}: the head of store {name:?} is unreadable: {detail:?}")
            });
        }
        "lost" => format!(
            "Redis at {place} lost commits that had been acknowledged ({detail}), by a crash or a fail-over to a replica \
             that lagged; {RESTORE}"
        ),
        "gone" => format!(
            "Redis at {place} no longer holds store {name:?} ({known}): it was flushed, or is another server; {RESTORE}"
        ),
        "replaced" => format!(
            "Redis at {place} holds another store {name:?} ({detail}) than this process works with ({known}): it was \
             flushed and begun anew, or is another server; {RESTORE}"
        ),
        "headless" => format!(
            "Redis at {place} holds parts of store {name:?}, but not its head: keys were deleted; {RESTORE}"
        ),
        "absent" => format!(
            "Redis at {place} does not hold store {name:?}, and none may be made (state.redis.create is false, or the event log has \
             events already): was it flushed, or is state.redis.url or state.redis.name wrong? `gamepipe state rebuild` \
             restores it from the event log"
        ),
        "format" => format!(
            "store {name:?} in Redis at {place} was written by another version of gamepipe ({detail:?}); use that one"
        ),
        other => format!("Redis at {place} gave an unexpected answer: {other:?}"),
    })
}
