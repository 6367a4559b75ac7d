//! The store's head: one line of text that every script reads first and the commit script writes last.
//!
//! Persisted: keep stable. `1 <store id> <incarnation> <status> <commits> <last> <trimmed>`; the first number is the
//! version of the whole layout. Text, so that `redis-cli` shows it and Lua compares it as a prefix.

/// What the head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Made with the store; also the outbox's id.
    pub(super) id: String,
    /// How often Redis was started anew or replaced under this store, from 1.
    pub(super) incarnation: u64,
    /// Whether commits may be taken.
    pub(super) status: Status,
    /// How many commits there were.
    pub(super) commits: u64,
    /// The highest outbox sequence number that was given.
    pub(super) last: u64,
    /// Outbox entries up to here are on the log and forgotten.
    pub(super) trimmed: u64,
}

/// Whether commits may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// They may.
    Open,
    /// Not before the relay has compared the outbox with the log: this incarnation may lack the last commits.
    New,
    /// Not any more: acknowledged commits are missing.
    Lost,
}

/// The version of the layout.
const FORMAT: &str = "1";

impl Head {
    /// Reads a head; `None` when it is not one of this version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        if parts.next()? != FORMAT {
            return None;
        }
        let id = parts.next()?.to_owned();
        let incarnation = parts.next()?.parse().ok()?;
        let status = match parts.next()? {
            "ok" => Status::Open,
            "new" => Status::New,
            "lost" => Status::Lost,
            _ => return None,
        };
        let head = Self {
            id,
            incarnation,
            status,
            commits: parts.next()?.parse().ok()?,
            last: parts.next()?.parse().ok()?,
            trimmed: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(head)
    }

    /// What this head begins with for as long as the incarnation lasts, up to the status.
    pub(super) fn prefix(&self) -> String {
        format!("{FORMAT} {} {} ", self.id, self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::{Head, Status};

    #[test]
    fn a_head_is_read_part_by_part() {
        let text = "1 5f-a 3 new 17 9 4";
        let head = Head::parse(text).unwrap();
        assert_eq!((head.id.as_str(), head.incarnation), ("5f-a", 3));
        assert_eq!(head.status, Status::New);
        assert_eq!((head.commits, head.last, head.trimmed), (17, 9, 4));
        assert!(text.starts_with(&head.prefix()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "2 a 1 ok 0 0 0",
            "1 a 1 ok 0 0",
            "1 a 1 ok 0 0 0 0",
            "1 a x ok 0 0 0",
            "1 a 1 no 0 0 0",
        ] {
            assert!(Head::parse(text).is_none(), "{text:?}");
        }
    }
}
