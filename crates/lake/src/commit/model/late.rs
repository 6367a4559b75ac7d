//! Processes that come late at the very places where a moment decides, one by one rather than by chance.

use std::future::Future;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::process::{Shared, encode};
use super::{GENERATION, PARTITIONS, history, open, upkeep};
use crate::commit::EncodedEpoch;
use crate::epoch::OffsetRange;
use crate::error::LakeError;
use crate::intent::Intent;
use crate::lake::Lake;
use crate::storage::simulated::{Client, Fate};

/// One process, whose work goes on when the test says so.
struct Process {
    lake: Arc<Lake>,
    client: Arc<Client>,
}

impl Process {
    fn start(folder: &Path, shared: &Arc<Shared>) -> Self {
        let (lake, client) = open(folder, shared);
        let process = Self { lake, client };
        process
            .run(process.lake.resume(GENERATION, PARTITIONS))
            .unwrap();
        process
    }

    /// Runs work up to its end.
    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            if let Poll::Ready(done) = self.poll(work.as_mut()) {
                return done;
            }
        }
    }

    /// Runs work until it is about to make a call.
    fn run_until<T>(&self, mut work: Pin<&mut impl Future<Output = T>>, call: &str) {
        while !self.client.is_about_to(call) {
            assert!(self.poll(work.as_mut()).is_pending(), "never: {call}");
        }
    }

    fn poll<T>(&self, work: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        self.client.grant(0, Fate::Fine);
        work.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// The records of a partition from one offset to another.
    fn slice(&self, partition: u32, from: u64, to: u64) -> EncodedEpoch {
        let range = OffsetRange::new(partition, from, to);
        self.run(encode(&self.lake, &[range])).unwrap()
    }

    fn land(&self, partition: u32, from: u64, to: u64) -> u64 {
        let epoch = self.slice(partition, from, to);
        self.run(self.lake.commit_epoch(epoch)).unwrap().epoch
    }
}

fn shared() -> Arc<Shared> {
    let shared = Arc::new(Shared::new(1, 1));
    upkeep::make_tables(&shared.world);
    shared
}

/// All epochs are sound cuts, and have landed this much.
fn check(shared: &Shared, landed: [u64; PARTITIONS as usize]) {
    *shared.highs.lock().unwrap() = landed.to_vec();
    history::check(shared, 0);
}

#[test]
fn reader_of_an_intent_that_was_done_meanwhile_does_not_finish_one_that_came_too_late() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared();
    let [first, reader, sleeper] = [0; 3].map(|_| Process::start(folder.path(), &shared));
    let path = Intent::path(1);
    // The sleeper is about to put its intent.
    let late = sleeper.slice(2, 0, 5);
    let mut late = pin!(sleeper.lake.commit_epoch(late));
    sleeper.run_until(late.as_mut(), &format!("write {path}"));
    // The first decides epoch 1, and is slow. The reader has listed its intent.
    let epoch = first.slice(0, 0, 5);
    let mut slow = pin!(first.lake.commit_epoch(epoch));
    first.run_until(
        slow.as_mut(),
        "write bad_events/_delta_log/00000000000000000001.json",
    );
    let mut reading = pin!(reader.lake.resume(GENERATION, PARTITIONS));
    reader.run_until(reading.as_mut(), &format!("read {path}"));
    // Epoch 1 is done, 2 is decided and done, and intent 1 has gone: the sleeper's takes its name.
    assert_eq!(first.run(slow).unwrap().epoch, 1);
    assert_eq!(first.land(0, 5, 9), 2);
    assert!(!shared.world.files().contains_key(&path));
    let answer = "list _epochs/_intents";
    sleeper.run_until(late.as_mut(), answer);
    assert!(shared.world.files().contains_key(&path));
    // The reader reads it.
    assert_eq!(reader.run(reading).unwrap().next, [9, 0, 0, 0]);
    check(&shared, [9, 0, 0, 0]);
    // The sleeper finds out, and lands what is still its own.
    assert_eq!(sleeper.run(late).unwrap().epoch, 3);
    check(&shared, [9, 0, 5, 0]);
}

#[test]
fn owner_that_slept_between_put_and_check_learns_that_others_finished_its_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared();
    let [owner, other] = [0; 2].map(|_| Process::start(folder.path(), &shared));
    let epoch = owner.slice(0, 0, 5);
    let mut landing = pin!(owner.lake.commit_epoch(epoch));
    owner.run_until(landing.as_mut(), "list _epochs/_intents");
    assert_eq!(other.land(1, 0, 3), 2);
    assert_eq!(other.land(1, 3, 6), 3);
    assert_eq!(owner.run(landing).unwrap().epoch, 1);
    assert_eq!(owner.land(0, 5, 6), 4);
    check(&shared, [6, 6, 0, 0]);
}

#[test]
fn owner_that_slept_before_its_put_while_others_landed_its_records_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared();
    let [owner, other] = [0; 2].map(|_| Process::start(folder.path(), &shared));
    let epoch = owner.slice(0, 0, 5);
    let mut landing = pin!(owner.lake.commit_epoch(epoch));
    owner.run_until(landing.as_mut(), &format!("write {}", Intent::path(1)));
    other.land(0, 0, 7);
    other.land(0, 7, 8);
    let error = owner.run(landing).unwrap_err();
    assert!(
        matches!(error, LakeError::Overtaken { landed: 8, .. }),
        "{error}"
    );
    assert!(
        !shared.world.files().contains_key(&Intent::path(1)),
        "a void intent goes"
    );
    check(&shared, [8, 0, 0, 0]);
}

#[test]
fn owner_that_slept_while_rolling_forward_changes_nothing_when_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let shared = shared();
    let [owner, other] = [0; 2].map(|_| Process::start(folder.path(), &shared));
    let epoch = owner.slice(0, 0, 5);
    let mut landing = pin!(owner.lake.commit_epoch(epoch));
    let epochs = "write _epochs/_delta_log/00000000000000000001.json";
    owner.run_until(landing.as_mut(), epochs);
    assert_eq!(other.land(1, 0, 3), 2);
    assert_eq!(other.land(1, 3, 7), 3);
    let written = shared.world.written().len();
    assert_eq!(owner.run(landing).unwrap().epoch, 1);
    assert_eq!(shared.world.written().len(), written);
    check(&shared, [5, 7, 0, 0]);
}
