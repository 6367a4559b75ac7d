//! From declared tables to compiled ones: names, sources and types of columns.

use std::collections::BTreeMap;

use super::{Report, names};
use crate::definition::document::{
    ColumnSpec, EventSpec, GameSpec, TableSpec, ValueKind, ValueSpec,
};
use crate::definition::game::{Column, ColumnKind, ColumnSource, Table};
use crate::definition::problem::join;
use crate::definition::suggest::did_you_mean;
use crate::definition::system::{REJECTED_ACTIONS, RESERVED_TABLES};
use crate::event::ACTION_REJECTED;

/// What a `field` may name besides properties.
const ENVELOPE: [(&str, ColumnSource); 7] = [
    ("event_id", ColumnSource::EventId),
    ("event_type", ColumnSource::EventType),
    ("event_time", ColumnSource::EventTime),
    ("host", ColumnSource::Host),
    ("user_agent", ColumnSource::UserAgent),
    ("accept", ColumnSource::Accept),
    ("raw_event", ColumnSource::RawEvent),
];
/// Names of columns that stand for a part of the envelope without a `field`, besides the names in [`ENVELOPE`].
const ENVELOPE_COLUMNS: [(&str, ColumnSource); 3] = [
    ("timestamp", ColumnSource::EventTime),
    ("event_ts", ColumnSource::EventTime),
    ("user-agent", ColumnSource::UserAgent),
];

/// The compiled tables, by name; what is wrong goes into the report.
pub(super) fn compile(spec: &GameSpec, report: &mut Report) -> Vec<Table> {
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    let mut tables = Vec::new();
    for (name, table) in &spec.tables {
        let path = join("spec.tables", name);
        names::identifier(report, &path, "table", name);
        let lower = name.to_ascii_lowercase();
        if RESERVED_TABLES.contains(&lower.as_str()) {
            report.add(
                &path,
                format!("table `{name}`: gamepipe has a table of this name itself"),
            );
        }
        if let Some(other) = taken.insert(lower.clone(), name) {
            report.add(&path, format!("table `{name}`: `{other}` has the same name, since SQL does not tell letter case"));
        }
        let events = table_events(report, &path, spec, table);
        let rows = rows(report, &path, table, &events);
        tables.push(Table {
            name: lower,
            description: table.description.clone(),
            events: table.from.clone(),
            rows: table.rows.clone(),
            columns: columns(report, &path, table, &events, rows),
        });
    }
    tables
}

type NamedEvent<'a> = (&'a str, &'a EventSpec);

fn table_events<'a>(
    report: &mut Report,
    path: &str,
    spec: &'a GameSpec,
    table: &TableSpec,
) -> Vec<NamedEvent<'a>> {
    if table.from.is_empty() {
        report.add(join(path, "from"), "a table needs at least one event");
    }
    let mut events: Vec<NamedEvent<'a>> = Vec::new();
    for (index, name) in table.from.iter().enumerate() {
        let event_path = format!("{path}.from[{index}]");
        match spec.events.get_key_value(name) {
            Some((name, _)) if events.iter().any(|(known, _)| known == name) => {
                report.add(event_path, format!("`{name}` is given twice"));
            }
            Some((name, event)) => events.push((name, event)),
            None if name == ACTION_REJECTED => {
                report.add(
                    event_path,
                    format!(
                        "`{name}` lands in the table `{REJECTED_ACTIONS}`, which every game has"
                    ),
                );
            }
            None => {
                let hint = did_you_mean(name, super::keys(&spec.events));
                report.add(event_path, format!("no event `{name}`{hint}"));
            }
        }
    }
    events
}

/// The fields of the items that become rows.
fn rows<'a>(
    report: &mut Report,
    path: &str,
    table: &TableSpec,
    events: &[NamedEvent<'a>],
) -> Option<&'a BTreeMap<String, ValueSpec>> {
    let name = table.rows.as_ref()?;
    let path = join(path, "rows");
    let mut fields: Option<&'a BTreeMap<String, ValueSpec>> = None;
    let mut is_known = false;
    for (event_name, event) in events {
        let Some(property) = event.properties.get(name) else {
            continue;
        };
        is_known = true;
        match property
            .items
            .as_deref()
            .filter(|items| property.kind == ValueKind::List && items.kind == ValueKind::Object)
        {
            None => report.add(
                &path,
                format!("`{name}` of event `{event_name}` is not a list of objects"),
            ),
            Some(items) => match fields {
                Some(other) if *other != items.properties => {
                    report.add(
                        &path,
                        format!("the items of `{name}` differ between the events of this table"),
                    );
                }
                _ => fields = Some(&items.properties),
            },
        }
    }
    if !is_known && !events.is_empty() {
        let known = events
            .iter()
            .flat_map(|(_, event)| super::keys(&event.properties));
        report.add(
            path,
            format!(
                "no event of this table has a property `{name}`{}",
                did_you_mean(name, known)
            ),
        );
    }
    fields
}

fn columns(
    report: &mut Report,
    path: &str,
    table: &TableSpec,
    events: &[NamedEvent<'_>],
    rows: Option<&BTreeMap<String, ValueSpec>>,
) -> Vec<Column> {
    if table.columns.is_empty() {
        report.add(join(path, "columns"), "a table needs at least one column");
    }
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut columns = Vec::new();
    for (index, spec) in table.columns.iter().enumerate() {
        let path = format!("{path}.columns[{index}]");
        names::hyphenated(report, &join(&path, "name"), "column", &spec.name);
        let name = spec.name.to_ascii_lowercase();
        if let Some(other) = taken.insert(name.clone(), index) {
            report.add(
                join(&path, "name"),
                format!(
                    "column `{}` is column {other} already, since SQL does not tell letter case",
                    spec.name
                ),
            );
            continue;
        }
        let Some((source, source_kind)) = source(report, &path, table, spec, events, rows) else {
            continue;
        };
        if let Some(kind) = column_kind(report, &path, spec, &source, source_kind) {
            columns.push(Column {
                name,
                kind,
                source,
                description: spec.description.clone(),
            });
        }
    }
    columns
}

/// Where a column's value comes from, and of which kind it is there.
fn source(
    report: &mut Report,
    path: &str,
    table: &TableSpec,
    column: &ColumnSpec,
    events: &[NamedEvent<'_>],
    rows: Option<&BTreeMap<String, ValueSpec>>,
) -> Option<(ColumnSource, ValueKind)> {
    let wanted = column.field.as_deref().unwrap_or(&column.name);
    let place = join(
        path,
        if column.field.is_some() {
            "field"
        } else {
            "name"
        },
    );
    if let Some(list) = &table.rows
        && let Some(field) = wanted
            .strip_prefix(list.as_str())
            .and_then(|rest| rest.strip_prefix('.'))
    {
        let Some(spec) = rows?.get(field) else {
            let hint = did_you_mean(field, super::keys(rows?));
            report.add(
                place,
                format!("the items of `{list}` have no field `{field}`{hint}"),
            );
            return None;
        };
        return Some((ColumnSource::RowItem(field.to_owned()), spec.kind));
    }
    let mut found: Option<(&str, ValueKind)> = None;
    for (event, spec) in events {
        let Some(property) = spec.properties.get(wanted) else {
            continue;
        };
        match found {
            Some((other, kind)) if kind != property.kind => {
                let message = format!(
                    "`{wanted}` is {} in event `{event}`, but {} in event `{other}`",
                    property.kind.name(),
                    kind.name()
                );
                report.add(&place, message);
            }
            _ => found = Some((event, property.kind)),
        }
    }
    if let Some((_, kind)) = found {
        return Some((ColumnSource::Property(wanted.to_owned()), kind));
    }
    envelope(wanted, column.field.is_none()).or_else(|| {
        if events.is_empty() {
            return None;
        }
        let known = events
            .iter()
            .flat_map(|(_, event)| super::keys(&event.properties));
        let hint = did_you_mean(wanted, known.chain(ENVELOPE.iter().map(|(name, _)| *name)));
        report.add(
            place,
            format!("no event of this table has a property `{wanted}`{hint}"),
        );
        None
    })
}

fn envelope(wanted: &str, by_column_name: bool) -> Option<(ColumnSource, ValueKind)> {
    let more: &[(&str, ColumnSource)] = if by_column_name {
        &ENVELOPE_COLUMNS
    } else {
        &[]
    };
    // Names of columns are folded; those of fields are exact.
    let fits = |name: &str| {
        if by_column_name {
            name.eq_ignore_ascii_case(wanted)
        } else {
            name == wanted
        }
    };
    let (_, source) = ENVELOPE.iter().chain(more).find(|(name, _)| fits(name))?;
    let kind = if *source == ColumnSource::EventTime {
        ValueKind::Timestamp
    } else {
        ValueKind::String
    };
    Some((source.clone(), kind))
}

fn column_kind(
    report: &mut Report,
    path: &str,
    column: &ColumnSpec,
    source: &ColumnSource,
    source_kind: ValueKind,
) -> Option<ColumnKind> {
    let kind = column.kind.unwrap_or(source_kind);
    // A number column takes integers; nothing else is converted.
    let fits =
        kind == source_kind || (kind == ValueKind::Number && source_kind == ValueKind::Integer);
    if !fits {
        let from = match source {
            ColumnSource::Property(name) => format!("property `{name}`"),
            ColumnSource::RowItem(name) => format!("field `{name}` of the row's item"),
            _ => format!(
                "the event's `{}`",
                column.field.as_ref().unwrap_or(&column.name)
            ),
        };
        report.add(
            join(path, "type"),
            format!(
                "the column is {}, but {from} is {}",
                kind.name(),
                source_kind.name()
            ),
        );
        return None;
    }
    Some(match kind {
        ValueKind::Integer => ColumnKind::Integer,
        ValueKind::Number => ColumnKind::Number,
        ValueKind::String => ColumnKind::String,
        ValueKind::Boolean => ColumnKind::Boolean,
        ValueKind::Timestamp => ColumnKind::Timestamp,
        ValueKind::List | ValueKind::Map | ValueKind::Object | ValueKind::Bag => ColumnKind::Json,
    })
}
