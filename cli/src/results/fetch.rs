//! `POST /sql` and `/queries`: how every command asks.

use anyhow::Context;
use bytes::Bytes;
use gamepipe_domain::definition::document::ChartSpec;
use http::{Method, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;

use super::ResultSet;
use crate::client::{Client, Problem, percent_encode};

/// An entry of `GET /queries`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NamedQuery {
    /// Its name.
    pub(crate) name: String,
    /// The question.
    pub(crate) title: String,
    /// The SQL.
    pub(crate) sql: String,
    /// How a report draws it; a table when absent.
    #[serde(default)]
    pub(crate) chart: Option<ChartSpec>,
}

/// An entry of `GET /reports`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NamedReport {
    /// Its name.
    pub(crate) name: String,
    /// Its title.
    pub(crate) title: String,
    /// What it tells.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// The names of its queries, in order.
    pub(crate) queries: Vec<String>,
}

/// Runs SQL and gives the whole result; more than `max_rows` rows are cut and marked.
pub(crate) async fn query(client: &Client, sql: &str, max_rows: u64) -> anyhow::Result<ResultSet> {
    let body = serde_json::json!({ "sql": sql, "max_rows": max_rows }).to_string();
    let response = client
        .send(
            Method::POST,
            "/sql",
            "application/json",
            Some(("application/json", Bytes::from(body))),
        )
        .await?;
    whole(response).await
}

/// Runs SQL and gives the streaming answer in the form that `accept` names, with as many rows as the server allows.
pub(crate) async fn stream(
    client: &Client,
    sql: &str,
    accept: &'static str,
) -> anyhow::Result<Response<Incoming>> {
    let body = Bytes::from(sql.to_owned());
    client
        .send(Method::POST, "/sql", accept, Some(("text/plain", body)))
        .await
}

/// Runs a named query.
pub(crate) async fn named(client: &Client, name: &str) -> anyhow::Result<ResultSet> {
    let path = format!("/queries/{}", percent_encode(name));
    whole(
        client
            .send(Method::GET, &path, "application/json", None)
            .await?,
    )
    .await
}

/// The game's named queries.
pub(crate) async fn queries(client: &Client) -> anyhow::Result<Vec<NamedQuery>> {
    client.get_json("/queries").await
}

/// The game's reports; none when the endpoint does not know them.
pub(crate) async fn reports(client: &Client) -> anyhow::Result<Vec<NamedReport>> {
    match client.get_json("/reports").await {
        Err(error)
            if error
                .downcast_ref::<Problem>()
                .is_some_and(|problem| problem.status == 404) =>
        {
            Ok(Vec::new())
        }
        other => other,
    }
}

/// The query behind an answer, by which [`failure`] asks what became of it.
pub(crate) fn query_id(response: &Response<Incoming>) -> Option<String> {
    let id = response.headers().get("x-query-id")?.to_str().ok()?;
    Some(id.to_owned())
}

/// Why a query has failed whose answer had begun: the endpoint can only cut such an answer off, but remembers the reason.
pub(crate) async fn failure(client: &Client, query_id: Option<&str>) -> anyhow::Error {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Described {
        failure_info: Option<FailureInfo>,
    }
    #[derive(Deserialize)]
    struct FailureInfo {
        #[serde(rename = "type")]
        code: String,
        message: String,
    }
    let cut_off =
        || anyhow::anyhow!("the answer was cut off; the connection ended, or the query failed");
    let Some(id) = query_id else { return cut_off() };
    let path = format!("/v1/query/{}", percent_encode(id));
    let described: anyhow::Result<Described> = client.get_json(&path).await;
    match described.ok().and_then(|described| described.failure_info) {
        Some(info) => anyhow::anyhow!(
            "the answer is not whole: {}",
            told(&info.message, &info.code)
        ),
        None => cut_off(),
    }
}

fn told(message: &str, code: &str) -> String {
    // The only limit that a long answer meets for its length, so what to do is known.
    let advice = match code {
        "EXCEEDED_ROW_LIMIT" => "; the limit is the server's setting sql.maxRows",
        _ => "",
    };
    format!("{message}{advice} ({code})")
}

/// A result, or the error that a long one ends with.
#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    result: ResultSet,
    error: Option<Problem>,
}

async fn whole(response: Response<Incoming>) -> anyhow::Result<ResultSet> {
    let text = response
        .into_body()
        .collect()
        .await
        .context("the answer was cut off")?
        .to_bytes();
    let answer: Answer =
        serde_json::from_slice(&text).context("the SQL endpoint sent something unexpected")?;
    match answer.error {
        None => Ok(answer.result),
        Some(error) => anyhow::bail!(
            "the answer is not whole: {}",
            told(&error.detail, &error.code)
        ),
    }
}
