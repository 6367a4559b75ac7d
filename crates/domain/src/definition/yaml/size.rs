//! How large and how deep a tree is.

use serde_json::Value;

use super::{Node, NodeValue};

/// About how many bytes a tree takes.
pub(super) fn weight(node: &Node) -> usize {
    const PER_NODE: usize = 64;
    PER_NODE
        + match &node.value {
            NodeValue::Text(text) => text.len(),
            NodeValue::List(items) => items.iter().map(weight).sum(),
            NodeValue::Map(entries) => entries
                .iter()
                .map(|entry| entry.key.len() + weight(&entry.node))
                .sum(),
            _ => 0,
        }
}

/// How many lists and maps lie within one another.
pub(super) fn height(node: &Node) -> usize {
    match &node.value {
        NodeValue::List(items) => 1 + items.iter().map(height).max().unwrap_or(0),
        NodeValue::Map(entries) => {
            1 + entries
                .iter()
                .map(|entry| height(&entry.node))
                .max()
                .unwrap_or(0)
        }
        _ => 0,
    }
}

/// The height of JSON.
pub(super) fn json_height(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(json_height).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(json_height).max().unwrap_or(0),
        _ => 0,
    }
}
