//! The first check of a definition: does the tree have the shape of the document? Walks the document's JSON Schema and
//! the tree side by side and reports everything, where a deserializer would stop at the first thing.

use serde_json::Value;

use super::problem::join;
use super::suggest::{did_you_mean, quoted_list, shorten};
use super::yaml::{Entry, Node, NodeValue, Place, PlacedProblem};

/// Everything in which `tree` differs from `schema`, a root schema with `$defs`.
pub(super) fn check_shape(schema: &Value, tree: &Node) -> Vec<PlacedProblem> {
    let mut walk = Walk {
        root: schema,
        problems: Vec::new(),
    };
    walk.node(schema, tree, tree.place, "");
    walk.problems
}

struct Walk<'a> {
    root: &'a Value,
    problems: Vec<PlacedProblem>,
}

impl<'a> Walk<'a> {
    fn report(&mut self, place: Place, path: &str, message: String) {
        self.problems.push(PlacedProblem {
            place,
            path: path.to_owned(),
            message,
        });
    }

    /// `name_place` is where the node's name stands: missing fields are reported there.
    fn node(&mut self, schema: &'a Value, node: &Node, name_place: Place, path: &str) {
        let mut branches = Vec::new();
        self.branches(schema, &mut branches);
        if branches.is_empty() {
            return;
        }
        let Some(branch) = branches
            .iter()
            .copied()
            .find(|branch| accepts(branch, node))
        else {
            let (expected, mut hint) = expectation(&branches, node);
            let is_list = branches
                .iter()
                .any(|branch| types(branch).any(|name| name == "array"));
            if let (NodeValue::Text(text), true) = (&node.value, is_list) {
                hint = format!("; write `[{}]`", shorten(text));
            }
            if matches!(node.value, NodeValue::Null) && is_expression(schema) {
                hint =
                    "; for no value write \"null\" in quotes: a text is an expression".to_owned();
            }
            let message = format!("expected {expected}, got {}{hint}", node.describe());
            return self.report(node.place, path, message);
        };
        self.range(branch, node, path);
        match &node.value {
            NodeValue::Map(entries) => self.map(branch, entries, name_place, path),
            NodeValue::List(items) => {
                if let Some(schema) = branch.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.node(schema, item, item.place, &format!("{path}[{index}]"));
                    }
                }
            }
            _ => {}
        }
    }

    /// The alternatives of a schema, references resolved. A schema that takes anything has none.
    fn branches(&self, schema: &'a Value, found: &mut Vec<&'a Value>) {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let definition = target
                .strip_prefix("#/$defs/")
                .and_then(|name| self.root.get("$defs")?.get(name));
            if let Some(definition) = definition {
                self.branches(definition, found);
            }
            return;
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(Value::Array(alternatives)) = schema.get(keyword) {
                for alternative in alternatives {
                    self.branches(alternative, found);
                }
                return;
            }
        }
        if schema.get("type").is_some() {
            found.push(schema);
        }
    }

    fn range(&mut self, branch: &Value, node: &Node, path: &str) {
        let NodeValue::Integer(value) = node.value else {
            return;
        };
        let (least, greatest) = match branch.get("format").and_then(Value::as_str) {
            Some("uint32") => (0, i64::from(u32::MAX)),
            Some("uint64") => (0, i64::MAX),
            _ => return,
        };
        if value < least || value > greatest {
            self.report(
                node.place,
                path,
                format!("expected an integer from {least} to {greatest}, got {value}"),
            );
        }
    }

    fn map(&mut self, branch: &'a Value, entries: &[Entry], name_place: Place, path: &str) {
        let properties = branch.get("properties").and_then(Value::as_object);
        for entry in entries {
            let entry_path = join(path, &entry.key);
            if let Some(schema) = properties.and_then(|known| known.get(&entry.key)) {
                self.node(schema, &entry.node, entry.key_place, &entry_path);
                continue;
            }
            match branch.get("additionalProperties") {
                Some(Value::Bool(false)) => {
                    let known = || {
                        properties
                            .into_iter()
                            .flat_map(|known| known.keys().map(String::as_str))
                    };
                    let mut hint = did_you_mean(&entry.key, known());
                    if hint.is_empty() {
                        hint = format!("; known here: {}", quoted_list(known()));
                    }
                    self.report(
                        entry.key_place,
                        &entry_path,
                        format!("unknown field `{}`{hint}", entry.key),
                    );
                }
                Some(schema) => self.node(schema, &entry.node, entry.key_place, &entry_path),
                None => {}
            }
        }
        let required = branch
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for name in required.filter_map(Value::as_str) {
            if !entries.iter().any(|entry| entry.key == name) {
                self.report(name_place, path, format!("missing field `{name}`"));
            }
        }
    }
}

/// True where a definition takes CEL.
fn is_expression(schema: &Value) -> bool {
    schema.get("$ref").and_then(Value::as_str) == Some("#/$defs/Expr")
}

fn accepts(branch: &Value, node: &Node) -> bool {
    if let (Some(constant), NodeValue::Text(text)) = (branch.get("const"), &node.value) {
        return constant.as_str() == Some(text);
    }
    if let (Some(Value::Array(allowed)), NodeValue::Text(text)) = (branch.get("enum"), &node.value)
    {
        return allowed.iter().any(|value| value.as_str() == Some(text));
    }
    types(branch).any(|name| match &node.value {
        NodeValue::Null => name == "null",
        NodeValue::Boolean(_) => name == "boolean",
        NodeValue::Integer(_) => name == "integer" || name == "number",
        NodeValue::Number(_) => name == "number",
        NodeValue::Text(_) => name == "string",
        NodeValue::List(_) => name == "array",
        NodeValue::Map(_) => name == "object",
    })
}

fn types(branch: &Value) -> impl Iterator<Item = &str> {
    let (one, many) = match branch.get("type") {
        Some(Value::String(name)) => (Some(name.as_str()), None),
        Some(Value::Array(names)) => (None, Some(names)),
        _ => (None, None),
    };
    one.into_iter()
        .chain(many.into_iter().flatten().filter_map(Value::as_str))
}

/// `text`, `integer or text`, or a list of the only texts allowed; and what may have been meant.
fn expectation(branches: &[&Value], node: &Node) -> (String, String) {
    let constants: Vec<&str> = branches
        .iter()
        .flat_map(|branch| {
            let listed = branch
                .get("enum")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            branch.get("const").into_iter().chain(listed)
        })
        .filter_map(Value::as_str)
        .collect();
    if !constants.is_empty() {
        let hint = match &node.value {
            NodeValue::Text(text) => did_you_mean(text, constants.iter().copied()),
            _ => String::new(),
        };
        return (format!("one of {}", quoted_list(constants)), hint);
    }
    let mut words: Vec<&str> = Vec::new();
    for name in branches.iter().flat_map(|branch| types(branch)) {
        let word = match name {
            "string" => "text",
            "array" => "a list",
            "object" => "an object",
            "null" => continue,
            other => other,
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let expected = match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    };
    (expected, String::new())
}
