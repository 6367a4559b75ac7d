//! For every CEL rule: a change that breaks it, and a neighbour that holds.

/// What is broken: words of the rule's message, the sample, the changes that break it, and those of a neighbour that holds.
pub(super) type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

/// Rules about what is written.
pub(super) const CREATING: [Case; 19] = [
    (
        "a GamePipeline's name is",
        "smallest",
        &[("metadata.name", "\"2arena\"")],
        &[("metadata.name", "\"arena-2\"")],
    ),
    (
        "give exactly one of managed (the operator runs Kafka)",
        "smallest",
        &[("spec.kafka.external", "{\"bootstrapServers\": \"k:9092\"}")],
        &[],
    ),
    (
        "give exactly one of managed (the operator runs Redis)",
        "smallest",
        &[("spec.redis.managed", "null")],
        &[
            ("spec.redis.managed", "null"),
            ("spec.redis.external", "{\"urlSecret\": \"r\"}"),
        ],
    ),
    (
        "give exactly one of s3",
        "smallest",
        &[("spec.lake.volume", "null")],
        &[],
    ),
    (
        "replicationFactor must not be above brokers",
        "smallest",
        &[("spec.kafka.managed.replicationFactor", "2")],
        &[
            ("spec.kafka.managed.brokers", "2"),
            ("spec.kafka.managed.replicationFactor", "2"),
        ],
    ),
    (
        "minInSyncReplicas must not be above",
        "bucket",
        &[("spec.kafka.managed.minInSyncReplicas", "4")],
        &[("spec.kafka.managed.minInSyncReplicas", "3")],
    ),
    (
        "controllers must be 1, 3 or 5",
        "bucket",
        &[("spec.kafka.managed.controllers", "{\"replicas\": 2}")],
        &[("spec.kafka.managed.controllers", "{\"replicas\": 5}")],
    ),
    (
        "credentialsSecret goes with",
        "external",
        &[("spec.kafka.external.credentialsSecret", "null")],
        &[],
    ),
    (
        "credentialsSecret goes with",
        "external",
        &[("spec.kafka.external.securityProtocol", "\"ssl\"")],
        &[
            ("spec.kafka.external.securityProtocol", "\"ssl\""),
            ("spec.kafka.external.credentialsSecret", "null"),
        ],
    ),
    (
        "caSecret and certificateSecret are for TLS",
        "external",
        &[("spec.kafka.external.securityProtocol", "\"saslPlaintext\"")],
        &[
            ("spec.kafka.external.securityProtocol", "\"saslPlaintext\""),
            ("spec.kafka.external.caSecret", "null"),
        ],
    ),
    (
        "the mechanism plain sends",
        "external",
        &[
            ("spec.kafka.external.securityProtocol", "\"saslPlaintext\""),
            ("spec.kafka.external.caSecret", "null"),
            ("spec.kafka.external.saslMechanism", "\"plain\""),
        ],
        &[("spec.kafka.external.saslMechanism", "\"plain\"")],
    ),
    (
        "this endpoint has no TLS",
        "external",
        &[("spec.lake.s3.endpoint", "\"http://minio:9000\"")],
        &[
            ("spec.lake.s3.endpoint", "\"http://minio:9000\""),
            ("spec.lake.s3.allowHttp", "true"),
        ],
    ),
    (
        "set maxReplicas, or external: true",
        "smallest",
        &[("spec.api.autoscaling", "{}")],
        &[("spec.api.autoscaling", "{\"maxReplicas\": 4}")],
    ),
    (
        "set maxReplicas, or external: true",
        "smallest",
        &[("spec.sql.autoscaling", "{}")],
        &[("spec.sql.autoscaling", "{\"external\": true}")],
    ),
    (
        "set maxReplicas, or external: true",
        "smallest",
        &[("spec.streamer.autoscaling", "{}")],
        &[("spec.streamer.autoscaling", "{\"external\": true}")],
    ),
    (
        "minReplicas must not be above",
        "smallest",
        &[(
            "spec.api.autoscaling",
            "{\"minReplicas\": 5, \"maxReplicas\": 4}",
        )],
        &[(
            "spec.api.autoscaling",
            "{\"minReplicas\": 4, \"maxReplicas\": 4}",
        )],
    ),
    (
        "minReplicas must not be above",
        "smallest",
        &[(
            "spec.sql.autoscaling",
            "{\"minReplicas\": 5, \"maxReplicas\": 4}",
        )],
        &[],
    ),
    (
        "minReplicas must not be above",
        "smallest",
        &[(
            "spec.streamer.autoscaling",
            "{\"minReplicas\": 5, \"maxReplicas\": 4}",
        )],
        &[],
    ),
    (
        "commitInterval must be from",
        "smallest",
        &[("spec.streamer.commitInterval", "\"11m\"")],
        &[("spec.streamer.commitInterval", "\"100ms\"")],
    ),
];

/// Rules about changes of what is stored.
pub(super) const CHANGING: [Case; 23] = [
    (
        "a pipeline can't change to another game",
        "smallest",
        &[("spec.game.name", "\"trade\"")],
        &[],
    ),
    (
        "a log can't move between",
        "smallest",
        &[
            ("spec.kafka.managed", "null"),
            ("spec.kafka.external", "{\"bootstrapServers\": \"k:9092\"}"),
        ],
        &[],
    ),
    (
        "the topic can't be changed",
        "external",
        &[("spec.kafka.topic.name", "\"other\"")],
        &[("spec.kafka.topic.create", "false")],
    ),
    (
        "the topic can't be changed",
        "external",
        &[("spec.kafka.topic.name", "null")],
        &[],
    ),
    (
        "partitions can't be changed",
        "external",
        &[("spec.kafka.topic.partitions", "48")],
        &[],
    ),
    (
        "replicationFactor can't be changed",
        "production",
        &[("spec.kafka.managed.replicationFactor", "2")],
        &[("spec.kafka.managed.brokers", "7")],
    ),
    (
        "the number of controllers can't be changed",
        "smallest",
        &[("spec.kafka.managed.controllers.replicas", "3")],
        &[],
    ),
    (
        "the state can't move between",
        "smallest",
        &[
            ("spec.redis.managed", "null"),
            ("spec.redis.external", "{\"urlSecret\": \"r\"}"),
        ],
        &[("spec.redis.durability", "\"always\"")],
    ),
    (
        "the name can't be changed: players",
        "external",
        &[("spec.redis.external.name", "\"other\"")],
        &[("spec.redis.external.urlSecret", "\"other\"")],
    ),
    (
        "a lake can't move between",
        "smallest",
        &[
            ("spec.lake.volume", "null"),
            (
                "spec.lake.s3",
                "{\"bucket\": \"games\", \"prefix\": \"arena\"}",
            ),
        ],
        &[],
    ),
    (
        "the bucket can't be changed",
        "bucket",
        &[("spec.lake.s3.bucket", "\"other\"")],
        &[("spec.lake.s3.credentialsSecret", "\"other\"")],
    ),
    (
        "the prefix can't be changed",
        "bucket",
        &[("spec.lake.s3.prefix", "\"other\"")],
        &[],
    ),
    (
        "accessMode can't be changed",
        "smallest",
        &[("spec.lake.volume.accessMode", "\"ReadWriteMany\"")],
        &[],
    ),
    (
        "a volume can't shrink",
        "smallest",
        &[("spec.kafka.managed.storage.size", "\"4Gi\"")],
        &[("spec.kafka.managed.storage.size", "\"5120Mi\"")],
    ),
    (
        "a volume can't shrink",
        "production",
        &[("spec.kafka.managed.controllers.storage.size", "\"9Gi\"")],
        &[("spec.kafka.managed.controllers.storage.size", "\"1Ti\"")],
    ),
    (
        "a volume can't shrink",
        "smallest",
        &[("spec.redis.managed.storage.size", "\"2G\"")],
        &[("spec.redis.managed.storage.size", "\"3Gi\"")],
    ),
    (
        "a volume can't shrink",
        "smallest",
        &[("spec.lake.volume.storage.size", "\"9999Mi\"")],
        &[("spec.lake.volume.storage.size", "\"11Gi\"")],
    ),
    (
        "volumes can't move to another",
        "production",
        &[("spec.kafka.managed.storage.storageClassName", "\"slow\"")],
        &[],
    ),
    (
        "volumes can't move to another",
        "production",
        &[(
            "spec.kafka.managed.controllers.storage.storageClassName",
            "null",
        )],
        &[],
    ),
    (
        "volumes can't move to another",
        "smallest",
        &[("spec.redis.managed.storage.storageClassName", "\"fast\"")],
        &[],
    ),
    (
        "volumes can't move to another",
        "smallest",
        &[("spec.lake.volume.storage.storageClassName", "\"fast\"")],
        &[],
    ),
    (
        "volumes can't move to another",
        "production",
        &[("spec.kafka.managed.storage", "{\"size\": \"500Gi\"}")],
        &[],
    ),
    (
        "partitions can't be changed",
        "external",
        &[("spec.kafka.topic", "{\"name\": \"arena-events\"}")],
        &[],
    ),
];
