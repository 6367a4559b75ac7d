//! The stages of a reconcile: observe, validate, build, apply, prune, status. Data goes one way; a stage's output is the next one's input.
//!
//! [`validate`] and [`build`] are pure: no client, no clock, no randomness. What they may know of the cluster is in [`observed`].

pub mod component;

pub mod observed;

pub mod validate;
pub mod validated;

pub mod build;

pub mod children;
pub mod generated;

pub mod apply;
pub mod failure;
pub mod known;
pub mod look;
pub mod namespace;
pub mod observe;
pub mod prune;
pub mod rollout;
pub mod status;
