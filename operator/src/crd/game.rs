//! `Game`: a definition as a custom resource. It is the same document as `games/<name>/game.yaml` with its files inlined.
//!
//! The schema has the structure of the definition where Kubernetes can say it; what is wrong beyond that is found by the domain's loader, as it
//! is by `gamepipe game check`.

use std::borrow::Cow;

use gamepipe_domain::definition::schema::json_schema as definition_schema;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::structural::structural;

/// The definition: catalogs, entities, actions, events, tables, queries. `gamepipe game render DIR | kubectl apply -f -` makes the resource.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "gamepipe.dev",
    version = "v1alpha1",
    kind = "Game",
    plural = "games",
    namespaced,
    derive = "PartialEq",
    status = "GameStatus",
    category = "gamepipe",
    doc = "A game's rules, events and tables. Written as game.yaml; `gamepipe game render DIR | kubectl apply -f -` inlines its queries and makes this resource.",
    printcolumn(name = "Valid", type_ = "string", json_path = ".status.conditions[?(@.type==\"Valid\")].status", description = "True when the definition loads"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Valid\")].reason", description = "Why it is valid or not"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version", description = "A hash of what decides how the game behaves; events carry it"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Valid\")].message", description = "What is wrong, with its path", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$')").message("a Game's name is a lower-case letter, then lower-case letters, digits and -, at most 40 characters: the SQL schema is named after it").field_path(".metadata.name")
)]
#[serde(transparent)]
pub struct GameSpec {
    /// The definition as it is written.
    pub definition: Map<String, Value>,
}

/// The most named queries of a definition: bounds what the rule on each may cost the API server.
const MAX_QUERIES: u32 = 500;

impl JsonSchema for GameSpec {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "GameSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let document = structural(&definition_schema());
        let mut spec = document["properties"]["spec"].clone();
        let queries = &mut spec["properties"]["queries"];
        queries["maxProperties"] = json!(MAX_QUERIES);
        queries["additionalProperties"]["x-kubernetes-validations"] = json!([{
            "rule": "!has(self.file)",
            "message": "a file can't be read from here: write its text as sql; `gamepipe game render DIR | kubectl apply -f -` does",
            "fieldPath": ".file",
        }]);
        // An object always is a schema.
        Schema::try_from(spec).unwrap_or_default()
    }
}

/// What the operator found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameStatus {
    /// The generation that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// A hash of what decides how the game behaves. Events carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `Valid`: the definition loads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
