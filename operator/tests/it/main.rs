//! The whole loop on an API server in memory.

mod api;
mod passes;
mod scene;
