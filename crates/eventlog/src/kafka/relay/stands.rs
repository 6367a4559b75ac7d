//! Which process may relay an outbox: the one that a consumer group gives the partition beside the events.
//!
//! The group only keeps processes from taking one another's place all the time. What keeps them from appending twice is the
//! transactional id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::kafka::member::Member;
use crate::kafka::place::Place;
use crate::log::LogError;
use crate::share::Membership;

/// What this process knows of relays, for each outbox.
#[derive(Debug, Default)]
pub(super) struct Stands {
    stands: Mutex<HashMap<String, Stand>>,
}

/// What is known of an outbox's relay.
#[derive(Debug, Default)]
struct Stand {
    member: Option<Arc<Member>>,
    /// When and in which turn another process took over.
    fenced: Option<(Instant, u64)>,
}

impl Stands {
    /// True while the group has chosen this process; stands for it from the first call on.
    pub(super) fn relays(&self, place: &Arc<Place>, outbox_id: &str) -> Result<bool, LogError> {
        let mut stands = self.lock();
        let stand = stands.entry(outbox_id.to_owned()).or_default();
        let member = match &stand.member {
            Some(member) => member,
            None => {
                let group = format!("{}.relay.{outbox_id}", place.topic);
                let member = Arc::new(Member::stand(place, &group, &place.meta)?);
                stand.member.insert(member)
            }
        };
        Ok(!member.share().partitions.is_empty())
    }

    /// Whether the group has chosen this process; `None` when it was never asked.
    pub(super) fn is_chosen(&self, outbox_id: &str) -> Option<bool> {
        let stands = self.lock();
        let member = stands.get(outbox_id)?.member.as_ref()?;
        Some(!member.share().partitions.is_empty())
    }

    /// The turn in which this process may relay; `None` when no group was ever asked. Refuses while another process is the
    /// relay: beginning a session would take its place, and it would take ours.
    pub(super) fn turn(&self, place: &Place, outbox_id: &str) -> Result<Option<u64>, LogError> {
        let mut stands = self.lock();
        let Some(stand) = stands.get_mut(outbox_id) else {
            return Ok(None);
        };
        let elsewhere = || {
            let topic = &place.topic;
            LogError::Unavailable(format!(
                "another process relays outbox {outbox_id} into topic {topic}"
            ))
        };
        let share = stand.member.as_ref().map(|member| member.share());
        if share
            .as_ref()
            .is_some_and(|share| share.partitions.is_empty())
        {
            return Err(elsewhere());
        }
        let turn = share.map(|share| share.turn);
        if let Some((at, fenced_in)) = stand.fenced {
            // The group's word counts again once it is newer than the fence, or has stood for as long as it takes to be missed.
            let is_renewed =
                turn.is_some_and(|turn| turn > fenced_in || at.elapsed() > place.session_timeout);
            if !is_renewed {
                return Err(elsewhere());
            }
            stand.fenced = None;
        }
        Ok(turn)
    }

    /// Notes that another process has taken over from a session of this turn.
    pub(super) fn note_fence(&self, outbox_id: &str, turn: Option<u64>) {
        let mut stands = self.lock();
        let stand = stands.entry(outbox_id.to_owned()).or_default();
        stand.fenced = Some((Instant::now(), turn.unwrap_or(0)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Stand>> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
