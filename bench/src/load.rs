//! A closed-loop HTTP load generator: one request at a time per connection, as cheap as it can be, so that the server and
//! not the generator is measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Builds the bytes of request number `n` of connection `c`.
pub(crate) type MakeRequest = dyn Fn(usize, u64) -> Vec<u8> + Send + Sync;

/// How a run went.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Latency of each request that got a reply, in microseconds, sorted.
    pub(crate) micros: Vec<u64>,
    /// Replies with 2xx.
    pub(crate) ok: u64,
    /// Replies with 4xx.
    pub(crate) refused: u64,
    /// Replies with 5xx, and requests without a reply.
    pub(crate) failed: u64,
    /// How long the run took.
    pub(crate) seconds: f64,
}

/// Loads `address` (host:port) with `connections` for `time`.
pub(crate) fn run(
    address: &str,
    connections: usize,
    time: Duration,
    make: Arc<MakeRequest>,
) -> Result<Outcome> {
    run_among(&[address.to_owned()], connections, time, make)
}

/// As [`run`], with the connections spread over several addresses.
pub(crate) fn run_among(
    addresses: &[String],
    connections: usize,
    time: Duration,
    make: Arc<MakeRequest>,
) -> Result<Outcome> {
    // One thread: the generator must leave the other core to the server.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let started = Instant::now();
        let deadline = started + time;
        let mut tasks = Vec::new();
        for connection in 0..connections {
            let address = addresses
                .get(connection % addresses.len().max(1))
                .context("no address")?
                .clone();
            let make = Arc::clone(&make);
            tasks.push(tokio::spawn(async move {
                client(&address, connection, deadline, &*make).await
            }));
        }
        let mut all = Outcome::default();
        for task in tasks {
            let one = task.await??;
            all.micros.extend(one.micros);
            all.ok += one.ok;
            all.refused += one.refused;
            all.failed += one.failed;
        }
        all.seconds = started.elapsed().as_secs_f64();
        all.micros.sort_unstable();
        Ok(all)
    })
}

async fn client(
    address: &str,
    connection: usize,
    deadline: Instant,
    make: &MakeRequest,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut stream = None;
    let mut buffer = Vec::with_capacity(16 << 10);
    let mut number = 0;
    while Instant::now() < deadline {
        let request = make(connection, number);
        number += 1;
        let started = Instant::now();
        let mut open = match stream.take() {
            Some(open) => open,
            None => connect(address).await?,
        };
        match exchange(&mut open, &request, &mut buffer).await {
            Ok((status, keep)) => {
                outcome
                    .micros
                    .push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
                match status {
                    200..=299 => outcome.ok += 1,
                    400..=499 => outcome.refused += 1,
                    _ => outcome.failed += 1,
                }
                if keep {
                    stream = Some(open);
                }
            }
            Err(_) => outcome.failed += 1,
        }
    }
    Ok(outcome)
}

async fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("failed to connect to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a request and reads its reply; the status, and whether the connection can be used again.
async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(u16, bool)> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await?;
        let Some(head_end) = find(buffer, b"\r\n\r\n") else {
            if read == 0 {
                bail!("connection closed before a reply");
            }
            continue;
        };
        let head = String::from_utf8_lossy(&buffer[..head_end]).to_lowercase();
        let status = head.get(9..12).context("no status")?.parse()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|text| text.trim().parse().ok());
        let closes = head.contains("connection: close") || head.starts_with("http/1.0");
        let complete = length.is_some_and(|length: usize| buffer.len() >= head_end + 4 + length);
        if complete || read == 0 {
            return Ok((status, !closes && read != 0));
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// `GET path` in HTTP/1.1.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
        .into_bytes()
}

/// `POST path` with JSON in HTTP/1.1.
pub(crate) fn post_json(path: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}
