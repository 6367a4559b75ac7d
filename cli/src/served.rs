//! The game that a running API serves, with its whole definition.

use std::sync::Arc;

use anyhow::Context;
use gamepipe_domain::definition::Game;
use serde::Deserialize;
use serde_json::Value;

use crate::client::Client;

/// The answer of `GET /v1/game`, as far as it is needed.
#[derive(Debug, Deserialize)]
struct ServedGame {
    document: Value,
}

/// Asks the API for its game.
pub(crate) async fn game(api: &Client) -> anyhow::Result<Arc<Game>> {
    let served: ServedGame = api.get_json("/v1/game").await?;
    let no_files = |name: &str| Err(format!("{name} is not inlined"));
    let file = format!("{}/v1/game", api.base());
    let game = Game::load(&file, &served.document.to_string(), &no_files);
    Ok(Arc::new(game.context(
        "the API serves a game that this version of gamepipe does not understand",
    )?))
}
