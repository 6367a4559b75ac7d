//! What workers count: answers by status and code, and how long they took.

use std::collections::BTreeMap;
use std::time::Duration;

use gamepipe_domain::rules::simulation::SimulationError;

use super::connection::SendError;
use super::histogram::Histogram;

/// What one worker, or all of them, have seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stats {
    /// From when a request was due until its whole answer was there.
    pub(crate) latency: Histogram,
    /// Answers by HTTP status and problem code (empty when there is none).
    pub(crate) answers: BTreeMap<(u16, String), u64>,
    /// Requests without an answer: their outcome is open.
    pub(crate) unanswered: u64,
    /// Steps that could not be played: an expression of the simulation has no value.
    pub(crate) skipped: u64,
    /// The reason of one request without an answer, or of one step that was skipped.
    pub(crate) example: Option<String>,
}

impl Stats {
    /// Counts a request without an answer.
    pub(crate) fn unanswered(&mut self, error: &SendError) {
        self.unanswered += 1;
        self.example.get_or_insert_with(|| error.to_string());
    }

    /// Counts a step that could not be played.
    pub(crate) fn skip(&mut self, action: &str, error: &SimulationError) {
        self.skipped += 1;
        self.example
            .get_or_insert_with(|| format!("{action}: {error}"));
    }

    /// Adds what another has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        for (answer, count) in &other.answers {
            *self.answers.entry(answer.clone()).or_default() += count;
        }
        self.unanswered += other.unanswered;
        self.skipped += other.skipped;
        if self.example.is_none() {
            self.example.clone_from(&other.example);
        }
    }

    /// How many answers had a status of 2xx.
    pub(crate) fn done(&self) -> u64 {
        self.answers
            .iter()
            .filter(|((status, _), _)| (200..300).contains(status))
            .map(|(_, count)| count)
            .sum()
    }

    /// Answers that a sound server never gives to a well-made simulation: our requests were malformed, or it failed.
    pub(crate) fn faults(&self) -> u64 {
        let is_fault = |status: u16| status == 400 || (status >= 500 && status != 503);
        self.answers
            .iter()
            .filter(|((status, _), _)| is_fault(*status))
            .map(|(_, count)| count)
            .sum()
    }
}

/// What was played.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Counts and latencies of the requests after the setup.
    pub(crate) stats: Stats,
    /// Those of the setup.
    pub(crate) setup: Stats,
    /// The ids of all acknowledged events, those of the setup included.
    pub(crate) acknowledged: Vec<u128>,
    /// Event ids that are no UUIDs.
    pub(crate) malformed: u64,
    /// How long the requests after the setup took.
    pub(crate) elapsed: Duration,
    /// How long the setup took.
    pub(crate) setup_elapsed: Duration,
}

impl Played {
    /// The counts of the setup and of what followed together.
    pub(crate) fn all(&self) -> Stats {
        let mut all = self.stats.clone();
        all.merge(&self.setup);
        all
    }
}
