//! The platform's data path under faults, in one process: streamers and compactors as they are, on real Parquet and a real Delta
//! log, over a log and an object store in memory that fail.
//!
//! A round has two to four streamers that share the log's partitions, now and then two of them the same one; one or two
//! compactors beside the streamers' own maintenance, with vacuum and clean-up; two appenders; and a reader. Processes are killed,
//! restarted, cut off, or stopped in the middle of a call and let go on when others have their partitions. Each way to
//! the store refuses, lands without saying so, lands late, answers 409, waits, and is out for a while. Then all is healed, all of the
//! log must land, and `check` compares every row with the log's own memory, before it asks the product's audit.
//!
//! `GAMEPIPE_TEST_SEED` replays one round, `GAMEPIPE_TEST_ROUNDS` says how many there are. What the seed fixes is which processes
//! there are at first, what is tried on them in which order, and which call of a process meets which fault. Time, and the threads
//! that encode, are real: a replay is the same plan and not the same run. What takes every step in one exact order, such as a
//! sleeper that wakes between two calls after clean-up has been, is the matter of the lake's `commit::model`.

mod appender;
mod chance;
mod check;
mod events;
mod journal;
mod log;
mod log_contract;
mod process;
mod reader;
mod round;
mod seats;
mod store;
mod storm;
mod template;
