//! The share of the partitions that one process reads, in a log that several processes land together.

use async_trait::async_trait;

/// The partitions of one process, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Grows with every change.
    pub turn: u64,
    /// The partitions, in order. May be none.
    pub partitions: Vec<u32>,
}

/// A process's membership of the group that shares a log. A share keeps work apart; it fences nothing: a process that was
/// stopped for a while may believe in a share that others have by now, and only the lake's commit refuses what it does.
/// Dropping it leaves the group.
#[async_trait]
pub trait Membership: Send + Sync + std::fmt::Debug {
    /// The share now.
    fn share(&self) -> Share;

    /// Waits until the share is a later one than that of `turn`.
    async fn changed(&self, turn: u64);

    /// Says that nothing of a share before that of `turn` is being worked on any more: partitions that were taken away may go to
    /// others at once. Unless it is said they do after a few seconds.
    fn settled(&self, turn: u64);

    /// Leaves the group, so that others need not wait until this process is missed.
    async fn leave(&self);
}

/// All partitions, for ever: the share of a process that has a log for itself.
#[derive(Debug)]
pub struct WholeLog {
    partitions: u32,
}

impl WholeLog {
    /// The whole of a log with that many partitions.
    pub fn new(partitions: u32) -> Self {
        Self { partitions }
    }
}

#[async_trait]
impl Membership for WholeLog {
    fn share(&self) -> Share {
        Share {
            turn: 0,
            partitions: (0..self.partitions).collect(),
        }
    }

    async fn changed(&self, _turn: u64) {
        std::future::pending().await
    }

    fn settled(&self, _turn: u64) {}

    async fn leave(&self) {}
}
