//! Going on after a loss: for a person's decision, never on our own.

use gamepipe_config::state::RedisConfig;
use gamepipe_service::clock::SharedClock;
use redis::pipe;

use super::check::Info;
use super::console::Console;
use super::head::Head;
use super::scripts::{ACCEPT, Answer, Outcome};
use crate::store::StateError;

/// By how much the commit number leaps: more than can have been lost, and a millionth of what Lua counts exactly.
const LEAP: &str = "4294967296";

/// A store that nobody may commit to, because acknowledged commits are missing from it.
#[derive(Debug)]
pub struct Repair {
    console: Console,
    head: Head,
}

impl Repair {
    /// Connects to the store in whatever state it is.
    ///
    /// # Errors
    /// [`StateError::Unavailable`] when Redis can't be reached or does not hold a store of this name.
    pub async fn connect(config: &RedisConfig, clock: SharedClock) -> Result<Self, StateError> {
        let console = Console::connect(config, clock).await?;
        let mut get = pipe();
        get.cmd("GET").arg(&console.link.keys.head);
        let (head,): (Option<String>,) = console.ask(&get).await?;
        let Some(head) = head.as_deref().and_then(Head::parse) else {
            return Err(StateError::Unavailable(format!(
                "Redis at {} holds no store {:?} that this version can read",
                console.place, console.link.name
            )));
        };
        Ok(Self { console, head })
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
        let mut info = pipe();
        info.cmd("INFO");
        let (info,): (String,) = self.console.ask(&info).await?;
        let run_id = Info::parse(&info).get("run_id");
        let keys = &self.console.link.keys;
        let mut call = pipe();
        call.cmd("EVAL").arg(ACCEPT).arg(4);
        call.arg(&[&keys.head, &keys.runs, &keys.lost, &keys.outbox]);
        call.arg(&self.head.id)
            .arg(log_position)
            .arg(log_position.saturating_add(1));
        call.arg(run_id).arg(LEAP);
        let (answer,): (Answer,) = self.console.ask(&call).await?;
        match answer.outcome {
            Outcome::Done => Ok(()),
            _ => Err(StateError::Unavailable(
                self.console.link.moved(&self.console.place),
            )),
        }
    }
}
