//! What every game has besides what it declares: system tables and reserved names.

use super::game::{Column, ColumnKind, ColumnSource, Table};
use crate::event::ACTION_REJECTED;

/// Records that can't be rows, with the reason.
pub const BAD_EVENTS: &str = "bad_events";
/// Refused actions.
pub const REJECTED_ACTIONS: &str = "rejected_actions";
/// Events that no declared table takes.
pub const OTHER_EVENTS: &str = "other_events";
/// One row per landing round: the resume point and the audit trail.
pub const EPOCHS: &str = "_epochs";
/// No declared table may have one of these names.
pub const RESERVED_TABLES: [&str; 4] = [BAD_EVENTS, REJECTED_ACTIONS, OTHER_EVENTS, EPOCHS];

/// The table of refused actions: fed by `action_rejected` events like any declared table.
pub fn rejected_actions() -> Table {
    let property = |name: &str, kind| Column {
        name: name.to_owned(),
        kind,
        source: ColumnSource::Property(name.to_owned()),
        description: None,
    };
    Table {
        name: REJECTED_ACTIONS.to_owned(),
        description: Some(
            "Actions that a rule refused, or that named an unknown or taken entity.".to_owned(),
        ),
        events: vec![ACTION_REJECTED.to_owned()],
        rows: None,
        columns: vec![
            property("action", ColumnKind::String),
            property("code", ColumnKind::String),
            property("message", ColumnKind::String),
            property("params", ColumnKind::Json),
            property("key", ColumnKind::String),
        ],
    }
}

/// The table of events that no declared table takes: whole, as text.
pub fn other_events() -> Table {
    let envelope = |name: &str, source| Column {
        name: name.to_owned(),
        kind: ColumnKind::String,
        source,
        description: None,
    };
    Table {
        name: OTHER_EVENTS.to_owned(),
        description: Some("Events that no declared table takes.".to_owned()),
        events: Vec::new(),
        rows: None,
        columns: vec![
            envelope("event_type", ColumnSource::EventType),
            envelope("raw_event", ColumnSource::RawEvent),
        ],
    }
}
