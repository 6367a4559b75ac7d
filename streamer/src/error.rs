//! Why landing stopped.

use gamepipe_eventlog::LogError;
use gamepipe_lake::LakeError;

/// Errors of the streamer.
#[derive(Debug, thiserror::Error)]
pub enum StreamerError {
    /// The lake can't be read or written, or must not be.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Records that have not landed are no longer on the log.
    #[error(
        "partition {partition} of the log begins at offset {low} but the lake has landed only up to {landed}: {} records are gone for good; bring them back from a copy of the log, or set streamer.acceptGap to go on without them (audits will show the gap)",
        low - landed
    )]
    Gap {
        /// The partition.
        partition: u32,
        /// The lowest offset that there is.
        low: u64,
        /// The offset after the last that has landed.
        landed: u64,
    },
    /// The log ends before what has landed.
    #[error(
        "partition {partition} of the log ends at offset {high} but the lake has landed up to {landed}: the log was cut or is an older copy, and what it appends next would be taken for landed; bring the newer log back, or use an empty lake directory"
    )]
    Behind {
        /// The partition.
        partition: u32,
        /// The offset of its next record.
        high: u64,
        /// The offset after the last that has landed.
        landed: u64,
    },
    /// The game of the lake is another one.
    #[error("the lake was opened for game {lake} but the streamer is to land game {game}")]
    OtherGame {
        /// The lake's.
        lake: String,
        /// The streamer's.
        game: String,
    },
    /// A background thread died.
    #[error("a worker thread of the streamer stopped: {0}")]
    Worker(String),
    /// The current epoch did not land in time after the word to stop. Nothing is lost: it lands at the next start.
    #[error(
        "the current epoch did not land within {seconds} s of the word to stop; it will at the next start"
    )]
    Shutdown {
        /// How long was waited.
        seconds: u64,
    },
}

impl StreamerError {
    /// True when other processes that share the log have landed what this one was about to: nothing is wrong.
    pub fn is_lost_race(&self) -> bool {
        matches!(self, Self::Lake(error) if error.is_lost_race())
    }

    /// True when trying again can't help: somebody has to do something first.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Gap { .. }
            | Self::Behind { .. }
            | Self::OtherGame { .. }
            | Self::Shutdown { .. } => true,
            Self::Lake(error) => matches!(
                error,
                LakeError::OtherLog { .. }
                    | LakeError::FewerPartitions { .. }
                    | LakeError::IncompatibleType { .. }
            ),
            Self::Log(_) | Self::Worker(_) => false,
        }
    }
}
