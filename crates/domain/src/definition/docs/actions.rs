//! The part on what players can do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::line;
use super::text::{Table, code, expression, sentence, value_type};
use crate::definition::Game;
use crate::definition::document::{ActionSpec, CaseSpec, Exists, Expr};

pub(super) fn section(page: &mut String, game: &Game) {
    let actions = &game.document().spec.actions;
    if actions.is_empty() {
        return;
    }
    line!(page, "## Actions\n");
    line!(
        page,
        "Each is one step: state and events change together or not at all. A refused action changes nothing and is a row of \
         `rejected_actions`.\n"
    );
    for (name, action) in actions {
        line!(page, "### {}\n", code(name));
        if let Some(description) = &action.description {
            line!(page, "{}\n", sentence(description));
        }
        let routes = action
            .routes
            .iter()
            .map(|route| code(&format!("{} {}", route.method, route.path)));
        let own = code(&format!("POST /v1/actions/{name}"));
        line!(
            page,
            "Routes: {}\n",
            routes.chain([own]).collect::<Vec<_>>().join(", ")
        );
        params(page, action);
        entities(page, action);
        conditions(page, action);
        outcomes(page, action);
    }
}

fn params(page: &mut String, action: &ActionSpec) {
    let mut table = Table::new(&["parameter", "type", "required", "meaning"]);
    for (name, spec) in &action.params {
        let required = if spec.is_required() { "yes" } else { "no" };
        let meaning = spec.description.clone().unwrap_or_default();
        table.row([code(name), value_type(spec), required.to_owned(), meaning]);
    }
    table.write(page);
}

fn entities(page: &mut String, action: &ActionSpec) {
    let mut table = Table::new(&["entity", "type", "key", "exists"]);
    for (name, reference) in &action.entities {
        let exists = match reference.exists {
            Exists::Must => "must",
            Exists::MustNot => "must not: it is created",
            Exists::Any => "is created when it does not",
        };
        for (entity_type, key) in &reference.target {
            table.row([
                code(name),
                code(entity_type),
                code(&expression(key)),
                exists.to_owned(),
            ]);
        }
    }
    table.write(page);
}

fn conditions(page: &mut String, action: &ActionSpec) {
    let mut table = Table::new(&["condition", "else", "status"]);
    for (requirements, status) in [(&action.validate, "400"), (&action.require, "409")] {
        for requirement in requirements {
            table.row([
                code(&expression(&requirement.rule)),
                code(&requirement.code),
                status.to_owned(),
            ]);
        }
    }
    table.write(page);
    let mut values = Table::new(&["value", "is"]);
    for (name, value) in &action.bindings {
        values.row([code(name), code(&expression(value))]);
    }
    values.write(page);
}

fn outcomes(page: &mut String, action: &ActionSpec) {
    let mut table = Table::new(&["when", "changes", "records"]);
    for case in &action.cases {
        let when = match &case.when {
            Some(when) => code(&expression(when)),
            None if action.cases.len() == 1 => "always".to_owned(),
            None => "else".to_owned(),
        };
        let events: Vec<String> = case.emit.iter().map(|emit| code(&emit.event)).collect();
        table.row([when, changes(case), events.join(", ")]);
    }
    table.write(page);
}

fn changes(case: &CaseSpec) -> String {
    let moves = case.transfer.iter().flat_map(|transfer| {
        transfer.fields.iter().map(move |(field, amount)| {
            let (amount, field) = (code(&expression(amount)), code(field));
            format!(
                "{amount} of {field} from {} to {}",
                code(&transfer.from),
                code(&transfer.to)
            )
        })
    });
    let all: Vec<String> = effects("=", &case.set)
        .chain(effects("+=", &case.add))
        .chain(moves)
        .collect();
    all.join(", ")
}

fn effects<'a>(
    sign: &'static str,
    entities: &'a BTreeMap<String, BTreeMap<String, Expr>>,
) -> impl Iterator<Item = String> + 'a {
    entities.iter().flat_map(move |(entity, fields)| {
        fields.iter().map(move |(field, value)| {
            code(&format!("{entity}.{field} {sign} {}", expression(value)))
        })
    })
}
