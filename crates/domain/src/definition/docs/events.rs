//! The part on what is recorded.

use std::fmt::Write as _;

use super::line;
use super::text::{Table, code, sentence, value_type};
use crate::definition::Game;
use crate::definition::document::CaseSpec;
use crate::definition::game::EventType;
use crate::definition::system::OTHER_EVENTS;

pub(super) fn section(page: &mut String, game: &Game) {
    if game.events().next().is_none() {
        return;
    }
    line!(page, "## Events\n");
    line!(
        page,
        "Every event has an `event_id`, an `event_type`, an `event_time` and, when they are known, the request's `Host`, \
         `User-Agent` and `Accept`.\n"
    );
    for event in game.events() {
        line!(page, "### {}\n", code(&event.name));
        if let Some(description) = &event.description {
            line!(page, "{}\n", sentence(description));
        }
        line!(page, "- Recorded by: {}", origins(game, event));
        line!(page, "- Lands in: {}\n", tables(game, event));
        let mut properties = Table::new(&["property", "type", "required", "meaning"]);
        for (name, spec) in &event.properties {
            let required = if spec.is_required() { "yes" } else { "no" };
            let meaning = spec.description.clone().unwrap_or_default();
            properties.row([code(name), value_type(spec), required.to_owned(), meaning]);
        }
        properties.write(page);
    }
}

fn origins(game: &Game, event: &EventType) -> String {
    let emits = |case: &CaseSpec| case.emit.iter().any(|emit| emit.event == event.name);
    let actions = game
        .document()
        .spec
        .actions
        .iter()
        .filter(|(_, action)| action.cases.iter().any(emits));
    let mut origins: Vec<String> = actions.map(|(name, _)| code(name)).collect();
    if event.from_client {
        let key = event.key.as_deref().unwrap_or("context.host");
        origins.push(format!(
            "clients (`POST /v1/events`), with {} as its key",
            code(key)
        ));
    }
    if origins.is_empty() {
        "nothing".to_owned()
    } else {
        origins.join(", ")
    }
}

fn tables(game: &Game, event: &EventType) -> String {
    let takes = game
        .tables()
        .iter()
        .filter(|table| table.events.contains(&event.name));
    let tables: Vec<String> = takes.map(|table| code(&table.name)).collect();
    if tables.is_empty() {
        format!("{} (no declared table takes it)", code(OTHER_EVENTS))
    } else {
        tables.join(", ")
    }
}
