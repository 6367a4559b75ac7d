//! One thread that takes whatever has queued up and does it at once: group commit.
//!
//! While one batch is being synced to disk the next one gathers in the queue, so a batch is as large as the load asks
//! for and an idle system waits for nobody.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// What the thread does.
pub trait BatchWork: Send + 'static {
    /// What is queued.
    type Item: Send + 'static;

    /// About how many bytes an item brings to a batch.
    fn weight(item: &Self::Item) -> usize;

    /// Does a batch, in the order of arrival; never empty. Takes every item out of it.
    fn run(&mut self, batch: &mut Vec<Self::Item>);

    /// Called between batches, at least once per [`BatchLimits::tick`]: housekeeping in small steps.
    fn tick(&mut self);
}

/// How much is taken at once.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// How many items may wait; more make their senders wait.
    pub queue: usize,
    /// How many items make a batch at most.
    pub items: usize,
    /// A batch takes no further item when it weighs this much, in bytes.
    pub weight: usize,
    /// How often housekeeping is due.
    pub tick: Duration,
}

/// The thread has ended: nothing that is sent will be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its writer thread has ended")]
pub struct Stopped;

/// The queue's sending end and the thread. Dropping it lets the thread finish what is queued, and waits for that.
#[derive(Debug)]
pub struct Batcher<T> {
    sender: Option<mpsc::Sender<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Batcher<T> {
    /// Starts the thread.
    pub fn start<W: BatchWork<Item = T>>(
        name: &str,
        limits: BatchLimits,
        work: W,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(limits.queue);
        // A runtime of its own, only for a receive with a timeout.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || runtime.block_on(work_until_closed(receiver, limits, work)))?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// Queues an item; waits while the queue is full.
    pub async fn send(&self, item: T) -> Result<(), Stopped> {
        match &self.sender {
            Some(sender) => sender.send(item).await.map_err(|_| Stopped),
            None => Err(Stopped),
        }
    }
}

impl<T> Drop for Batcher<T> {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported where it happened.
            let _ = thread.join();
        }
    }
}

async fn work_until_closed<W: BatchWork>(
    mut receiver: mpsc::Receiver<W::Item>,
    limits: BatchLimits,
    mut work: W,
) {
    let mut batch = Vec::new();
    let mut ticked = Instant::now();
    loop {
        match tokio::time::timeout(limits.tick, receiver.recv()).await {
            Ok(None) => return,
            Ok(Some(first)) => {
                let mut weight = W::weight(&first);
                batch.push(first);
                while batch.len() < limits.items && weight < limits.weight {
                    let Ok(next) = receiver.try_recv() else { break };
                    weight = weight.saturating_add(W::weight(&next));
                    batch.push(next);
                }
                work.run(&mut batch);
                batch.clear();
            }
            Err(_elapsed) => {}
        }
        if ticked.elapsed() >= limits.tick {
            work.tick();
            ticked = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as std_mpsc;
    use std::time::Duration;

    use super::{BatchLimits, BatchWork, Batcher};

    const LIMITS: BatchLimits = BatchLimits {
        queue: 8,
        items: 3,
        weight: 100,
        tick: Duration::from_millis(5),
    };

    struct Recorder {
        gate: std_mpsc::Receiver<()>,
        seen: std_mpsc::Sender<Vec<usize>>,
        ticks: std_mpsc::Sender<()>,
    }

    impl BatchWork for Recorder {
        type Item = usize;

        fn weight(item: &usize) -> usize {
            *item
        }

        fn run(&mut self, batch: &mut Vec<usize>) {
            let _ = self.gate.recv();
            let _ = self.seen.send(std::mem::take(batch));
        }

        fn tick(&mut self) {
            let _ = self.ticks.send(());
        }
    }

    #[tokio::test]
    async fn what_queued_up_makes_one_batch_within_the_limits_and_drop_finishes_it() {
        let (open_gate, gate) = std_mpsc::channel();
        let (seen, batches) = std_mpsc::channel();
        let (ticks, _ticked) = std_mpsc::channel();
        let batcher = Batcher::start("test", LIMITS, Recorder { gate, seen, ticks }).unwrap();
        for item in [1, 2, 3, 4, 5, 99, 6] {
            batcher.send(item).await.unwrap();
        }
        for _ in 0..9 {
            open_gate.send(()).unwrap();
        }
        drop(batcher);
        let batches: Vec<Vec<usize>> = batches.iter().collect();
        assert_eq!(batches.concat(), [1, 2, 3, 4, 5, 99, 6]);
        for batch in &batches {
            assert!(batch.len() <= 3, "{batches:?}");
            let all_but_last: usize = batch.iter().rev().skip(1).sum();
            assert!(all_but_last < 100, "{batches:?}");
        }
    }

    #[tokio::test]
    async fn housekeeping_comes_round_without_any_item() {
        let (_open_gate, gate) = std_mpsc::channel();
        let (seen, _batches) = std_mpsc::channel();
        let (ticks, ticked) = std_mpsc::channel();
        let _batcher = Batcher::start("test", LIMITS, Recorder { gate, seen, ticks }).unwrap();
        ticked.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
