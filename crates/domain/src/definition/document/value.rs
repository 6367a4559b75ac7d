//! Values and rules as they are declared.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kinds of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// A whole number of 64 bits.
    Integer,
    /// A 64-bit float.
    Number,
    /// Text.
    #[default]
    String,
    /// True or false.
    Boolean,
    /// A moment, RFC 3339 in JSON.
    Timestamp,
    /// A list of `items`.
    List,
    /// A map from text to `values`.
    Map,
    /// A record of `properties`.
    Object,
    /// Items and how many of each (never negative, zero is dropped), with an optional capacity in units.
    Bag,
}

impl ValueKind {
    /// Its name in a definition.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::List => "list",
            Self::Map => "map",
            Self::Object => "object",
            Self::Bag => "bag",
        }
    }
}

/// The type and bounds of a value: a parameter, a state field or an event property.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueSpec {
    /// The kind of value; `string` when absent.
    #[serde(rename = "type", default)]
    pub kind: ValueKind,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// True when null is allowed; a nullable parameter that is absent is null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// The least number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The greatest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The least length of a string, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// The greatest length of a string, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// The greatest number of items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// The only values allowed.
    #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<serde_json::Value>>,
    /// The type of a list's items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<ValueSpec>>,
    /// The type of a map's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Box<ValueSpec>>,
    /// The fields of an object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, ValueSpec>,
    /// How many units a bag holds at most: a number, or the name of an integer field of the same entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
}

/// How many units a bag holds at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Capacity {
    /// The same for every entity.
    Units(u64),
    /// The value of this integer field of the same entity.
    Field(String),
}

/// A rule in CEL, or a literal number or boolean. Text is always CEL: a literal string needs quotes of its own, `"'stick'"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Expr {
    /// A literal boolean.
    Boolean(bool),
    /// A literal whole number.
    Integer(i64),
    /// A literal number.
    Number(f64),
    /// A CEL expression.
    Cel(String),
}
