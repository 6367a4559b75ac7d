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

async fn whole(response: Response<Incoming>) -> anyhow::Result<ResultSet> {
    let text = response
        .into_body()
        .collect()
        .await
        .context("the answer was cut off")?
        .to_bytes();
    serde_json::from_slice(&text).context("the SQL endpoint sent something unexpected")
}
