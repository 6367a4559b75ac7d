//! The embedded log passes every check of the port.

#![expect(clippy::unwrap_used, reason = "a test")]

use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::embedded::EmbeddedLog;
use gamepipe_testkit::conformance::eventlog::{Log, Settings};
use gamepipe_testkit::place::Place;

async fn open(place: &Place, settings: Settings) -> Log {
    let config = LogConfig {
        path: place.path_text(),
        partitions: settings.partitions,
        retention_seconds: settings.retention_seconds,
        retention_bytes: settings.retention_bytes,
        max_bytes: settings.max_bytes,
        dedupe_seconds: settings.dedupe_seconds,
        ..LogConfig::default()
    };
    EmbeddedLog::open(&config, place.shared_clock()).unwrap()
}

gamepipe_testkit::event_log_conformance!(open);
