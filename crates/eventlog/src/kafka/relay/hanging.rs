//! Transactions that hang: partitions have them open, and their coordinator, which would have to end them, does not know of them any more. Brokers that have lost
//! the end of what they had acknowledged leave them (KIP-664 has more ways). Nobody reads what is committed behind one.
//!
//! The outbox's next relay has the same producer id, so a transaction of its own in the same partitions ends them with its own. Whether it commits or aborts there
//! is told by the outbox: what it has forgotten was committed, and what it holds is sent again.

use std::time::{Duration, Instant};

use gamepipe_domain::outbox::OutboxMarks;

use super::open_spots::{self, Look, Open, Spot};
use super::step::Steps;
use crate::kafka::clients::Clients;
use crate::kafka::headers::NO_EVENT;
use crate::kafka::meta::{self, Checked, Progress, Until};
use crate::log::LogError;

/// How often a relay looks whether something hangs. What is open at two looks is of no transaction of its own: between two of them it has none.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// It looks when it has moved this many entries as well: so many, and those of the look before, are read again by the next relay that begins.
const LOOK_ENTRIES: u64 = 1 << 14;

/// How what is open ends.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// Up to here all was committed, as somebody was told.
    counted: u64,
    /// The position that stands while partitions are put right: nothing up to it is in doubt.
    position: u64,
    /// Partitions whose open entries are committed.
    commit: Vec<u32>,
    /// Partitions whose open entries are taken off.
    abort: Vec<u32>,
}

/// Entries that the settled position counts, or that the outbox has forgotten, were committed. It holds the others, and they are sent again. A position above all
/// numbers that the outbox gave is of a store that has lost its end: it stays, so that the store learns of that as it always does.
fn judge(open: &Open, settled: u64, marks: OutboxMarks) -> Verdict {
    let committed = settled.max(marks.trimmed);
    let beyond = open.position.filter(|position| *position > marks.last);
    let counted = beyond.map_or(committed, |position| position.max(committed));
    let of = |is_counted: bool| {
        let those = open.events.iter();
        let those = those.filter(move |entry| (entry.number <= counted) == is_counted);
        those.map(|entry| entry.partition).collect()
    };
    let numbers = open.events.iter().map(|entry| entry.number);
    let in_doubt = numbers
        .filter(|number| *number != NO_EVENT && *number <= counted)
        .min();
    let position = match in_doubt {
        _ if counted > marks.last => counted,
        Some(number) => settled.min(number - 1),
        None => settled,
    };
    Verdict {
        counted,
        position,
        commit: of(true),
        abort: of(false),
    }
}

/// What is settled, with another position. One that goes back to before what was checked knows nothing of the partitions: whoever looks for what is behind it must
/// find it there.
fn moved(settled: &Progress, position: u64) -> Progress {
    let mut progress = Progress {
        position,
        ..settled.clone()
    };
    let is_behind = |checked: &Checked| checked.position <= position;
    if position < settled.position && !settled.checked.as_ref().is_some_and(is_behind) {
        progress.checked = None;
        progress.reached.clear();
    }
    progress
}

/// For a relay that has just begun: its coordinator knows of no transaction of its own any more, so one that is open hangs, and is ended. Without the outbox's
/// marks nobody can tell how, and it is an error. Gives up to where entries must be on the log. Blocks.
///
/// What was committed is aborted when this process ends between a step's records and its commit. So the position goes back first, to before all that is in
/// doubt: from there the next relay puts again what is missing ([`super::missing`]).
pub(super) fn end(
    steps: &Steps<'_>,
    partitions: u32,
    marks: Option<OutboxMarks>,
) -> Result<u64, LogError> {
    let Steps {
        clients, outbox_id, ..
    } = steps;
    let open = open_now(clients, partitions, outbox_id)?;
    if open.is_empty() {
        return Ok(0);
    }
    let Some(marks) = marks else {
        return Err(hangs(clients, outbox_id));
    };
    let until = match open.position {
        Some(_) => Until::Committed,
        None => Until::Settled,
    };
    let mut loaded = meta::load(clients, until)?;
    let settled = loaded.outboxes.remove(*outbox_id).unwrap_or_default();
    let verdict = judge(&open, settled.position, marks);
    tracing::warn!(
        outbox.id = outbox_id,
        outbox.position = settled.position,
        outbox.trimmed = marks.trimmed,
        outbox.last = marks.last,
        ?open,
        ?verdict,
        "a transaction hangs that brokers have forgotten, and is ended: were they killed, or have they lost the end of their logs?"
    );
    let mut needs_position = open.position.is_some() || verdict.position > settled.position;
    let goes_back = verdict.position < settled.position;
    let progress = moved(&settled, verdict.position);
    if goes_back {
        steps.commit(&[], Some(&progress))?;
        needs_position = false;
    }
    if needs_position || !verdict.commit.is_empty() {
        steps.commit_open(&verdict.commit, needs_position.then_some(&progress))?;
    }
    if !verdict.abort.is_empty() {
        steps.abort_open(&verdict.abort)?;
    }
    Ok(verdict.counted)
}

fn open_now(clients: &Clients, partitions: u32, outbox_id: &str) -> Result<Open, LogError> {
    let look = open_spots::find(clients, partitions)?;
    open_spots::of_outbox(clients, &look.spots, outbox_id)
}

/// An error when something of the outbox is open, for a relay that has no transaction of its own. Blocks.
pub(super) fn check(clients: &Clients, partitions: u32, outbox_id: &str) -> Result<(), LogError> {
    if open_now(clients, partitions, outbox_id)?.is_empty() {
        return Ok(());
    }
    Err(hangs(clients, outbox_id))
}

/// What a relay at work has seen.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Option<Instant>,
    open: Vec<Spot>,
    /// How far the relay was then.
    then: Option<Checked>,
}

impl Looks {
    /// For a relay that has just begun, and has checked all that is on the log.
    pub(super) fn begun(checked: Checked) -> Self {
        Self {
            then: Some(checked),
            ..Self::default()
        }
    }

    /// True when it is time for a look, at this position.
    pub(super) fn is_due(&self, position: u64) -> bool {
        let far = |then: &Checked| position - then.position.min(position) >= LOOK_ENTRIES;
        self.last.is_none_or(|last| last.elapsed() >= LOOK_EVERY)
            || self.then.as_ref().is_some_and(far)
    }

    /// Looks, while the relay has no transaction of its own; an error when one has been open since the last look. Gives what is checked with that, if anything. Blocks.
    pub(super) fn look(
        self,
        clients: &Clients,
        partitions: u32,
        outbox_id: &str,
        position: u64,
    ) -> Result<(Self, Option<Checked>), LogError> {
        let Look { spots, ends } = open_spots::find(clients, partitions)?;
        let then = self.then.as_ref().map_or(&[][..], |then| &then.ends);
        if ends.iter().zip(then).any(|(now, then)| now < then) {
            return Err(LogError::Unavailable(format!(
                "a broker has lost the end of a partition of topic {}. The relay of outbox {outbox_id} begins anew",
                clients.place.topic
            )));
        }
        let (still, open): (Vec<_>, Vec<_>) =
            spots.into_iter().partition(|spot| self.open.contains(spot));
        if !open_spots::of_outbox(clients, &still, outbox_id)?.is_empty() {
            return Err(hangs(clients, outbox_id));
        }
        let checked = closed(self.then, &still, &open);
        let looks = Self {
            last: Some(Instant::now()),
            // Those that are open still are others'.
            open,
            then: Some(Checked { position, ends }),
        };
        Ok((looks, checked))
    }
}

/// What was there at the look before, if nothing of it is open now: neither what was open then nor what another one's transaction hid.
fn closed(then: Option<Checked>, still: &[Spot], open: &[Spot]) -> Option<Checked> {
    then.filter(|then| {
        let mut spots = still.iter().chain(open);
        !spots.any(|spot| spot.is_before(&then.ends))
    })
}

fn hangs(clients: &Clients, outbox_id: &str) -> LogError {
    LogError::Unavailable(format!(
        "a transaction of outbox {outbox_id} hangs in topic {}: a broker has lost the end of its log. The relay ends it when it begins anew",
        clients.place.topic
    ))
}

#[cfg(test)]
mod tests {
    use super::{Checked, Open, OutboxMarks, Progress, Spot, Verdict, closed, judge, moved};
    use crate::kafka::relay::open_spots::OpenEntry;

    fn open(events: &[(u32, u64)], position: Option<u64>) -> Open {
        let entry = |(partition, number): &(u32, u64)| OpenEntry {
            partition: *partition,
            number: *number,
        };
        Open {
            events: events.iter().map(entry).collect(),
            position,
        }
    }

    fn verdict(counted: u64, position: u64, commit: &[u32], abort: &[u32]) -> Verdict {
        Verdict {
            counted,
            position,
            commit: commit.to_vec(),
            abort: abort.to_vec(),
        }
    }

    fn marks(trimmed: u64, last: u64) -> OutboxMarks {
        OutboxMarks { last, trimmed }
    }

    #[test]
    fn what_the_outbox_holds_is_taken_off() {
        let open = open(&[(0, 11), (2, 13)], Some(20));
        let found = judge(&open, 10, marks(10, 20));
        assert_eq!(found, verdict(10, 10, &[], &[0, 2]));
    }

    #[test]
    fn what_the_outbox_has_forgotten_is_committed() {
        let open = open(&[(0, 11), (2, 21)], Some(20));
        let found = judge(&open, 10, marks(20, 30));
        assert_eq!(found, verdict(20, 10, &[0], &[2]));
    }

    #[test]
    fn what_a_settled_position_counts_is_committed_whatever_the_outbox_holds() {
        let found = judge(&open(&[(1, 15), (3, 21)], None), 20, marks(10, 30));
        assert_eq!(found, verdict(20, 14, &[1], &[3]));
    }

    #[test]
    fn what_is_no_event_is_in_no_doubt() {
        let found = judge(&open(&[(1, 0)], None), 20, marks(20, 30));
        assert_eq!(found, verdict(20, 20, &[1], &[]));
    }

    #[test]
    fn a_store_that_has_lost_its_end_learns_of_it() {
        let found = judge(&open(&[(0, 11)], Some(20)), 10, marks(10, 15));
        assert_eq!(found, verdict(20, 20, &[0], &[]));
    }

    #[test]
    fn what_is_open_before_the_last_look_is_not_checked() {
        let then = Some(Checked {
            position: 20,
            ends: vec![150, 150],
        });
        let spot = Spot::of_events;
        assert_eq!(closed(then.clone(), &[], &[]), then);
        assert_eq!(closed(then.clone(), &[], &[spot(1, 150)]), then);
        assert_eq!(closed(then.clone(), &[], &[spot(1, 149)]), None);
        assert_eq!(closed(then, &[spot(0, 3)], &[spot(1, 150)]), None);
        assert_eq!(closed(None, &[], &[]), None);
    }

    #[test]
    fn a_position_that_goes_back_knows_less_of_the_partitions() {
        let settled = |checked| Progress {
            position: 20,
            reached: vec![150, 150],
            mark: None,
            checked: Some(Checked {
                position: checked,
                ends: vec![100, 100],
            }),
        };
        let back = moved(&settled(10), 14);
        assert_eq!((back.position, &back.reached), (14, &vec![150, 150]));
        assert_eq!(back.checked, settled(10).checked);
        let far = moved(&settled(15), 14);
        assert_eq!((far.checked, far.reached), (None, Vec::new()));
        assert_eq!(moved(&settled(15), 20), settled(15));
    }
}
