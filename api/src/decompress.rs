//! Compressed bodies, inflated up to a limit: a bomb costs no more than the limit.

use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, header};

use crate::body::Charge;
use crate::problem::{Problem, codes};

/// How much is inflated between two chances for other requests to run: well below a millisecond of work.
const STEP_BYTES: usize = 128 << 10;
/// The largest zstd window that is accepted, as a power of two: 8 MiB, what RFC 8878 asks every decoder to take.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// What the headers say; more than one encoding, or an unknown one, is refused.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(Self::Identity);
        };
        let name = value.to_str().unwrap_or("?").trim();
        let once = headers.get_all(header::CONTENT_ENCODING).iter().count() == 1;
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" if once => Ok(Self::Identity),
            "gzip" | "x-gzip" if once => Ok(Self::Gzip),
            "zstd" if once => Ok(Self::Zstd),
            _ => Err(Problem::new(
                codes::UNSUPPORTED_ENCODING,
                format!(
                    "Content-Encoding {name:?} is not supported: send gzip, zstd or nothing, once"
                ),
            )),
        }
    }
}

/// `sent`, inflated. `charge` grows with the result, so that all bodies together stay within their bound.
pub(crate) async fn inflate(
    encoding: Encoding,
    sent: Bytes,
    max_bytes: usize,
    charge: &mut Charge,
) -> Result<Bytes, Problem> {
    match encoding {
        Encoding::Identity => Ok(sent),
        Encoding::Gzip => {
            read_all(
                flate2::read::MultiGzDecoder::new(&sent[..]),
                max_bytes,
                charge,
            )
            .await
        }
        Encoding::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(&sent[..]).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
            read_all(decoder, max_bytes, charge).await
        }
    }
}

async fn read_all(
    mut from: impl Read + Send,
    max_bytes: usize,
    charge: &mut Charge,
) -> Result<Bytes, Problem> {
    let mut out = Vec::new();
    loop {
        let before = out.len();
        let room = max_bytes.saturating_add(1) - before;
        let step = room.min(STEP_BYTES);
        charge.grow(step)?;
        (&mut from)
            .take(step as u64)
            .read_to_end(&mut out)
            .map_err(broken)?;
        if out.len() > max_bytes {
            return Err(Problem::new(
                codes::BODY_TOO_LARGE,
                format!("the body exceeds {max_bytes} bytes after decompression"),
            ));
        }
        if out.len() - before < step {
            return Ok(out.into());
        }
        tokio::task::yield_now().await;
    }
}

fn broken(error: std::io::Error) -> Problem {
    Problem::new(
        codes::INVALID_BODY,
        format!("the body can't be decompressed: {error}"),
    )
}
