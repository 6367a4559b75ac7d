//! What a request for an action brings, whichever way it brings it.

use axum::body::Body;
use gamepipe_domain::JsonMap;
use gamepipe_domain::request::RequestContext;
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};

use crate::body::BodyLimits;
use crate::problem::{Problem, codes};
use crate::{json, query};

/// Parameters as they came: text from a query string and a form, values from a JSON body.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    pub(crate) text: Vec<(String, String)>,
    pub(crate) json: Option<JsonMap>,
}

impl Brought {
    /// Reads query and body: form or JSON.
    pub(crate) async fn read(
        limits: &BodyLimits,
        parts: &Parts,
        body: Body,
    ) -> Result<Self, Problem> {
        let mut text = query::pairs(parts.uri.query().unwrap_or_default().as_bytes())?;
        let body = limits.read(&parts.headers, body).await?;
        if body.bytes.is_empty() {
            return Ok(Self { text, json: None });
        }
        match media_type(&parts.headers).as_deref() {
            Some("application/x-www-form-urlencoded") => {
                text.extend(query::pairs(&body.bytes)?);
                Ok(Self { text, json: None })
            }
            Some(name) if is_json(name) => Ok(Self {
                text,
                json: Some(json::object(&body.bytes)?),
            }),
            // Scripts that don't say what they send mostly send JSON.
            None => Ok(Self {
                text,
                json: Some(json::object(&body.bytes)?),
            }),
            Some(other) => Err(Problem::new(
                codes::UNSUPPORTED_MEDIA_TYPE,
                format!(
                    "{other:?} is not supported here: send application/json or application/x-www-form-urlencoded"
                ),
            )),
        }
    }
}

/// The content type without its parameters, in lower case; `None` when there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(header::CONTENT_TYPE)?.as_bytes());
    let name = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    (!name.is_empty()).then_some(name)
}

/// True for `application/json` and its relatives.
pub(crate) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

/// The allow-listed context: `Host`, `User-Agent`, `Accept`, and nothing else.
pub(crate) fn context(parts: &Parts) -> RequestContext {
    let text = |name: HeaderName| {
        let value = parts.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    RequestContext {
        host: text(header::HOST)
            .or_else(|| {
                parts
                    .uri
                    .authority()
                    .map(|authority| authority.as_str().to_owned())
            })
            .filter(|host| !host.is_empty()),
        user_agent: text(header::USER_AGENT),
        accept: text(header::ACCEPT),
    }
}
