//! `gamepipe operator check`: whether a running operator is ready, and what it waits for. `helm test` asks with it.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::commands::serve_on;
use crate::exit::Outcome;
use crate::output::say;

/// How long an answer may take: an operator tells what it knows and asks nobody.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(500);

/// Where to ask.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Where the operator listens
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8081")]
    url: String,
    /// How long to ask again while it is not ready: one that has just started is not reached through its Service at once
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u16,
}

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<Outcome> {
    let url = format!("{}/readyz", args.url.trim_end_matches('/'));
    let uri: http::Uri = url
        .parse()
        .with_context(|| format!("{url} is no URL; write http://HOST:PORT"))?;
    let deadline = Instant::now() + Duration::from_secs(args.wait.into());
    serve_on(async {
        loop {
            let answer = ask_in_time(&url, &uri).await;
            if !matches!(answer, Ok((true, _))) && Instant::now() < deadline {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let (ready, told) = answer?;
            say(told.trim_end())?;
            return Ok(if ready {
                Outcome::Done
            } else {
                Outcome::Findings
            });
        }
    })
}

async fn ask_in_time(url: &str, uri: &http::Uri) -> anyhow::Result<(bool, String)> {
    tokio::time::timeout(LIMIT, ask(uri.clone()))
        .await
        .with_context(|| format!("{url} did not answer within {} s", LIMIT.as_secs()))?
        .with_context(|| format!("nothing answers at {url}: is the operator running?"))
}

/// Whether it is ready, and what it says of it.
async fn ask(uri: http::Uri) -> anyhow::Result<(bool, String)> {
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let answer = client.get(uri).await?;
    let ready = answer.status().is_success();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((ready, String::from_utf8_lossy(&body).into_owned()))
}
