//! The whole loop on an API server in memory.

mod api;
mod changes;
mod faults;
mod leaders;
mod passes;
mod process;
mod rights;
mod scene;
mod trouble;
