//! The operator: turns a `GamePipeline` and its `Game` into Kubernetes objects, and keeps them right.
//!
//! [`crd`] is what users write, [`stages`] how it becomes objects: observe, validate, build, apply, prune, status. Those that need no cluster are pure,
//! and [`offline`] runs them for people and for CI. kube lives here alone. May import: kube, domain, config, service.

#[expect(
    unreachable_pub,
    reason = "kube's derive declares a copy of each type inside a function"
)]
pub mod crd;

pub mod controller;
pub mod reconcile;
pub mod stages;

pub mod offline;

mod yaml;

#[cfg(test)]
mod testing;
