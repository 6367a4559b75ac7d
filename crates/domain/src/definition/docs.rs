//! The tracking plan: what a game does, records and stores, as Markdown for people.

mod actions;
mod events;
mod tables;
mod text;

use std::fmt::Write as _;

use super::Game;
use text::{Table, code, sentence, value_type};

/// The whole plan of `game`, as one Markdown page.
pub fn markdown(game: &Game) -> String {
    let mut page = String::new();
    head(&mut page, game);
    entities(&mut page, game);
    catalogs(&mut page, game);
    actions::section(&mut page, game);
    events::section(&mut page, game);
    tables::section(&mut page, game);
    queries(&mut page, game);
    simulation(&mut page, game);
    page
}

/// Appends a line. Writing to a string can't fail.
macro_rules! line {
    ($page:expr) => { $page.push('\n') };
    ($page:expr, $($part:tt)*) => {{
        let _ = writeln!($page, $($part)*);
    }};
}
use line;

fn head(page: &mut String, game: &Game) {
    let spec = &game.document().spec;
    line!(page, "# {}", spec.title.as_deref().unwrap_or(game.name()));
    line!(page);
    if let Some(description) = &spec.description {
        line!(page, "{}", sentence(description));
        line!(page);
    }
    let mut facts = Table::new(&["game", &code(game.name())]);
    facts.row(["version".to_owned(), code(game.version())]);
    facts.row(["SQL schema".to_owned(), code(&game.schema_name())]);
    facts.row(["topic".to_owned(), code(&game.topic())]);
    facts.write(page);
}

fn entities(page: &mut String, game: &Game) {
    if game.entities().is_empty() {
        return;
    }
    line!(page, "## Entities\n");
    line!(page, "The state that the game keeps, one piece per key.\n");
    for (name, entity) in game.entities() {
        line!(page, "### {}\n", code(name));
        if let Some(description) = &entity.description {
            line!(page, "{}\n", sentence(description));
        }
        let mut fields = Table::new(&["field", "type", "meaning"]);
        for (field, spec) in &entity.state {
            fields.row([
                code(field),
                value_type(spec),
                spec.description.clone().unwrap_or_default(),
            ]);
        }
        fields.write(page);
    }
}

fn catalogs(page: &mut String, game: &Game) {
    let catalogs = &game.document().spec.catalogs;
    if catalogs.is_empty() {
        return;
    }
    line!(page, "## Catalogs\n");
    for (name, items) in catalogs {
        line!(page, "### {}\n", code(name));
        let fields: Vec<&str> = items
            .values()
            .next()
            .into_iter()
            .flatten()
            .map(|(field, _)| field.as_str())
            .collect();
        let mut table = Table::new(&[&[name.as_str()], fields.as_slice()].concat());
        for (item, values) in items {
            let cells = fields
                .iter()
                .map(|field| values.get(*field).map(text::plain).unwrap_or_default());
            table.row(std::iter::once(code(item)).chain(cells));
        }
        table.write(page);
    }
}

fn queries(page: &mut String, game: &Game) {
    if game.queries().is_empty() {
        return;
    }
    line!(page, "## Questions\n");
    for report in game.reports().values() {
        let listed: Vec<String> = report.queries.iter().map(|name| code(name)).collect();
        line!(page, "- **{}**: {}", report.title, listed.join(", "));
    }
    if !game.reports().is_empty() {
        line!(page);
    }
    for query in game.queries() {
        line!(page, "### {}\n", query.title);
        line!(page, "{}\n", code(&query.name));
        line!(page, "```sql\n{}\n```\n", query.sql);
    }
}

fn simulation(page: &mut String, game: &Game) {
    let Some(simulation) = game.simulation() else {
        return;
    };
    line!(page, "## Simulation\n");
    line!(
        page,
        "`gamepipe play` lets {} players act, unless told otherwise.\n",
        simulation.players
    );
    let mut steps = Table::new(&["when", "action", "how often", "parameters"]);
    let all = simulation
        .setup
        .iter()
        .map(|step| ("once", step))
        .chain(simulation.steps.iter().map(|step| ("then", step)));
    for (when, step) in all {
        let often = if when == "once" {
            String::new()
        } else {
            step.weight.to_string()
        };
        let params: Vec<String> = step
            .params
            .iter()
            .map(|(name, value)| code(&format!("{name}: {}", text::expression(value))))
            .collect();
        let action = if step.pair {
            format!("{} (two players)", code(&step.action))
        } else {
            code(&step.action)
        };
        steps.row([when.to_owned(), action, often, params.join(", ")]);
    }
    steps.write(page);
}

#[cfg(test)]
mod tests;
