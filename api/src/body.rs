//! Reads a request's body within every limit: size as sent and inflated, time, and what all bodies together may hold.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use gamepipe_config::api::ApiConfig;
use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::decompress::{self, Encoding};
use crate::problem::{Problem, codes};

/// The unit in which bodies are charged: a semaphore counts to `u32` at most at a time.
const UNIT_BYTES: usize = 1 << 10;

/// The limits on bodies, and how much of them is used.
#[derive(Debug)]
pub(crate) struct BodyLimits {
    max_bytes: usize,
    max_inflated_bytes: usize,
    timeout: Duration,
    held: Arc<Semaphore>,
}

/// A body that has been read; what it holds is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    _charge: Charge,
}

/// A body's share of what all bodies together may hold.
#[derive(Debug)]
pub(crate) struct Charge {
    held: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Charge {
    /// Takes `bytes` more, or refuses: waiting would hold what others wait for.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.held)
            .try_acquire_many_owned(units)
            .map_err(|_| {
                Problem::new(
                    codes::OVERLOADED,
                    "the bodies of other requests fill the memory set aside for them",
                )
            })?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

impl BodyLimits {
    pub(crate) fn new(config: &ApiConfig) -> Self {
        Self {
            max_bytes: config.max_body_bytes,
            max_inflated_bytes: config.max_decompressed_bytes,
            timeout: Duration::from_millis(config.body_timeout_ms),
            held: Arc::new(Semaphore::new(
                (config.max_body_bytes_in_flight / UNIT_BYTES).min(Semaphore::MAX_PERMITS),
            )),
        }
    }

    /// The whole body, inflated.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<ReadBody, Problem> {
        let mut charge = Charge {
            held: Arc::clone(&self.held),
            permit: None,
        };
        if body.is_end_stream() {
            return Ok(ReadBody {
                bytes: Bytes::new(),
                _charge: charge,
            });
        }
        let encoding = Encoding::of(headers)?;
        let announced = body.size_hint().lower();
        if announced > self.max_bytes as u64 {
            return Err(self.too_large());
        }
        let sent = tokio::time::timeout(self.timeout, self.collect(body, &mut charge))
            .await
            .map_err(|_| {
                let seconds = self.timeout.as_secs_f64();
                Problem::new(
                    codes::BODY_TIMEOUT,
                    format!("the body did not arrive within {seconds} s"),
                )
            })??;
        let bytes =
            decompress::inflate(encoding, sent, self.max_inflated_bytes, &mut charge).await?;
        Ok(ReadBody {
            bytes,
            _charge: charge,
        })
    }

    async fn collect(&self, mut body: Body, charge: &mut Charge) -> Result<Bytes, Problem> {
        // Most bodies are one frame, which is taken as it is.
        let mut whole = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Problem::new(
                    codes::INVALID_BODY,
                    format!("the body ended early: {error}"),
                )
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if whole.len() + joined.len() + data.len() > self.max_bytes {
                return Err(self.too_large());
            }
            charge.grow(data.len())?;
            if whole.is_empty() && joined.is_empty() {
                whole = data;
                continue;
            }
            if joined.is_empty() {
                joined.reserve(whole.len() + data.len());
                joined.extend_from_slice(&std::mem::take(&mut whole));
            }
            joined.extend_from_slice(&data);
        }
        Ok(if joined.is_empty() {
            whole
        } else {
            joined.freeze()
        })
    }

    fn too_large(&self) -> Problem {
        Problem::new(
            codes::BODY_TOO_LARGE,
            format!("the body exceeds {} bytes", self.max_bytes),
        )
    }
}

#[cfg(test)]
#[path = "body/tests.rs"]
mod tests;
