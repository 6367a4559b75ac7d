//! `spec.settings`: settings of the roles that have no field of their own in the spec, by the names that `--config` takes.

use std::borrow::Cow;

use gamepipe_config::settings::Settings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::structural::structural;

/// Settings that follow from the spec: addresses, secrets, places, and what has a field of its own. They can't be given a second time.
pub const OWNED: [&str; 16] = [
    "api.listen",
    "sql.listen",
    "sql.spillBytes",
    "streamer.listen",
    "streamer.commitIntervalMs",
    "state.path",
    "state.cacheBytes",
    "state.redis.url",
    "state.redis.password",
    "state.redis.name",
    "state.redis.durability",
    "log.path",
    "log.partitions",
    "log.maxBytes",
    "log.cacheBytes",
    "lake",
];

/// Settings of Kafka that follow from the spec; the others are times and sizes.
pub const OWNED_KAFKA: [&str; 11] = [
    "bootstrapServers",
    "topic",
    "create",
    "replicationFactor",
    "securityProtocol",
    "saslMechanism",
    "username",
    "password",
    "caFile",
    "certificateFile",
    "keyFile",
];

/// A part of the document that `gamepipe serve --config` reads, such as `api: {maxInFlight: 500}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoleSettings(pub Map<String, Value>);

impl RoleSettings {
    /// True when nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl JsonSchema for RoleSettings {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RoleSettings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = structural(&schemars::schema_for!(Settings).to_value());
        for path in OWNED {
            remove(&mut schema, path);
        }
        for field in OWNED_KAFKA {
            remove(&mut schema, &format!("log.kafka.{field}"));
        }
        // An object always is a schema.
        Schema::try_from(schema).unwrap_or_default()
    }
}

/// Takes the property at `path` out of a schema.
fn remove(schema: &mut Value, path: &str) {
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = schema;
    for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
        place = &mut place["properties"][parent];
    }
    if let Some(properties) = place["properties"].as_object_mut() {
        properties.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, SchemaGenerator};

    use super::RoleSettings;

    #[test]
    fn settings_that_follow_from_the_spec_are_not_offered() {
        let schema = RoleSettings::json_schema(&mut SchemaGenerator::default()).to_value();
        let text = schema.to_string();
        for gone in [
            "listen",
            "bootstrapServers",
            "password",
            "url",
            "accessKeyId",
            "commitIntervalMs",
        ] {
            assert!(
                !text.contains(&format!("\"{gone}\"")),
                "{gone} in {schema:#}"
            );
        }
        for kept in [
            "/api/properties/maxInFlight",
            "/log/properties/kafka/properties/timeoutMs",
            "/state/properties/redis/properties/timeoutMs",
        ] {
            assert!(
                schema.pointer(&format!("/properties{kept}")).is_some(),
                "{kept}"
            );
        }
        assert!(!text.contains("uint"), "no format that Kubernetes warns of");
    }
}
