//! The table of contents of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use gamepipe_domain::definition::Game;
use http::{HeaderValue, Method};

use crate::endpoints::{
    actions, entities, events, game, game_route, index, log, log_partition, not_found,
};
use crate::{Api, guard, openapi};

/// gamepipe's own routes: methods and templates.
pub(crate) const OWN_ROUTES: [(&str, &str); 7] = [
    ("POST", "/v1/actions/{action}"),
    ("POST", "/v1/events"),
    ("GET", "/v1/entities/{type}/{key}"),
    ("GET", "/v1/game"),
    ("GET", "/v1/log"),
    ("GET", "/v1/log/{partition}"),
    ("GET", "/openapi.json"),
];

/// All routes of `api`.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    let document = openapi::document(&api.game).to_string();
    let mut router = Router::new()
        .route("/v1/actions/{action}", post(actions::handle))
        .route("/v1/events", post(events::handle))
        .route("/v1/entities/{type}/{key}", get(entities::handle))
        .route("/v1/game", get(game::handle))
        .route("/v1/log", get(log::handle))
        .route("/v1/log/{partition}", get(log_partition::handle))
        .route(
            "/openapi.json",
            get(async move || crate::answer::json(document.clone())),
        );
    // A game may have a start page of its own.
    if api.routes.game_routes().all(|route| route.path != "/") {
        router = router.route("/", get(index::handle));
    }
    for route in api.routes.game_routes() {
        let path = route.path.clone();
        router = router.route(
            &path,
            any(async move |state, request| game_route::handle(state, &route, request).await),
        );
    }
    router
        .fallback(not_found::unknown_route)
        .method_not_allowed_fallback(not_found::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(api), guard::guard))
        .with_state(Arc::clone(api))
        // Probes are answered whatever the load: they are not behind the guard.
        .merge(api.probes.router())
}

/// The routes of one game, in the forms that others need.
#[derive(Debug)]
pub(crate) struct RouteTable {
    game: Vec<Arc<GameRoute>>,
}

/// One path of the game's own, with what it does for each method.
#[derive(Debug)]
pub(crate) struct GameRoute {
    pub(crate) path: String,
    /// Method to action.
    pub(crate) actions: Vec<(Method, String)>,
    /// What the header `Allow` says.
    pub(crate) allow: HeaderValue,
}

impl RouteTable {
    pub(crate) fn of(game: &Game) -> Self {
        let mut paths: BTreeMap<&str, Vec<(Method, String)>> = BTreeMap::new();
        for action in game.actions() {
            for route in action.routes() {
                let method = Method::from_bytes(route.method.as_bytes()).unwrap_or(Method::GET);
                paths
                    .entry(&route.path)
                    .or_default()
                    .push((method, action.name().to_owned()));
            }
        }
        let game = paths
            .into_iter()
            .map(|(path, actions)| {
                let names: Vec<&str> = actions
                    .iter()
                    .map(|(method, _)| method.as_str())
                    .chain(["OPTIONS"])
                    .collect();
                let allow = HeaderValue::try_from(names.join(","))
                    .unwrap_or(HeaderValue::from_static("GET"));
                Arc::new(GameRoute {
                    path: path.to_owned(),
                    actions,
                    allow,
                })
            })
            .collect();
        Self { game }
    }

    fn game_routes(&self) -> impl Iterator<Item = Arc<GameRoute>> {
        self.game.iter().cloned()
    }

    /// The templates of all routes: the closed set of labels for metrics.
    pub(crate) fn templates(&self) -> impl Iterator<Item = String> {
        let own = OWN_ROUTES
            .iter()
            .map(|(_, template)| (*template).to_owned());
        self.game.iter().map(|route| route.path.clone()).chain(own)
    }

    /// All routes as `GET /path`, for people who have mistyped one.
    pub(crate) fn listing(&self) -> impl Iterator<Item = String> {
        let own = OWN_ROUTES
            .iter()
            .map(|(method, template)| format!("{method} {template}"));
        self.game
            .iter()
            .flat_map(|route| {
                route
                    .actions
                    .iter()
                    .map(|(method, _)| format!("{method} {}", route.path))
            })
            .chain(own)
    }
}
