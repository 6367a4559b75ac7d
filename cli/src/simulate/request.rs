//! From an action and its parameters to a request on the game's own route.

use bytes::Bytes;
use gamepipe_domain::JsonMap;
use gamepipe_domain::definition::game::Action;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::Value;

use super::connection::Answer;
use crate::client::percent_encode;

/// What simulated players call themselves.
const AGENT: &str = concat!("gamepipe-play/", env!("CARGO_PKG_VERSION"));

/// How an action is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    method: Method,
    path: String,
    /// True: a JSON body; false: a query string.
    json: bool,
    /// True for `/v1/actions/..`, whose answer has the game's reply inside.
    wrapped: bool,
}

impl Target {
    /// The game's own route that takes a body, else one that takes a query string where that can hold the parameters,
    /// else `/v1/actions`.
    pub(crate) fn of(action: &Action) -> Self {
        let with_body = |method: &str| matches!(method, "POST" | "PUT" | "PATCH");
        let own = |method: &str, path: &str, json| {
            Method::from_bytes(method.as_bytes())
                .ok()
                .map(|method| Self {
                    method,
                    path: path.to_owned(),
                    json,
                    wrapped: false,
                })
        };
        let route = action
            .routes()
            .iter()
            .find(|route| with_body(&route.method));
        if let Some(target) = route.and_then(|route| own(&route.method, &route.path, true)) {
            return target;
        }
        let scalars = action.params().values().all(|spec| {
            spec.items.is_none() && spec.values.is_none() && spec.properties.is_empty()
        });
        let route = action.routes().first().filter(|_| scalars);
        if let Some(target) = route.and_then(|route| own(&route.method, &route.path, false)) {
            return target;
        }
        Self {
            method: Method::POST,
            path: format!("/v1/actions/{}", action.name()),
            json: true,
            wrapped: true,
        }
    }

    /// The request; `host` is what its `Host` header says.
    pub(crate) fn request(
        &self,
        params: &JsonMap,
        host: &str,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let builder = Request::builder()
            .method(self.method.clone())
            .header(HOST, host)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "*/*");
        if self.json {
            let body = Value::Object(params.clone()).to_string();
            return builder
                .uri(self.path.as_str())
                .header(CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body)));
        }
        let query: Vec<String> = params
            .iter()
            .filter_map(|(name, value)| {
                let text = crate::results::text_of(value)?;
                Some(format!(
                    "{}={}",
                    percent_encode(name),
                    percent_encode(&text)
                ))
            })
            .collect();
        let uri = if query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, query.join("&"))
        };
        builder.uri(uri).body(Full::default())
    }

    /// The game's reply in an answer: JSON as such, text as a string.
    pub(crate) fn reply(&self, answer: &Answer) -> Value {
        let is_json = answer
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if !is_json {
            return Value::from(String::from_utf8_lossy(&answer.body).into_owned());
        }
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match value {
            Value::Object(mut fields) if self.wrapped => fields.remove("reply").unwrap_or_default(),
            value => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Target;

    fn params(value: Value) -> gamepipe_domain::JsonMap {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn an_action_is_called_on_its_own_route() {
        let game = crate::games::load("arena").expect("a reference game");
        let target = Target::of(game.action("attack").expect("an action of arena"));
        let request = target
            .request(&params(json!({"username": "a b"})), "localhost:5000")
            .expect("a request");
        assert_eq!(
            (
                request.method().as_str(),
                request.uri().to_string().as_str()
            ),
            ("POST", "/attack")
        );
        let game = crate::games::load("trade").expect("a reference game");
        let target = Target::of(game.action("create_player").expect("an action of trade"));
        let request = target
            .request(&params(json!({})), "localhost")
            .expect("a request");
        assert_eq!(
            (request.method().as_str(), request.uri().path()),
            ("PUT", "/create_player")
        );
    }

    #[test]
    fn a_query_string_is_encoded_and_leaves_out_null() {
        let target = Target {
            method: http::Method::GET,
            path: "/dig".to_owned(),
            json: false,
            wrapped: false,
        };
        let request = target
            .request(&params(json!({"a": "x&y", "n": 5, "z": null})), "h")
            .expect("a request");
        assert_eq!(request.uri().to_string(), "/dig?a=x%26y&n=5");
    }
}
