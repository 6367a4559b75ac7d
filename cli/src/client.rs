//! A small HTTP client for one request at a time: SQL, the log, the game's description.
//! (Simulated players have their own, cheaper connections: `simulate::connection`.)

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, TE};
use http::uri::Scheme;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::exit::Usage;

/// How long to wait for a connection: every endpoint is on this machine or near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The endpoints of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The game's API.
    Api,
    /// The SQL endpoint.
    Sql,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "the API",
            Self::Sql => "the SQL endpoint",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Api => Self::Sql,
            Self::Sql => Self::Api,
        }
    }

    /// Where it is unless told otherwise.
    fn port(self) -> u16 {
        match self {
            Self::Api => 5000,
            Self::Sql => 8080,
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Api => "--api",
            Self::Sql => "--sql",
        }
    }

    /// A path that it serves and the other does not.
    fn own_path(self) -> &'static str {
        match self {
            Self::Api => "/v1/game",
            Self::Sql => "/v1/info",
        }
    }
}

/// A client of one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    role: Role,
    base: String,
    inner: HyperClient<HttpConnector, Full<Bytes>>,
}

/// An answer that is not 2xx.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// A stable code.
    pub(crate) code: String,
    /// For people.
    pub(crate) detail: String,
    /// The line of the SQL text, from 1.
    pub(crate) line: Option<usize>,
    /// The column in that line, from 1.
    pub(crate) column: Option<usize>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.detail.is_empty(), self.code.is_empty()) {
            (false, false) => write!(out, "{} ({})", self.detail, self.code),
            (false, true) => write!(out, "{}", self.detail),
            (true, _) => write!(out, "HTTP status {} {}", self.status, self.code),
        }
    }
}

impl std::error::Error for Problem {}

impl Client {
    /// A client for `http://host:port`, `host:port` or `:port`.
    pub(crate) fn new(address: &str, role: Role) -> anyhow::Result<Self> {
        let base = base_url(address).ok_or_else(|| {
            Usage(format!(
                "{address:?} is no address of {}; expected one such as http://127.0.0.1:{}",
                role.name(),
                role.port()
            ))
        })?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        Ok(Self {
            role,
            base,
            inner: HyperClient::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// The endpoint's address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The host and port to connect to.
    pub(crate) fn authority(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Sends a request and gives the answer, whose body still streams. Not 2xx: a [`Problem`].
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Option<(&'static str, Bytes)>,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(ACCEPT, accept)
            // Why a long answer has ended early comes after it.
            .header(TE, "trailers");
        let mut bytes = Bytes::new();
        if let Some((content_type, content)) = body {
            request = request.header(CONTENT_TYPE, content_type);
            bytes = content;
        }
        let request = request
            .body(Full::new(bytes))
            .context("failed to build the request")?;
        let response = self
            .inner
            .request(request)
            .await
            .map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let text = response.into_body().collect().await?.to_bytes();
        if status == 404 && self.is_other().await {
            let (here, wanted) = (self.role.other(), self.role);
            return Err(Usage(format!(
                "{} is {}; {} is usually on port {}: {} 127.0.0.1:{}",
                self.base,
                here.name(),
                wanted.name(),
                wanted.port(),
                wanted.flag(),
                wanted.port()
            ))
            .into());
        }
        let mut problem = problem(status, &text);
        if problem.code.is_empty() {
            problem.detail = format!("{}{path}: {}", self.base, problem.detail);
        }
        Err(problem.into())
    }

    /// True when the other endpoint of a pipeline answers here.
    async fn is_other(&self) -> bool {
        let url = format!("{}{}", self.base, self.role.other().own_path());
        let Ok(request) = Request::builder().uri(url).body(Full::new(Bytes::new())) else {
            return false;
        };
        let answer = self.inner.request(request).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// GET, and the whole answer as JSON.
    pub(crate) async fn get_json<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
    ) -> anyhow::Result<T> {
        let response = self
            .send(Method::GET, path, "application/json", None)
            .await?;
        let text = response
            .into_body()
            .collect()
            .await
            .context("the answer was cut off")?
            .to_bytes();
        serde_json::from_slice(&text)
            .with_context(|| format!("{}{path} sent something unexpected", self.base))
    }

    /// GET, and the whole answer as text.
    pub(crate) async fn get_text(&self, path: &str, accept: &'static str) -> anyhow::Result<Bytes> {
        let response = self.send(Method::GET, path, accept, None).await?;
        Ok(response
            .into_body()
            .collect()
            .await
            .context("the answer was cut off")?
            .to_bytes())
    }

    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> anyhow::Error {
        if error.is_connect() {
            anyhow::anyhow!(
                "nothing answers at {}; start it with `gamepipe up`, or name another address",
                self.base
            )
        } else {
            anyhow::anyhow!("the connection to {} failed: {error}", self.base)
        }
    }
}

/// The problem behind an answer that is not 2xx.
pub(crate) fn problem(status: u16, body: &[u8]) -> Problem {
    let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    problem.status = status;
    if problem.detail.is_empty() && problem.code.is_empty() {
        let text = String::from_utf8_lossy(body);
        problem.detail = format!("HTTP status {status}: {}", text.trim());
    }
    problem
}

fn base_url(address: &str) -> Option<String> {
    let text = address.trim().trim_end_matches('/');
    let text = match text.strip_prefix(':') {
        Some(port) => format!("http://127.0.0.1:{port}"),
        None if text.contains("://") => text.to_owned(),
        None => format!("http://{text}"),
    };
    let uri: Uri = text.parse().ok()?;
    let plain = uri.scheme() == Some(&Scheme::HTTP) && uri.path().trim_matches('/').is_empty();
    let authority = uri.authority()?;
    plain.then(|| match authority.port() {
        Some(_) => format!("http://{authority}"),
        None => format!("http://{authority}:80"),
    })
}

/// Percent-encodes a part of a query string or path.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Reads a body line by line; `each` gets every line without its end, and may stop the reading with an error.
pub(crate) async fn each_line(
    mut body: Incoming,
    mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.context("the answer was cut off")?.into_data() else {
            continue;
        };
        let mut data: &[u8] = &data;
        while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            let (line, after) = data.split_at(end);
            data = after.get(1..).unwrap_or_default();
            if rest.is_empty() {
                each(line)?;
            } else {
                rest.extend_from_slice(line);
                each(&std::mem::take(&mut rest))?;
            }
        }
        rest.extend_from_slice(data);
        if rest.len() > MAX_LINE_BYTES {
            bail!("the answer has a line of more than {MAX_LINE_BYTES} bytes");
        }
    }
    if rest.is_empty() { Ok(()) } else { each(&rest) }
}

/// The longest line of an answer: far above the largest event (64 KiB), so that a wrong server can't fill the memory.
const MAX_LINE_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::{base_url, percent_encode, problem};

    #[test]
    fn addresses_may_be_short() {
        assert_eq!(base_url(":5000").as_deref(), Some("http://127.0.0.1:5000"));
        assert_eq!(
            base_url("localhost:5000/").as_deref(),
            Some("http://localhost:5000")
        );
        assert_eq!(
            base_url("http://game.example").as_deref(),
            Some("http://game.example:80")
        );
        assert_eq!(base_url("https://game.example"), None, "there is no TLS");
        assert_eq!(base_url("http://game.example/path"), None);
        assert_eq!(base_url("not an address"), None);
    }

    #[test]
    fn percent_encoding_leaves_only_unreserved_characters() {
        assert_eq!(percent_encode("a b&c=ü~"), "a%20b%26c%3D%C3%BC~");
    }

    #[test]
    fn a_problem_without_json_tells_status_and_text() {
        assert_eq!(
            problem(502, b"bad gateway\n").to_string(),
            "HTTP status 502: bad gateway"
        );
        let told = problem(
            400,
            br#"{"code":"SYNTAX_ERROR","detail":"mismatched input","line":1,"column":8}"#,
        );
        assert_eq!(told.to_string(), "mismatched input (SYNTAX_ERROR)");
        assert_eq!((told.line, told.column), (Some(1), Some(8)));
    }
}
