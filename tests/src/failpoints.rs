//! Every place where a step between a request and its row can end half-way, by the part of the product that has it.

/// In any API.
pub const RELAY: [&str; 3] = ["relay.read", "relay.appended", "relay.trimmed"];

/// In an API whose log is in Kafka.
pub const KAFKA_RELAY: [&str; 3] = [
    "kafka.relay.begun",
    "kafka.relay.acknowledged",
    "kafka.relay.committed",
];

/// In the state store in Redis, and in the embedded one.
pub const STATE: [&str; 2] = ["state.commit.before", "state.commit.synced"];

/// In the embedded stores alone.
pub const EMBEDDED: [&str; 4] = [
    "state.commit.written",
    "log.append.before",
    "log.append.written",
    "log.append.synced",
];

/// In the streamer.
pub const LANDING: [&str; 8] = [
    "epoch.encoded",
    "intent.put.before",
    "intent.put.after",
    "intent.decided",
    "table.commit.before",
    "table.commit.after",
    "epochs.commit.before",
    "epochs.commit.after",
];
