//! What can be said at load of a parameter that players send: the constants among its values are taken, or never.

use crate::definition::document::ValueSpec;
use crate::definition::value::{check_value, describe_place};
use crate::rules::functions::Op;
use crate::rules::node::Node;
use crate::rules::value::Value;

/// Why the constants that `node` may give are refused where `spec` is declared.
pub(super) fn never_taken(node: &Node, spec: &ValueSpec) -> Vec<String> {
    let mut values = Vec::new();
    constants(node, &mut values);
    values
        .into_iter()
        .filter_map(|value| {
            let mismatch = check_value(spec, &value.to_json().ok()?, true).err()?;
            let place = describe_place(&mismatch.pointer);
            Some(format!("{}{place}", mismatch.detail))
        })
        .collect()
}

/// The constants that an expression may give: itself, the sides of a choice, the items of a `pick`.
fn constants<'a>(node: &'a Node, found: &mut Vec<&'a Value>) {
    match node {
        Node::Const(value) => found.push(value),
        Node::Choose(parts) => {
            let [_, one, other] = parts.as_ref();
            constants(one, found);
            constants(other, found);
        }
        Node::Call(Op::Pick | Op::PickWeighted | Op::PickWeightedDoubles, args) => {
            match args.first() {
                Some(Node::Const(Value::List(items))) => found.extend(items.iter()),
                Some(Node::List(items)) => items.iter().for_each(|item| constants(item, found)),
                _ => {}
            }
        }
        _ => {}
    }
}
