//! How far an outbox is: the numbers of its entries, which begin at 1 and have no gaps.

/// What the state store says of its outbox. The marks stay when it is empty: its numbers never begin again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxMarks {
    /// The highest number that was given; 0 when none was.
    pub last: u64,
    /// Up to here all is on the log and forgotten.
    pub trimmed: u64,
}

impl OutboxMarks {
    /// How many entries wait.
    pub fn depth(self) -> u64 {
        self.last.saturating_sub(self.trimmed)
    }
}
