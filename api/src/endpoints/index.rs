//! `GET /`: what can be called here, as text.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;

use crate::Api;

pub(crate) async fn handle(State(api): State<Arc<Api>>) -> String {
    let mut text = format!(
        "gamepipe API of the game {}\n\nThe game:\n",
        api.game.name()
    );
    let mut has_routes = false;
    for action in api.game.actions() {
        for route in action.routes() {
            has_routes = true;
            let params: Vec<&str> = action.params().keys().map(String::as_str).collect();
            let _ = writeln!(
                text,
                "  {:<6} {}  {}",
                route.method,
                route.path,
                params.join(", ")
            );
        }
    }
    if !has_routes {
        text.push_str("  no routes of its own; every action is called by its name, as below\n");
    }
    let names: Vec<&str> = api.game.actions().map(|action| action.name()).collect();
    let types: Vec<&str> = api.game.entities().keys().map(String::as_str).collect();
    let _ = write!(
        text,
        "\nEvery game:\n\
         \x20 POST   /v1/actions/ACTION       with JSON parameters: {}\n\
         \x20 POST   /v1/events               events of clients\n\
         \x20 GET    /v1/entities/TYPE/KEY    state: {}\n\
         \x20 GET    /v1/game                 the definition\n\
         \x20 GET    /v1/log                  the event log's offsets; /v1/log/PARTITION?from=OFFSET its records\n\
         \x20 GET    /openapi.json            all of this for programs\n\
         \x20 GET    /livez /readyz /metrics\n\
         \nSQL is another endpoint, usually on port 8080.\n",
        names.join(", "),
        types.join(", "),
    );
    text
}
