//! The settings that a role reads: the very structs, written as the file of `--config`. What is the role's default is left out, so that a role of
//! another release is not told of settings that it doesn't know; nothing in it is secret.

use gamepipe_config::kafka::{KafkaConfig, SaslMechanism, SecurityProtocol};
use gamepipe_config::lake::{LakeConfig, S3Config};
use gamepipe_config::log::LogConfig;
use gamepipe_config::settings::Settings;
use gamepipe_config::state::StateConfig;
use serde_json::{Map, Value};

use super::{kafka, lake, redis};
use crate::crd::kafka::ExternalKafka;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// The API's port.
pub(super) const API_PORT: i32 = 5000;
/// The SQL endpoint's port.
pub(super) const SQL_PORT: i32 = 8080;
/// The port of the streamers' probes and metrics.
pub(super) const STREAMER_PORT: i32 = 9090;

/// Where the certificates for Kafka are mounted.
pub(super) const KAFKA_CA: &str = "/etc/gamepipe/kafka-ca";
/// Where the client's certificate for Kafka is mounted.
pub(super) const KAFKA_CERTIFICATE: &str = "/etc/gamepipe/kafka-certificate";

/// The share of the memory limit that queries may use: what a growing hash table copies comes on top of it.
const QUERY_SHARE_PERCENT: u64 = 40;

/// The settings of a role: the sections that it reads and nothing else, so that it is not restarted for others'.
pub(super) fn of(pipeline: &ValidatedPipeline, role: Component) -> Settings {
    let given = &pipeline.settings;
    let mut settings = Settings::default();
    match role {
        Component::Api => {
            settings.api = given.api.clone();
            settings.api.listen = everywhere(API_PORT);
            settings.state = state(pipeline);
            settings.log = log(pipeline);
        }
        Component::Streamer => {
            settings.streamer = given.streamer.clone();
            settings.streamer.listen = everywhere(STREAMER_PORT);
            settings.streamer.commit_interval_ms = pipeline.commit_interval_ms;
            settings.log = log(pipeline);
            settings.lake = lake_config(pipeline);
        }
        _ => {
            settings.sql = given.sql.clone();
            settings.sql.listen = everywhere(SQL_PORT);
            settings.sql.spill_bytes = spill_bytes(pipeline);
            if settings.sql.memory_bytes == Settings::default().sql.memory_bytes
                && let Some(limit) = pipeline.spec.sql.resources.memory_limit()
            {
                let share = limit / 100 * QUERY_SHARE_PERCENT;
                settings.sql.memory_bytes = usize::try_from(share).unwrap_or(usize::MAX);
            }
            settings.lake = lake_config(pipeline);
        }
    }
    settings
}

/// How much disk queries may use.
pub(super) fn spill_bytes(pipeline: &ValidatedPipeline) -> u64 {
    crate::crd::amount::parse(&pipeline.spec.sql.spill).unwrap_or_default()
}

fn everywhere(port: i32) -> String {
    format!("0.0.0.0:{port}")
}

fn state(pipeline: &ValidatedPipeline) -> StateConfig {
    let mut state = pipeline.settings.state.clone();
    let spec = &pipeline.spec.redis;
    state.redis.durability = spec.durability;
    let own_name = format!("{}/{}", pipeline.namespace, pipeline.name);
    let external = spec.external.as_ref();
    state.redis.name = external
        .and_then(|redis| redis.name.clone())
        .unwrap_or(own_name);
    if spec.managed.is_some() {
        let host = pipeline.child(Component::Redis.as_str());
        state.redis.url = format!("redis://{host}:{}", redis::PORT);
    }
    state
}

fn log(pipeline: &ValidatedPipeline) -> LogConfig {
    let mut log = pipeline.settings.log.clone();
    let spec = &pipeline.spec.kafka;
    log.partitions = u32::try_from(spec.topic.partitions).unwrap_or(log.partitions);
    log.kafka.topic = spec.topic.name.clone().unwrap_or_default();
    log.kafka.create = spec.topic.create;
    if let Some(managed) = &spec.managed {
        log.kafka.bootstrap_servers = kafka::bootstrap(pipeline);
        log.kafka.replication_factor =
            u16::try_from(managed.replication_factor).unwrap_or_default();
        log.kafka.security_protocol = if managed.tls_secret.is_some() {
            log.kafka.ca_file = format!("{KAFKA_CA}/ca.crt");
            SecurityProtocol::SaslSsl
        } else {
            SecurityProtocol::SaslPlaintext
        };
        log.kafka.sasl_mechanism = SaslMechanism::ScramSha512;
        log.kafka.username = kafka::USER.to_owned();
    }
    if let Some(external) = &spec.external {
        external_kafka(external, &mut log.kafka);
    }
    log
}

fn external_kafka(external: &ExternalKafka, kafka: &mut KafkaConfig) {
    kafka
        .bootstrap_servers
        .clone_from(&external.bootstrap_servers);
    kafka.replication_factor = external
        .replication_factor
        .and_then(|copies| u16::try_from(copies).ok())
        .unwrap_or_default();
    kafka.security_protocol = external.security_protocol;
    kafka.sasl_mechanism = external.sasl_mechanism;
    if external.ca_secret.is_some() {
        kafka.ca_file = format!("{KAFKA_CA}/ca.crt");
    }
    if external.certificate_secret.is_some() {
        kafka.certificate_file = format!("{KAFKA_CERTIFICATE}/tls.crt");
        kafka.key_file = format!("{KAFKA_CERTIFICATE}/tls.key");
    }
}

fn lake_config(pipeline: &ValidatedPipeline) -> LakeConfig {
    let Some(s3) = &pipeline.spec.lake.s3 else {
        return LakeConfig {
            path: lake::PATH.to_owned(),
            ..LakeConfig::default()
        };
    };
    LakeConfig {
        path: format!("s3://{}/{}", s3.bucket, s3.prefix),
        s3: S3Config {
            endpoint: s3.endpoint.clone(),
            region: s3.region.clone(),
            allow_http: s3.allow_http,
            virtual_hosted: s3.virtual_hosted,
            ..S3Config::default()
        },
    }
}

/// The settings as a file: what differs from the defaults, as YAML.
pub(super) fn file(settings: &Settings) -> String {
    let as_value = |settings: &Settings| serde_json::to_value(settings).unwrap_or_default();
    let differing = difference(as_value(settings), &as_value(&Settings::default()));
    crate::yaml::write(&differing.unwrap_or_else(|| Value::Object(Map::new())))
}

/// What of `value` is not in `usual`.
fn difference(value: Value, usual: &Value) -> Option<Value> {
    let Value::Object(fields) = value else {
        return (value != *usual).then_some(value);
    };
    let differing: Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, field)| Some((name.clone(), difference(field, &usual[&name])?)))
        .collect();
    (!differing.is_empty()).then_some(Value::Object(differing))
}
