//! The simulation's log is a log: it passes every check of the port.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gamepipe_testkit::conformance::eventlog::{Log, Settings};
use gamepipe_testkit::place::Place;

use crate::log::{Limits, MemoryLog};

/// The logs of all places: opening one again gives the same.
static LOGS: OnceLock<Mutex<HashMap<PathBuf, Arc<MemoryLog>>>> = OnceLock::new();

async fn open(place: &Place, settings: Settings) -> Log {
    let logs = LOGS.get_or_init(Mutex::default);
    let mut logs = logs.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || {
        let limits = Limits {
            retention_seconds: settings.retention_seconds,
            retention_bytes: settings.retention_bytes,
            max_bytes: settings.max_bytes,
            dedupe_seconds: settings.dedupe_seconds,
        };
        let generation = place.path_text();
        Arc::new(MemoryLog::new(
            &generation,
            settings.partitions,
            limits,
            place.shared_clock(),
        ))
    };
    let log = logs.entry(place.path().to_owned()).or_insert_with(new);
    Arc::<MemoryLog>::clone(log)
}

gamepipe_testkit::event_log_conformance!(open);
