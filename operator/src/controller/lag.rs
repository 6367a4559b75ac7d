//! How many events have not landed, as the streamers' own metrics have it. A look that fails shows `unknown`, and nothing else depends on it.

use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::stages::component::Component;
use crate::stages::look::addresses;
use crate::stages::namespace::Namespace;

/// The longest that all of a look may take.
const LIMIT: Duration = Duration::from_secs(2);
/// The port of the streamers' metrics.
const PORT: u16 = 9090;
/// More than a streamer's metrics ever are, in bytes.
const MAX_BODY: usize = 1 << 20;
/// What a streamer counts.
const METRIC: &str = "gamepipe_landing_lag_records";
/// What stands in the status when nobody could be asked.
const UNKNOWN: &str = "unknown";

/// The lag of a pipeline by order of magnitude: the status must not change with every event.
pub(super) async fn look(namespace: &Namespace, pipeline: &str) -> &'static str {
    match tokio::time::timeout(LIMIT, sum(namespace, pipeline)).await {
        Ok(Some(records)) => magnitude(records),
        Ok(None) | Err(_) => UNKNOWN,
    }
}

/// All streamers together: each counts the records of the partitions that it reads.
async fn sum(namespace: &Namespace, pipeline: &str) -> Option<u64> {
    let pods = addresses(namespace, pipeline, Component::Streamer).await;
    if pods.is_empty() {
        return None;
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let asked = pods.iter().map(|pod| ask(&client, authority(pod)));
    Some(try_join_all(asked).await.ok()?.into_iter().sum())
}

/// Host and port of a pod.
fn authority(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]:{PORT}")
    } else {
        format!("{address}:{PORT}")
    }
}

type Http = Client<HttpConnector, Empty<Bytes>>;

async fn ask(client: &Http, authority: String) -> Result<u64, ()> {
    let uri = format!("http://{authority}/metrics")
        .parse()
        .map_err(drop)?;
    let answer = client.get(uri).await.map_err(drop)?;
    let body = Limited::new(answer.into_body(), MAX_BODY)
        .collect()
        .await
        .map_err(drop)?;
    let text = String::from_utf8(body.to_bytes().into()).map_err(drop)?;
    counted(&text).ok_or(())
}

/// The metric's value in the text of a `/metrics`.
fn counted(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(METRIC))?;
    line.trim().parse().ok()
}

fn magnitude(records: u64) -> &'static str {
    match records {
        0 => "0",
        1..100 => "<100",
        100..10_000 => "<10k",
        10_000..1_000_000 => "<1M",
        _ => ">=1M",
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::{ask, authority, counted, magnitude};

    const METRICS: &str = "# HELP gamepipe_landing_lag_records Log records not landed yet.\ngamepipe_landing_lag_records 123\n# EOF\n";

    #[test]
    fn the_lag_is_read_off_the_metrics_and_rounded() {
        assert_eq!(counted(METRICS), Some(123));
        assert_eq!(counted("# EOF\n"), None);
        let rounded: Vec<&str> = [0, 1, 99, 100, 9_999, 10_000, 1_000_000]
            .map(magnitude)
            .into();
        assert_eq!(
            rounded,
            ["0", "<100", "<100", "<10k", "<10k", "<1M", ">=1M"]
        );
        assert_eq!(authority("10.0.0.1"), "10.0.0.1:9090");
        assert_eq!(authority("fd00::1"), "[fd00::1]:9090");
    }

    #[tokio::test]
    async fn a_streamer_is_asked_over_http() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{METRICS}",
                METRICS.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let client = Client::builder(TokioExecutor::new()).build_http();
        let ((), asked) = tokio::join!(answering, ask(&client, address));
        assert_eq!(asked, Ok(123));
    }
}
