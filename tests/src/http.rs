//! A blocking HTTP client that never turns a status into an error.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use ureq::Agent;

/// Keeps its connections open between requests.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    base: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| {
            format!(
                "status {} with a body that is not JSON: {}",
                self.status,
                self.text()
            )
        })
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The ids of the events that an action recorded.
    pub fn event_ids(&self) -> Vec<String> {
        let header = self.header("gamepipe-event-ids").unwrap_or_default();
        header
            .split(',')
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:5000`.
    pub fn new(base: &str) -> Self {
        Self::impatient(base, Duration::from_secs(60))
    }

    /// A client that gives up on a request after `limit`, for those who ask again.
    pub fn impatient(base: &str, limit: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(limit))
            .build();
        Self {
            agent: config.into(),
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Result<Reply> {
        self.get_with(path, &[])
    }

    /// `GET path` with headers.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.call()?)
    }

    /// `POST path` with a body of that content type.
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Reply> {
        self.send("POST", path, &[("content-type", content_type)], body)
    }

    /// `POST path` with JSON.
    pub fn post_json(&self, path: &str, body: &Value) -> Result<Reply> {
        self.post(path, "application/json", body.to_string().as_bytes())
    }

    /// Any method with headers and a body.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply> {
        let uri = format!("{}{path}", self.base);
        let mut request = match method {
            "PUT" => self.agent.put(uri),
            "PATCH" => self.agent.patch(uri),
            _ => self.agent.post(uri),
        };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send(body)?)
    }

    /// The rows that a query gives, through `POST /sql`.
    pub fn rows(&self, sql: &str) -> Result<Vec<Vec<Value>>> {
        let reply = self.post("/sql", "text/plain", sql.as_bytes())?;
        anyhow::ensure!(
            reply.status == 200,
            "{sql}: status {}: {}",
            reply.status,
            reply.text()
        );
        let value = reply.json()?;
        let rows = value["rows"]
            .as_array()
            .with_context(|| format!("{sql}: no rows in {value}"))?;
        Ok(rows
            .iter()
            .map(|row| row.as_array().cloned().unwrap_or_default())
            .collect())
    }

    /// The one value that a query gives.
    pub fn value(&self, sql: &str) -> Result<Value> {
        let rows = self.rows(sql)?;
        rows.first()
            .and_then(|row| row.first())
            .cloned()
            .with_context(|| format!("{sql}: no row"))
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Reply> {
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let status = response.status().as_u16();
    let body = response
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_vec()?;
    Ok(Reply {
        status,
        headers,
        body,
    })
}
