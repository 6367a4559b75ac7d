//! The whole loop on an API server in memory.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "seeds are printed")]

mod api;
mod changes;
mod faults;
mod leaders;
mod passes;
mod process;
mod rights;
mod scene;
mod trouble;
