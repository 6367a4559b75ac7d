//! Tests of what is built: golden files by component, hashes, and that no change of a spec loses data without a word that says so.

mod golden;
mod hashes;
mod pods;
mod safety;

use serde_json::Value;

use super::build;
use crate::stages::children::{Built, Children};
use crate::testing::planned;

/// The children of a manifest in a namespace that has nothing of it yet.
fn children(manifest: &Value) -> Children<Built> {
    build(&planned(manifest))
}

/// A child as JSON.
fn object(children: &Children<Built>, kind: &str, name: &str) -> Value {
    let found = children
        .objects()
        .iter()
        .find(|child| child.kind() == kind && child.name() == name);
    found
        .unwrap_or_else(|| panic!("no {kind} {name}"))
        .intent()
        .expect("JSON")
}
