//! The scripts, and what they answer. Redis runs one at a time and wholly; each checks everything before its first write.

use redis::{Cmd, FromRedisValue, ParsingError, Value};

/// One of the scripts that sessions call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Open,
    Commit,
    Trim,
    Read,
}

/// The one that a person runs, after a loss.
pub(super) const ACCEPT: &str = include_str!("scripts/accept.lua");

/// All of them, in the order of [`Shas`].
pub(super) const ALL: [Script; 4] = [Script::Open, Script::Commit, Script::Trim, Script::Read];

impl Script {
    /// Its text.
    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Open => include_str!("scripts/open.lua"),
            Self::Commit => include_str!("scripts/commit.lua"),
            Self::Trim => include_str!("scripts/trim.lua"),
            Self::Read => include_str!("scripts/read.lua"),
        }
    }
}

/// The names that the server gave to [`ALL`].
#[derive(Debug, Clone)]
pub(super) struct Shas(pub(super) [String; 4]);

impl Shas {
    fn get(&self, script: Script) -> &str {
        let [open, commit, trim, read] = &self.0;
        match script {
            Script::Open => open,
            Script::Commit => commit,
            Script::Trim => trim,
            Script::Read => read,
        }
    }

    /// The call of a script with its keys and arguments.
    pub(super) fn call<K: AsRef<[u8]>, A: AsRef<[u8]>>(
        &self,
        script: Script,
        keys: &[K],
        arguments: &[A],
    ) -> Cmd {
        let bytes = keys.iter().map(|key| key.as_ref().len()).sum::<usize>()
            + arguments
                .iter()
                .map(|argument| argument.as_ref().len())
                .sum::<usize>();
        let mut command = Cmd::with_capacity(3 + keys.len() + arguments.len(), 64 + bytes);
        command.arg("EVALSHA").arg(self.get(script)).arg(keys.len());
        for key in keys {
            command.arg(key.as_ref());
        }
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        command
    }
}

/// The command that loads a script and answers its name.
pub(super) fn load(script: Script) -> Cmd {
    let mut command = redis::cmd("SCRIPT");
    command.arg("LOAD").arg(script.source());
    command
}

/// What `commit` and `trim` answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// How many commits the store has had; of `Beyond`, the outbox's last number.
    pub(super) number: u64,
}

/// How a script ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it is done.
    Done,
    /// Nothing is: an entity has another version.
    Conflict,
    /// Nothing is: this record is known.
    Replayed(Vec<u8>),
    /// Nothing is: the outbox does not reach that far.
    Beyond,
    /// Nothing is: this is not the store, or not the incarnation, that the client knows.
    Moved,
    /// Nothing is: the store lacks commits that the client knows of.
    Behind,
}

impl FromRedisValue for Answer {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let wrong = || ParsingError::from("a script gave an unexpected answer");
        let Value::Array(parts) = value else {
            return Err(wrong());
        };
        let mut parts = parts.into_iter();
        let (Some(Value::BulkString(name)), Some(Value::Int(number))) =
            (parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let outcome = match (name.as_slice(), parts.next()) {
            (b"done", None) => Outcome::Done,
            (b"conflict", None) => Outcome::Conflict,
            (b"replayed", Some(Value::BulkString(record))) => Outcome::Replayed(record),
            (b"beyond", None) => Outcome::Beyond,
            (b"moved", None) => Outcome::Moved,
            (b"behind", None) => Outcome::Behind,
            _ => return Err(wrong()),
        };
        let number = u64::try_from(number).map_err(|_| wrong())?;
        Ok(Self { outcome, number })
    }
}
