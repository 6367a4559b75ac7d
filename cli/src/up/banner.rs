//! What a started pipeline says: what runs where, and what to try next.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use gamepipe_config::api::ApiConfig;
use gamepipe_config::sql::SqlConfig;
use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::document::{ValueKind, ValueSpec};
use gamepipe_domain::definition::game::Action;
use serde_json::{Value, json};

use crate::client::percent_encode;
use crate::simulate::histogram::human;
use crate::terminal::Paint;

/// How many of the game's actions are shown as curl lines.
const MAX_CURLS: usize = 3;

/// Where things are.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    pub(crate) api: SocketAddr,
    pub(crate) sql: SocketAddr,
    pub(crate) data: &'a Path,
}

/// The text.
pub(crate) fn render(
    game: &Game,
    places: &Places<'_>,
    started_in: Duration,
    paint: Paint,
) -> String {
    let (api, sql) = (url(places.api), url(places.sql));
    let mut text = String::new();
    let title = format!("The game {} is up", game.name());
    let _ = writeln!(text, "{} ({})\n", paint.bold(&title), human(started_in));
    let _ = writeln!(
        text,
        "  API   {}  the game's routes, /v1/events, /openapi.json, /metrics",
        paint.accent(&api)
    );
    let _ = writeln!(
        text,
        "  SQL   {}  /sql, /queries, the Trino protocol",
        paint.accent(&sql)
    );
    let _ = writeln!(
        text,
        "  Data  {}  Delta tables in {}\n",
        places.data.display(),
        places.data.join("lake").display()
    );
    let _ = writeln!(text, "Try:");
    for line in curls(game, &api) {
        let _ = writeln!(text, "  {line}");
    }
    let default_api = format!("http://{}", ApiConfig::default().listen);
    let default_sql = format!("http://{}", SqlConfig::default().listen);
    let at_api = if api == default_api {
        String::new()
    } else {
        format!(" --api {api}")
    };
    let at_sql = if sql == default_sql {
        String::new()
    } else {
        format!(" --sql {sql}")
    };
    if let Some(table) = game.tables().first() {
        let _ = writeln!(
            text,
            "  gamepipe sql{at_sql} 'select * from {} limit 5'",
            table.name
        );
    }
    let _ = writeln!(text, "  gamepipe play{at_api}{at_sql}");
    let _ = writeln!(text, "  gamepipe report{at_sql} -o report.html");
    let _ = writeln!(
        text,
        "  trino --server {sql} --catalog hive --schema default"
    );
    let _ = write!(
        text,
        "\n{}",
        paint.dim("Ctrl-C stops; what was acknowledged lands first.")
    );
    text
}

/// The address that a client on this machine can use: a listener on every address is reached by the loopback's.
pub(crate) fn url(address: SocketAddr) -> String {
    let reachable = if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    };
    format!("http://{reachable}")
}

/// Calls of the game's own routes, those of the simulation's setup first.
fn curls(game: &Game, api: &str) -> Vec<String> {
    let simulation = game.simulation();
    let named = simulation
        .into_iter()
        .flat_map(|simulation| simulation.setup.iter().chain(&simulation.steps));
    let mut actions: Vec<&Action> = Vec::new();
    for action in named
        .filter_map(|step| game.action(&step.action))
        .chain(game.actions())
    {
        if !actions.iter().any(|known| known.name() == action.name()) {
            actions.push(action);
        }
    }
    actions
        .into_iter()
        .filter_map(|action| curl(game, action, api))
        .take(MAX_CURLS)
        .collect()
}

fn curl(game: &Game, action: &Action, api: &str) -> Option<String> {
    let mut params = Vec::new();
    for (name, spec) in action.params() {
        if spec.default.is_none() && !spec.nullable {
            params.push((name.as_str(), sample(game, name, spec)?));
        }
    }
    let get = action.routes().iter().find(|route| route.method == "GET");
    if let Some(route) = get {
        let pairs: Vec<String> = params
            .iter()
            .map(|(name, value)| {
                format!(
                    "{name}={}",
                    percent_encode(value.as_str().unwrap_or(&value.to_string()))
                )
            })
            .collect();
        let query = if pairs.is_empty() {
            String::new()
        } else {
            format!("?{}", pairs.join("&"))
        };
        return Some(format!("curl '{api}{}{query}'", route.path));
    }
    let route = action.routes().first()?;
    let body: serde_json::Map<String, Value> = params
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let body = Value::Object(body).to_string().replace('\'', "'\\''");
    let method = if route.method == "POST" {
        String::new()
    } else {
        format!("-X {} ", route.method)
    };
    Some(format!(
        "curl {method}-H 'content-type: application/json' -d '{body}' {api}{}",
        route.path
    ))
}

/// A value that the game is likely to take; `None` for what is too intricate for an example.
fn sample(game: &Game, name: &str, spec: &ValueSpec) -> Option<Value> {
    if let Some(allowed) = spec.allowed.as_ref().and_then(|allowed| allowed.first()) {
        return Some(allowed.clone());
    }
    match spec.kind {
        ValueKind::String => {
            let catalogs = &game.document().spec.catalogs;
            let items = catalogs
                .get(name)
                .or_else(|| catalogs.get(&format!("{name}s")));
            let item = items.and_then(|items| items.keys().next());
            Some(json!(item.map_or("ann", String::as_str)))
        }
        ValueKind::Integer | ValueKind::Number => Some(json!(
            spec.minimum.map_or(1.0, |minimum| minimum.max(1.0)).ceil() as i64
        )),
        ValueKind::Boolean => Some(json!(true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Places, render};
    use crate::terminal::Paint;

    #[test]
    fn every_reference_game_says_where_it_is_and_what_to_try() {
        let mut text = String::new();
        for name in ["arena", "guild", "market", "quest", "trade"] {
            let game = crate::games::load(name).expect("a reference game");
            let (api, sql) = (
                "127.0.0.1:5000".parse().expect("valid"),
                "0.0.0.0:8081".parse().expect("valid"),
            );
            let places = Places {
                api,
                sql,
                data: Path::new(".gamepipe/x"),
            };
            text.push_str(&render(
                &game,
                &places,
                Duration::from_millis(321),
                Paint::never(),
            ));
            text.push_str("\n----\n");
        }
        insta::assert_snapshot!(text);
    }
}
