//! The part on where events land, and how to count and sum without counting twice.

use std::fmt::Write as _;

use super::line;
use super::text::{Table as Grid, code, sentence};
use crate::definition::Game;
use crate::definition::game::{Column, ColumnKind, ColumnSource, Table};
use crate::definition::system;

pub(super) fn section(page: &mut String, game: &Game) {
    line!(page, "## Tables\n");
    for table in game.tables() {
        self::table(page, &game.schema_name(), table);
    }
    line!(page, "### Tables that every game has\n");
    let mut grid = Grid::new(&["table", "what a row is"]);
    grid.row([
        code(system::BAD_EVENTS),
        "A record that can't be a row, with the reason. Nothing is dropped.".to_owned(),
    ]);
    for table in [system::rejected_actions(), system::other_events()] {
        grid.row([code(&table.name), table.description.unwrap_or_default()]);
    }
    grid.row([
        code(system::EPOCHS),
        "A landing round: the resume point and the audit trail.".to_owned(),
    ]);
    grid.write(page);
    line!(
        page,
        "In the schema `{}_raw` every table has these columns besides: `_event_id`, `_event_time`, `_event_date`, \
         `_partition`, `_offset`, and `_extra` with the fields that no column takes.\n",
        game.schema_name()
    );
}

fn table(page: &mut String, schema: &str, table: &Table) {
    line!(page, "### {}\n", code(&table.name));
    if let Some(description) = &table.description {
        line!(page, "{}\n", sentence(description));
    }
    let events: Vec<String> = table.events.iter().map(|name| code(name)).collect();
    line!(page, "Rows come from {}.\n", events.join(", "));
    let mut columns = Grid::new(&["column", "type", "source", "meaning"]);
    for column in &table.columns {
        let meaning = column.description.clone().unwrap_or_default();
        columns.row([
            code(&column.name),
            kind(column.kind).to_owned(),
            source(table, column),
            meaning,
        ]);
    }
    columns.write(page);
    if let Some(list) = &table.rows {
        how_to_sum(page, schema, table, list);
    }
}

/// A table with a row per item repeats what belongs to the event.
fn how_to_sum(page: &mut String, schema: &str, table: &Table, list: &str) {
    line!(
        page,
        "An event makes one row per item of {}, and one row with nulls when there is none. The other columns repeat on each of \
         them, so sum and count those once per event.",
        code(list)
    );
    // An example makes sense with a quantity: an id is a number that nobody sums.
    let repeated = table.columns.iter().rev().find(|column| {
        matches!(column.kind, ColumnKind::Integer | ColumnKind::Number)
            && !matches!(column.source, ColumnSource::RowItem(_))
            && !column.name.ends_with("id")
    });
    line!(page);
    if let Some(column) = repeated {
        line!(
            page,
            "```sql\nselect sum({name}) from (select distinct _event_id, {name} from {schema}_raw.{table}) as once_per_event\n```\n",
            name = identifier(&column.name),
            table = table.name
        );
    }
}

/// A column's name as SQL takes it.
fn identifier(name: &str) -> String {
    if name.contains('-') {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

fn kind(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Integer => "bigint",
        ColumnKind::Number => "double",
        ColumnKind::String => "varchar",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Timestamp => "timestamp(6)",
        ColumnKind::Json => "varchar (JSON)",
    }
}

fn source(table: &Table, column: &Column) -> String {
    match &column.source {
        ColumnSource::Property(name) => code(name),
        ColumnSource::RowItem(field) => code(&format!(
            "{}.{field}",
            table.rows.as_deref().unwrap_or_default()
        )),
        ColumnSource::EventId => "the event's id".to_owned(),
        ColumnSource::EventType => "the event's name".to_owned(),
        ColumnSource::EventTime => "when it happened".to_owned(),
        ColumnSource::Host => "the header `Host`".to_owned(),
        ColumnSource::UserAgent => "the header `User-Agent`".to_owned(),
        ColumnSource::Accept => "the header `Accept`".to_owned(),
        ColumnSource::RawEvent => "the event as JSON".to_owned(),
    }
}
