//! From YAML text to a tree in which every value knows its line and column.
//!
//! YAML 1.2, so JSON is read too. What surprises people is refused instead of guessed: names given twice, names that
//! are not text, several documents, merge keys, tags, numbers with leading zeros. Aliases are expanded within a bound.

mod parse;
mod scalar;
mod size;

use serde_json::Value;

pub(super) use parse::parse;

use super::suggest::shorten;

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    /// From 1; 0 when the text has no such place.
    pub(super) line: usize,
    /// From 1; 0 when the text has no such place.
    pub(super) column: usize,
}

/// Something wrong at a known place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlacedProblem {
    pub(super) place: Place,
    pub(super) path: String,
    pub(super) message: String,
}

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: NodeValue,
}

/// The values of JSON, in the order of the text.
#[derive(Debug, Clone)]
pub(super) enum NodeValue {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A field of a map.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Node {
    /// The same value without its places.
    pub(super) fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Boolean(value) => Value::from(*value),
            NodeValue::Integer(value) => Value::from(*value),
            NodeValue::Number(value) => Value::from(*value),
            NodeValue::Text(value) => Value::from(value.as_str()),
            NodeValue::List(items) => items.iter().map(Self::to_json).collect(),
            NodeValue::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect(),
        }
    }

    /// A tree without places, for JSON that YAML can't read.
    fn from_json(value: &Value) -> Self {
        let value = match value {
            Value::Null => NodeValue::Null,
            Value::Bool(value) => NodeValue::Boolean(*value),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => NodeValue::Integer(integer),
                None => NodeValue::Number(number.as_f64().unwrap_or(f64::MAX)),
            },
            Value::String(text) => NodeValue::Text(text.clone()),
            Value::Array(items) => NodeValue::List(items.iter().map(Self::from_json).collect()),
            Value::Object(fields) => NodeValue::Map(
                fields
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        key_place: Place::default(),
                        node: Self::from_json(value),
                    })
                    .collect(),
            ),
        };
        Self {
            place: Place::default(),
            value,
        }
    }

    /// Where `path` is, such as `spec.actions.attack.cases[0].when`; for a part that does not exist, where its parent is.
    /// A list or map is found at its name, anything else at its value.
    pub(super) fn place_of(&self, path: &str) -> Place {
        let mut node = self;
        let mut place = self.place;
        let mut rest = path;
        while !rest.is_empty() {
            let Some((key_place, child, after)) = node.step(rest) else {
                break;
            };
            let is_container = matches!(child.value, NodeValue::List(_) | NodeValue::Map(_));
            place = if is_container {
                key_place.unwrap_or(child.place)
            } else {
                child.place
            };
            node = child;
            rest = after;
        }
        place
    }

    /// The child that `path` begins with, and the rest of the path. Names may hold dots: the longest that fits is taken.
    fn step<'a, 'p>(&'a self, path: &'p str) -> Option<(Option<Place>, &'a Node, &'p str)> {
        match &self.value {
            NodeValue::Map(entries) => {
                let path = path.strip_prefix('.').unwrap_or(path);
                let entry = entries
                    .iter()
                    .filter(|entry| {
                        path.strip_prefix(entry.key.as_str())
                            .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                    })
                    .max_by_key(|entry| entry.key.len())?;
                Some((
                    Some(entry.key_place),
                    &entry.node,
                    path.get(entry.key.len()..)?,
                ))
            }
            NodeValue::List(items) => {
                let (index, after) = path.strip_prefix('[')?.split_once(']')?;
                Some((None, items.get(index.parse::<usize>().ok()?)?, after))
            }
            _ => None,
        }
    }

    /// What it is, for people: `text "x"`, `integer 5`, `a list`.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            NodeValue::Null => "nothing".to_owned(),
            NodeValue::Boolean(value) => format!("boolean {value}"),
            NodeValue::Integer(value) => format!("integer {value}"),
            NodeValue::Number(value) => format!("number {value}"),
            NodeValue::Text(text) => format!("text {:?}", shorten(text)),
            NodeValue::List(_) => "a list".to_owned(),
            NodeValue::Map(_) => "an object".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
