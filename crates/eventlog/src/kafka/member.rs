//! Membership of a consumer group: which partitions this process has, without fetching any of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::watch;

use super::alarm::Alarm;
use super::bootstrap;
use super::clients::drop_when_unused;
use super::context::Context;
use super::place::Place;
use super::problem::explain;
use crate::log::LogError;
use crate::share::{Membership, Share};

/// How long partitions that are taken away wait for what is under way with them. A rebalance of the whole group waits with them.
const SETTLE: Duration = Duration::from_secs(3);

/// How often the group is looked at. The library's own waits end by the wall clock, and one that is set back by hours would
/// keep the thread as long.
const POLL: Duration = Duration::from_millis(20);

/// How often the library's main thread, which waits in the same way, is asked something, so that it wakes and goes on telling
/// the group that this process is there. By itself it looks once a second whether it is time to.
const NUDGE: Duration = Duration::from_millis(150);

/// How long a member that is dropped may take to leave, and how often it is looked at.
const LEAVING: Duration = Duration::from_secs(2);
const LEAVING_POLL: Duration = Duration::from_millis(5);

type Consume = BaseConsumer<Group>;

/// A member of a group, until it is dropped.
#[derive(Debug)]
pub(super) struct Member {
    state: Arc<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct State {
    group: String,
    /// The one that is in the group.
    consumer: Mutex<Weak<Consume>>,
    share: watch::Sender<Share>,
    settled: Mutex<u64>,
    settles: Condvar,
    ends: AtomicBool,
    /// How long a revocation waits for [`Member::settled`].
    patience: Duration,
}

impl Member {
    /// Joins a group that shares a topic and waits for work to settle before it gives partitions away.
    pub(super) fn join(place: &Arc<Place>, group: &str, topic: &str) -> Result<Self, LogError> {
        Self::start(place, group, topic, SETTLE)
    }

    /// Joins a group whose members do nothing that must settle.
    pub(super) fn stand(place: &Arc<Place>, group: &str, topic: &str) -> Result<Self, LogError> {
        Self::start(place, group, topic, Duration::ZERO)
    }

    fn start(
        place: &Arc<Place>,
        group: &str,
        topic: &str,
        patience: Duration,
    ) -> Result<Self, LogError> {
        let state = Arc::new(State {
            group: group.to_owned(),
            consumer: Mutex::default(),
            share: watch::Sender::new(Share {
                turn: 0,
                partitions: Vec::new(),
            }),
            settled: Mutex::new(0),
            settles: Condvar::new(),
            ends: AtomicBool::new(false),
            patience,
        });
        let mut consumer = state.enter(place, topic)?;
        let (polling, place, topic) = (Arc::clone(&state), Arc::clone(place), topic.to_owned());
        let mut alarm = Alarm::new(&place.clock);
        let thread = std::thread::Builder::new()
            .name("kafka-group".to_owned())
            .spawn(move || {
                let mut nudged = Instant::now();
                while !polling.ends.load(Ordering::Acquire) {
                    // What is fetched before a partition is paused is of no use here.
                    if consumer.poll(Duration::ZERO).is_none() {
                        std::thread::sleep(POLL);
                    }
                    if nudged.elapsed() >= NUDGE {
                        let _ = consumer.assignment();
                        nudged = Instant::now();
                    }
                    let own = &consumer.context().context;
                    bootstrap::find_again(consumer.client(), own, &place);
                    if alarm.rings() {
                        polling.enter_again(&place, &topic, &mut consumer);
                    }
                }
                // Dropping the consumer leaves the group.
            })
            .map_err(|error| LogError::Unavailable(format!("can't start a thread: {error}")))?;
        Ok(Self {
            state,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Commits offsets for the group, without waiting, unless this process is not in it any more.
    pub(super) fn commit(&self, offsets: &TopicPartitionList) -> Result<(), KafkaError> {
        let consumer = self.state.lock_consumer().upgrade();
        consumer.map_or(Ok(()), |consumer| {
            consumer.commit(offsets, CommitMode::Async)
        })
    }

    /// Tells the thread to leave the group and end.
    fn end(&self) -> Option<JoinHandle<()>> {
        self.state.ends.store(true, Ordering::Release);
        self.state.change(Vec::clear);
        // Whoever waits for work to settle waits no more.
        self.state.settles.notify_all();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.take()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(thread) = self.end() {
            // The library waits for the group's word without end; others miss this process all the same in time.
            let deadline = Instant::now() + LEAVING;
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(LEAVING_POLL);
            }
        }
    }
}

impl State {
    /// Makes the one that joins the group.
    fn enter(self: &Arc<Self>, place: &Place, topic: &str) -> Result<Arc<Consume>, LogError> {
        let context = Context::default();
        let doing = format!("join group {}", self.group);
        let fail = |error: KafkaError| explain(place, &context, &doing, &error);
        let group = Group {
            context: context.clone(),
            state: Arc::clone(self),
            has_gone: AtomicBool::new(false),
        };
        let consumer: Consume = place
            .member(&self.group)
            .create_with_context(group)
            .map_err(fail)?;
        consumer.subscribe(&[topic]).map_err(fail)?;
        let consumer = Arc::new(consumer);
        *self.lock_consumer() = Arc::downgrade(&consumer);
        Ok(consumer)
    }

    /// Joins anew after the wall clock was set back: the library's threads may wait for hours where the brokers are away.
    fn enter_again(self: &Arc<Self>, place: &Place, topic: &str, consumer: &mut Arc<Consume>) {
        tracing::warn!(
            kafka.group = self.group,
            "the wall clock was set back: joining the group anew"
        );
        consumer.context().has_gone.store(true, Ordering::Release);
        self.change(Vec::clear);
        match self.enter(place, topic) {
            Ok(new) => drop_when_unused(std::mem::replace(consumer, new)),
            Err(error) => {
                tracing::warn!(%error, "the group is not joined anew");
                consumer.context().has_gone.store(false, Ordering::Release);
            }
        }
    }

    fn lock_consumer(&self) -> MutexGuard<'_, Weak<Consume>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u32>)) -> u64 {
        let mut turn = 0;
        self.share.send_if_modified(|share| {
            let mut partitions = share.partitions.clone();
            change(&mut partitions);
            partitions.sort_unstable();
            partitions.dedup();
            let is_other = partitions != share.partitions;
            if is_other {
                share.partitions = partitions;
                share.turn += 1;
            }
            turn = share.turn;
            is_other
        });
        turn
    }

    fn lock_settled(&self) -> MutexGuard<'_, u64> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_settled(&self, turn: u64) {
        let goes_on = |settled: &mut u64| *settled < turn && !self.ends.load(Ordering::Acquire);
        let waited = self
            .settles
            .wait_timeout_while(self.lock_settled(), self.patience, goes_on);
        let (settled, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(settled);
        if outcome.timed_out() && !self.patience.is_zero() {
            tracing::warn!(
                kafka.group = self.group,
                share.turn = turn,
                "partitions go to others while work on them may be under way"
            );
        }
    }
}

#[async_trait]
impl Membership for Member {
    fn share(&self) -> Share {
        self.state.share.borrow().clone()
    }

    async fn changed(&self, turn: u64) {
        let mut receiver = self.state.share.subscribe();
        // The sender lives as long as this.
        let _ = receiver.wait_for(|share| share.turn > turn).await;
    }

    fn settled(&self, turn: u64) {
        let mut settled = self.state.lock_settled();
        *settled = turn.max(*settled);
        self.state.settles.notify_all();
    }

    async fn leave(&self) {
        if let Some(thread) = self.end() {
            // A thread that panicked has left, too.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// What librdkafka calls when the group's shares change.
struct Group {
    context: Context,
    state: Arc<State>,
    /// Another one has taken its place.
    has_gone: AtomicBool,
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.context.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for Group {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(list) = rebalance else {
            return;
        };
        if self.has_gone.load(Ordering::Acquire) {
            return;
        }
        let taken = partitions(list);
        let is_lost = consumer.assignment_lost();
        let turn = self
            .state
            .change(|share| share.retain(|partition| !is_lost && !taken.contains(partition)));
        tracing::info!(kafka.group = self.state.group, share.lost = is_lost, share.taken = ?taken, "partitions were taken away");
        // When it is lost others have it already.
        if !is_lost {
            self.state.wait_until_settled(turn);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(list) = rebalance else {
            return;
        };
        if let Err(error) = consumer.pause(list) {
            tracing::debug!(%error, "a partition of the group is not paused");
        }
        let given = partitions(list);
        let has_gone = self.has_gone.load(Ordering::Acquire);
        if has_gone || self.state.ends.load(Ordering::Acquire) {
            return;
        }
        tracing::info!(kafka.group = self.state.group, share.given = ?given, "partitions were given");
        self.state.change(|share| share.extend(given));
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<u32> {
    list.elements()
        .iter()
        .filter_map(|element| u32::try_from(element.partition()).ok())
        .collect()
}
