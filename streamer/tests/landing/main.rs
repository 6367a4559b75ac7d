//! Landing from end to end: a log in memory, a real lake in a directory, and what its audit and its files say.

mod arrival;
mod crashes;
mod evolution;
mod memory_log;
mod poison;
mod s3;
mod seats;
mod sharing;
mod upkeep;
mod world;
