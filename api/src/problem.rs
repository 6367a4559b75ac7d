//! The one map from what can go wrong to what a client sees: RFC 9457 problems with a stable `code`.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gamepipe_domain::definition::game::ParamProblem;
use gamepipe_domain::rules::{Refusal, RefusalKind};
use gamepipe_eventlog::LogError;
use gamepipe_state::StateError;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

pub mod codes;

use codes::Code;

/// The media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What `Retry-After` says, in seconds. A commit takes milliseconds and a restart about one second, so the shortest
/// delay that the header can express is right.
pub const RETRY_AFTER_SECONDS: &str = "1";

/// A problem as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Parts>);

/// Boxed, since results carry a problem everywhere and hardly ever hold one.
#[derive(Debug, Clone, PartialEq)]
struct Parts {
    status: StatusCode,
    code: Cow<'static, str>,
    title: &'static str,
    detail: String,
    pointer: Option<String>,
    members: Vec<(&'static str, Value)>,
    allow: Option<HeaderValue>,
}

impl Problem {
    /// A problem of a known code; `detail` says which thing, with which value.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::of(code.status, code.name, code.title, detail.into())
    }

    fn of(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        title: &'static str,
        detail: String,
    ) -> Self {
        let code = code.into();
        Self(Box::new(Parts {
            status,
            code,
            title,
            detail,
            pointer: None,
            members: Vec::new(),
            allow: None,
        }))
    }

    /// With a member of its own, such as `near`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.0.members.push((name, value));
        self
    }

    /// With the header `Allow`.
    #[must_use]
    pub(crate) fn allowing(mut self, methods: HeaderValue) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The body.
    pub fn to_json(&self) -> Vec<u8> {
        let mut fields = serde_json::json!({
            "type": "about:blank",
            "title": self.0.title,
            "status": self.0.status.as_u16(),
            "code": self.0.code,
            "detail": self.0.detail,
        });
        if let Some(pointer) = &self.0.pointer {
            fields["pointer"] = Value::from(pointer.as_str());
        }
        for (name, value) in &self.0.members {
            fields[*name] = value.clone();
        }
        fields.to_string().into_bytes()
    }
}

impl From<ParamProblem> for Problem {
    /// Parameters of the wrong shape: 400, not recorded.
    fn from(problem: ParamProblem) -> Self {
        let known = codes::CODES.iter().find(|code| code.name == problem.code);
        let title = known.map_or("The request is refused", |code| code.title);
        let mut made = Self::of(StatusCode::BAD_REQUEST, problem.code, title, problem.detail);
        made.0.pointer = Some(problem.pointer);
        made
    }
}

impl From<&Refusal> for Problem {
    /// A refused action: recorded, so the client also gets the ids of its events.
    fn from(refusal: &Refusal) -> Self {
        let (status, title) = match refusal.kind {
            RefusalKind::UnknownEntity => (StatusCode::NOT_FOUND, codes::UNKNOWN_ENTITY.title),
            RefusalKind::NameTaken => (StatusCode::CONFLICT, codes::NAME_TAKEN.title),
            RefusalKind::Rule => (StatusCode::CONFLICT, "A rule of the game refuses it"),
        };
        Self::of(status, refusal.code.clone(), title, refusal.message.clone())
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Unavailable(_) | StateError::InUse { .. } => {
                Self::new(codes::UNAVAILABLE, error.to_string())
            }
            _ => internal(&error),
        }
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match &error {
            LogError::Unavailable(_) | LogError::Full { .. } | LogError::InUse { .. } => {
                Self::new(codes::UNAVAILABLE, error.to_string())
            }
            LogError::OutOfRange { low, high, .. } => {
                let (low, high) = (*low, *high);
                Self::new(codes::OFFSET_OUT_OF_RANGE, error.to_string())
                    .with("low", low.into())
                    .with("high", high.into())
            }
            _ => internal(&error),
        }
    }
}

/// A fault of ours: the log has the facts, the client only learns that it happened.
fn internal(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a request failed");
    Problem::new(
        codes::INTERNAL,
        "the server could not answer; its log says why",
    )
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Bytes::from(self.to_json()).into());
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if self.0.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from_static(RETRY_AFTER_SECONDS),
            );
        }
        if self.0.status == StatusCode::UNSUPPORTED_MEDIA_TYPE
            && self.0.code == codes::UNSUPPORTED_ENCODING.name
        {
            headers.insert(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("gzip, zstd"),
            );
        }
        if let Some(methods) = self.0.allow {
            headers.insert(header::ALLOW, methods);
        }
        response
    }
}
