//! From a definition's table to the columns of its Delta table, in Arrow and in Delta's own words.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::game::{Column, ColumnKind, ColumnSource, Table};
use gamepipe_domain::definition::system;
use serde_json::{Value, json};

/// The system columns, in the order in which they follow the declared ones.
pub mod column {
    /// `event_id` of the event (string).
    pub const EVENT_ID: &str = "_event_id";
    /// When it happened (timestamp, microseconds, UTC).
    pub const EVENT_TIME: &str = "_event_time";
    /// The partition column: the date of the event, clamped to a sane window around arrival (date).
    pub const EVENT_DATE: &str = "_event_date";
    /// Its partition on the log (int32).
    pub const PARTITION: &str = "_partition";
    /// Its offset on the log (int64).
    pub const OFFSET: &str = "_offset";
    /// Which of the event's rows it is, from 0 (int32): only in tables with `rows`, where an event can make many.
    pub const ROW: &str = "_row";
    /// Fields that no column takes, as a JSON object; null when there are none (string).
    pub const EXTRA: &str = "_extra";
}

/// The columns of `_epochs`: an [`crate::epoch::EpochRecord`] as a row.
pub mod epoch_column {
    /// The epoch's number (int64).
    pub const EPOCH: &str = "epoch";
    /// The log's generation (string).
    pub const GENERATION: &str = "generation";
    /// When it was committed (timestamp, microseconds, UTC).
    pub const COMMITTED_AT: &str = "committed_at";
    /// How many log records it took (int64).
    pub const RECORDS: &str = "records";
    /// Its slices of the log, as a JSON list (string).
    pub const RANGES: &str = "ranges";
    /// Table to Delta version after it, as a JSON object (string).
    pub const VERSIONS: &str = "versions";
    /// Table to rows that it added, as a JSON object (string).
    pub const ROWS: &str = "rows";
}

/// The table of records that can't be rows. Landing fills it by itself: no event type leads to it.
pub fn bad_events() -> Table {
    let own = |name: &str, kind, what: &str| Column {
        name: name.to_owned(),
        kind,
        source: ColumnSource::Property(name.to_owned()),
        description: Some(what.to_owned()),
    };
    let text = ColumnKind::String;
    Table {
        name: system::BAD_EVENTS.to_owned(),
        description: Some("Records that can't be rows, with the reason.".to_owned()),
        events: Vec::new(),
        rows: None,
        columns: vec![
            own(
                "origin",
                text,
                "`api`: refused on arrival; `log`: not readable as an event when it was landed.",
            ),
            own("code", text, "Why, as a stable code."),
            own("detail", text, "Why, for people."),
            own(
                "pointer",
                text,
                "JSON pointer to the culprit; empty when the whole record is meant.",
            ),
            own(
                "payload",
                text,
                "What came; in base64 when it is not UTF-8 (code `invalid_utf8`).",
            ),
            own("received_at", ColumnKind::Timestamp, "When it arrived."),
        ],
    }
}

/// Every table of the game's lake with events' rows, by name: the declared ones and the system's. `_epochs` is apart.
pub fn tables(game: &Game) -> Vec<Table> {
    with_system_tables(game.tables())
}

/// The declared tables and the system's.
pub fn with_system_tables(declared: &[Table]) -> Vec<Table> {
    let mut all = declared.to_vec();
    all.extend([
        bad_events(),
        system::rejected_actions(),
        system::other_events(),
    ]);
    all
}

/// The columns of a table: the declared ones, then the system's. All are nullable; the partition column is among them.
pub fn arrow_schema(table: &Table) -> SchemaRef {
    let mut fields: Vec<Field> = table
        .columns
        .iter()
        .map(|column| Field::new(&column.name, arrow_type(column.kind), true))
        .collect();
    fields.extend([
        Field::new(column::EVENT_ID, DataType::Utf8, true),
        Field::new(column::EVENT_TIME, micros(), true),
        Field::new(column::EVENT_DATE, DataType::Date32, true),
        Field::new(column::PARTITION, DataType::Int32, true),
        Field::new(column::OFFSET, DataType::Int64, true),
    ]);
    if table.rows.is_some() {
        fields.push(Field::new(column::ROW, DataType::Int32, true));
    }
    fields.push(Field::new(column::EXTRA, DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}

/// The columns of `_epochs`, which has no partition column.
pub fn epochs_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(epoch_column::EPOCH, DataType::Int64, true),
        Field::new(epoch_column::GENERATION, DataType::Utf8, true),
        Field::new(epoch_column::COMMITTED_AT, micros(), true),
        Field::new(epoch_column::RECORDS, DataType::Int64, true),
        Field::new(epoch_column::RANGES, DataType::Utf8, true),
        Field::new(epoch_column::VERSIONS, DataType::Utf8, true),
        Field::new(epoch_column::ROWS, DataType::Utf8, true),
    ]))
}

/// The Arrow type of a column. Moments have no zone in their type: they are UTC by definition, and a reader's session
/// zone can't shift them.
pub fn arrow_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Number => DataType::Float64,
        ColumnKind::String | ColumnKind::Json => DataType::Utf8,
        ColumnKind::Boolean => DataType::Boolean,
        ColumnKind::Timestamp => micros(),
    }
}

fn micros() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// What Delta calls an Arrow type that a table of ours can have; Arrow's own name for any other.
pub(crate) fn delta_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Int64 => "long".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Utf8 => "string".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp_ntz".to_owned(),
        other => other.to_string(),
    }
}

/// One column in Delta's schema JSON.
pub(crate) fn delta_field(field: &Field) -> Value {
    json!({ "name": field.name(), "type": delta_type(field.data_type()), "nullable": true, "metadata": {} })
}

#[cfg(test)]
mod tests {
    use gamepipe_domain::definition::system;

    use super::{arrow_schema, bad_events, column, with_system_tables};

    #[test]
    fn system_columns_follow_the_declared_ones() {
        let schema = arrow_schema(&system::other_events());
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(
            names,
            [
                "event_type",
                "raw_event",
                column::EVENT_ID,
                column::EVENT_TIME,
                column::EVENT_DATE,
                column::PARTITION,
                column::OFFSET,
                column::EXTRA
            ]
        );
    }

    #[test]
    fn only_tables_that_explode_events_number_their_rows() {
        let mut table = bad_events();
        assert!(arrow_schema(&table).column_with_name(column::ROW).is_none());
        table.rows = Some("items".to_owned());
        assert!(arrow_schema(&table).column_with_name(column::ROW).is_some());
    }

    #[test]
    fn system_tables_are_always_there() {
        let names: Vec<_> = with_system_tables(&[])
            .into_iter()
            .map(|table| table.name)
            .collect();
        assert_eq!(
            names,
            [
                system::BAD_EVENTS,
                system::REJECTED_ACTIONS,
                system::OTHER_EVENTS
            ]
        );
    }
}
