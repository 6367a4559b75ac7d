//! The outbox: a stream whose entries are numbered by the commit script, and waiting for the next one.

use std::time::Duration;

use bytes::Bytes;
use gamepipe_domain::outbox::OutboxMarks;
use redis::{Cmd, Value, cmd};
use tokio::sync::{Notify, watch};

use super::head::{Head, Status};
use super::link::Link;
use super::problem::explain;
use super::scripts::{Answer, Outcome, Script};
use super::session::Session;
use crate::store::{OutboxEntry, StateError};

/// The most that one read returns, whatever was asked for: it bounds a caller's memory and how long Redis is held up.
const MAX_READ: usize = 10_000;

/// How long one command waits for a new entry, in milliseconds. Only then is it noticed that nobody waits any more.
const BLOCK_MS: u64 = 5000;

/// Entries above `after`, in order.
pub(super) async fn read(
    link: &Link,
    after: u64,
    max: usize,
) -> Result<Vec<OutboxEntry>, StateError> {
    let session = link.session()?;
    let seen = link.seen();
    let keys = [&link.keys.head, &link.keys.outbox];
    let arguments = [after.to_string(), max.min(MAX_READ).to_string()];
    let call = session.shas.call(Script::Read, &keys, &arguments);
    let (head, entries): (Option<Vec<u8>>, Value) = link
        .run(&session, &session.pages, Script::Read, &call)
        .await?;
    let head = link.check_head(&session, head.as_deref(), seen)?;
    if head.status != Status::Open {
        return Err(link.lost_track(&session));
    }
    let corrupt = |what: String| {
        StateError::Corrupt(format!(
            "Redis at {}, {}: {what}",
            session.place, link.keys.outbox
        ))
    };
    let Value::Array(entries) = entries else {
        return Err(corrupt("not a stream".to_owned()));
    };
    let first = after.max(head.trimmed).saturating_add(1);
    let mut found = Vec::with_capacity(entries.len());
    for (expected, entry) in (first..).zip(entries) {
        let entry =
            decode(entry).ok_or_else(|| corrupt(format!("entry {expected} is unreadable")))?;
        if entry.sequence != expected {
            return Err(corrupt(format!("entry {expected} is missing")));
        }
        found.push(entry);
    }
    if found.is_empty() && max > 0 && head.last >= first {
        return Err(corrupt(format!("entry {first} is missing")));
    }
    Ok(found)
}

/// `[<sequence>-0, [k, <key>, v, <value>]]`.
fn decode(entry: Value) -> Option<OutboxEntry> {
    let Value::Array(parts) = entry else {
        return None;
    };
    let [Value::BulkString(id), Value::Array(fields)] = <[Value; 2]>::try_from(parts).ok()? else {
        return None;
    };
    let sequence = str::from_utf8(&id).ok()?.strip_suffix("-0")?.parse().ok()?;
    let [_, Value::BulkString(key), _, Value::BulkString(value)] =
        <[Value; 4]>::try_from(fields).ok()?
    else {
        return None;
    };
    Some(OutboxEntry {
        sequence,
        key: String::from_utf8(key).ok()?,
        value: Bytes::from(value),
    })
}

/// How far it is.
pub(super) async fn marks(link: &Link) -> Result<OutboxMarks, StateError> {
    let session = link.any_session()?;
    let seen = link.seen();
    let mut connection = session.commands.clone();
    let head = cmd("GET").arg(&link.keys.head).to_owned();
    let head: Option<Vec<u8>> = link
        .ask(&session, head.query_async(&mut connection))
        .await?;
    let head = link.check_head(&session, head.as_deref(), seen)?;
    Ok(OutboxMarks {
        last: head.last,
        trimmed: head.trimmed,
    })
}

/// Forgets entries up to `up_to`; with that, the store and the log agree.
pub(super) async fn trim(link: &Link, up_to: u64) -> Result<(), StateError> {
    let session = link.any_session()?;
    let numbers = [link.seen(), up_to, up_to.saturating_add(1)].map(|number| number.to_string());
    let [seen, last, next] = &numbers;
    let prefix = session.head.prefix();
    let keys = [&link.keys.head, &link.keys.outbox];
    let call = session
        .shas
        .call(Script::Trim, &keys, &[&prefix, seen, last, next]);
    let answer: Answer = link
        .run(&session, &session.commands, Script::Trim, &call)
        .await?;
    match answer.outcome {
        Outcome::Done => {
            link.note_commits(answer.number);
            session.confirm();
            Ok(())
        }
        Outcome::Beyond => Err(StateError::Invalid(format!(
            "the log has outbox entry {up_to}, but the store in Redis at {} gave no number above {}: it lost its last \
             commits, or was restored from an old copy; rebuild the state from the event log (`gamepipe state rebuild`)",
            session.place, answer.number
        ))),
        _ => Err(link.lost_track(&session)),
    }
}

/// Knows the outbox's last number, and asks Redis for it while somebody waits.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    last: watch::Sender<u64>,
    wake: Notify,
}

impl Watcher {
    /// A new session's last number.
    pub(super) fn begin(&self, last: u64) {
        self.last.send_replace(last);
    }

    /// Waits until the outbox may hold an entry above `after`; ends at once when Redis can't be asked, for then the
    /// caller's next request says why.
    pub(super) async fn changed(&self, link: &Link, after: u64) {
        let mut last = self.last.subscribe();
        let mut link_changes = link.changes();
        loop {
            link_changes.mark_unchanged();
            if *last.borrow_and_update() > after || link.session().is_err() {
                return;
            }
            self.wake.notify_one();
            tokio::select! {
                _ = last.changed() => {}
                _ = link_changes.changed() => {}
            }
        }
    }

    /// Asks for as long as the session lasts; returns what is wrong with it.
    pub(super) async fn watch(&self, link: &Link, session: &Session) -> String {
        loop {
            self.wake.notified().await;
            while self.last.receiver_count() > 0 {
                if let Err(reason) = self.look(link, session).await {
                    return reason;
                }
                if self.last.receiver_count() > 0
                    && let Err(reason) = self.block(link, session).await
                {
                    return reason;
                }
            }
        }
    }

    async fn look(&self, link: &Link, session: &Session) -> Result<(), String> {
        let get = cmd("GET").arg(&link.keys.head).to_owned();
        let head: Option<String> = ask(link, session, &get, Duration::ZERO).await?;
        let head = head.as_deref().and_then(Head::parse);
        let head = head.filter(|head| head.prefix() == session.head.prefix());
        let last = head.ok_or_else(|| link.moved(&session.place))?.last;
        self.last
            .send_if_modified(|known| std::mem::replace(known, last) != last);
        Ok(())
    }

    /// Ends when there is an entry above the last known one, or after [`BLOCK_MS`].
    async fn block(&self, link: &Link, session: &Session) -> Result<(), String> {
        let last = *self.last.borrow();
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(BLOCK_MS);
        read.arg("STREAMS")
            .arg(&link.keys.outbox)
            .arg(format!("{last}-0"));
        let _: Value = ask(link, session, &read, Duration::from_millis(BLOCK_MS)).await?;
        Ok(())
    }
}

/// Asks over the connection that may block, within the time limit and `more`.
async fn ask<T: redis::FromRedisValue>(
    link: &Link,
    session: &Session,
    command: &Cmd,
    more: Duration,
) -> Result<T, String> {
    let mut connection = session.waiting.clone();
    match tokio::time::timeout(link.timeout + more, command.query_async(&mut connection)).await {
        Ok(answer) => answer.map_err(|error| explain(&error, &session.place).text),
        Err(_) => Err(link.too_slow(&session.place)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn an_entry_is_read_back_and_anything_else_refused() {
        let fields = || vec![text("k"), text("alice"), text("v"), text("{}")];
        let entry = Value::Array(vec![text("7-0"), Value::Array(fields())]);
        let read = decode(entry).unwrap();
        assert_eq!(
            (read.sequence, read.key.as_str(), &*read.value),
            (7, "alice", &b"{}"[..])
        );
        for (id, fields) in [
            ("7-1", fields()),
            ("x-0", fields()),
            ("7-0", vec![text("k"), text("alice")]),
            ("7-0", vec![]),
        ] {
            let entry = Value::Array(vec![text(id), Value::Array(fields)]);
            assert!(decode(entry).is_none(), "{id}");
        }
        assert!(decode(Value::Nil).is_none());
    }
}
