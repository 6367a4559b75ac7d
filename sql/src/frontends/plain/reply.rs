//! A query as an HTTP reply: a result that is small goes out whole, with its totals in headers; a larger one is
//! streamed as fast as the client takes it, with its totals in trailers.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures::stream;
use http_body_util::StreamBody;
use serde_json::json;

use super::super::problem::QUERY_ID;
use super::encoder::{Encoder, Ending, Format};
use crate::engine::{Engine, Event, Query};
use crate::error::QueryError;

/// So much is encoded before the head of the reply is sent: errors up to there get a status of their own.
const BYTES_BEFORE_HEAD: usize = 256 << 10;
/// Set when rows were left out.
const TRUNCATED: HeaderName = HeaderName::from_static("gamepipe-truncated");
const TOTALS: [&str; 5] = [
    "x-query-rows",
    "x-query-elapsed-ms",
    "x-query-bytes-scanned",
    "x-query-peak-memory",
    "x-query-error",
];

pub(super) struct Reply {
    query: Option<Query>,
    id: String,
    format: Format,
    encoder: Option<Box<dyn Encoder>>,
    engine: Arc<Engine>,
    info: Arc<crate::engine::history::QueryInfo>,
    max_rows: Option<u64>,
    rows: u64,
    truncated: bool,
    error: Option<QueryError>,
}

enum Step {
    More(Vec<u8>),
    /// Nothing comes after this; `None` when the format can't say that the query failed.
    Last(Option<Vec<u8>>),
}

impl Reply {
    pub(super) fn new(
        query: Query,
        format: Format,
        max_rows: Option<u64>,
        engine: Arc<Engine>,
    ) -> Self {
        Self {
            id: query.info.id.clone(),
            info: query.info.clone(),
            query: Some(query),
            format,
            encoder: None,
            engine,
            max_rows,
            rows: 0,
            truncated: false,
            error: None,
        }
    }

    /// The reply; the error is one that came before anything was sent.
    pub(super) async fn into_response(mut self) -> Result<Response, QueryError> {
        let mut first = Vec::new();
        while first.len() < BYTES_BEFORE_HEAD {
            match self.step().await? {
                Step::More(bytes) => first.extend(bytes),
                Step::Last(bytes) => {
                    if let Some(error) = self.error {
                        return Err(error);
                    }
                    first.extend(bytes.unwrap_or_default());
                    let mut response = self.head(Body::from(first));
                    response.headers_mut().extend(self.totals());
                    return Ok(response);
                }
            }
        }
        let head = self.head(Body::empty());
        let body = StreamBody::new(stream::unfold(
            Streaming {
                reply: Some(self),
                first: Some(first),
            },
            Streaming::next,
        ));
        let mut response = head.map(|_| Body::new(body));
        let announced = [TOTALS.as_slice(), &[TRUNCATED.as_str()]]
            .concat()
            .join(", ");
        if let Ok(announced) = HeaderValue::from_str(&announced) {
            response.headers_mut().insert(header::TRAILER, announced);
        }
        Ok(response)
    }

    fn head(&self, body: Body) -> Response {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.format.media_type()),
        );
        if let Ok(id) = HeaderValue::from_str(&self.id) {
            headers.insert(QUERY_ID, id);
        }
        response
    }

    async fn step(&mut self) -> Result<Step, QueryError> {
        let Some(query) = &mut self.query else {
            return self.end();
        };
        match query.next().await {
            None => {
                self.query = None;
                self.end()
            }
            Some(Err(error)) => {
                self.query = None;
                self.error = Some(error.clone());
                // Nothing has been written: the reply can still be an error.
                if self.encoder.is_none() {
                    Err(error)
                } else {
                    self.end()
                }
            }
            Some(Ok(Event::Columns(columns))) => {
                let encoder = self.encoder.insert(self.format.encoder(columns, &self.id)?);
                encoder.start().map(Step::More)
            }
            Some(Ok(Event::Batch(batch))) => {
                let room = self
                    .max_rows
                    .map_or(u64::MAX, |most| most.saturating_sub(self.rows));
                let taken = usize::try_from(room)
                    .unwrap_or(usize::MAX)
                    .min(batch.num_rows());
                self.rows += taken as u64;
                if taken < batch.num_rows() {
                    self.truncated = true;
                    self.query = None;
                }
                let Some(encoder) = &mut self.encoder else {
                    return Ok(Step::More(Vec::new()));
                };
                match encoder.rows(&batch.slice(0, taken)) {
                    Ok(bytes) => Ok(Step::More(bytes)),
                    Err(error) => {
                        self.query = None;
                        self.error = Some(error);
                        self.end()
                    }
                }
            }
            Some(Ok(Event::Update(_))) => {
                let columns = Arc::new(crate::result::Columns::new(
                    Arc::new(arrow::datatypes::Schema::empty()),
                    Vec::new(),
                ));
                let encoder = self.encoder.insert(self.format.encoder(columns, &self.id)?);
                encoder.start().map(Step::More)
            }
        }
    }

    fn end(&mut self) -> Result<Step, QueryError> {
        let ending = Ending {
            rows: self.rows,
            truncated: self.truncated,
            error: self.error.clone(),
            stats: self.stats(),
            query_id: self.id.clone(),
        };
        match &mut self.encoder {
            Some(encoder) => encoder.end(&ending).map(Step::Last),
            None => Ok(Step::Last(Some(Vec::new()))),
        }
    }

    fn stats(&self) -> serde_json::Value {
        let progress = self.info.progress();
        json!({
            "elapsed_ms": self.info.elapsed_millis(self.engine.clock().now_micros()),
            "scanned_rows": progress.rows,
            "scanned_bytes": progress.bytes,
            "peak_memory_bytes": progress.peak_memory,
        })
    }

    fn totals(&self) -> HeaderMap {
        let progress = self.info.progress();
        let elapsed = self.info.elapsed_millis(self.engine.clock().now_micros());
        let mut headers = HeaderMap::new();
        headers.insert("x-query-rows", HeaderValue::from(self.rows));
        headers.insert("x-query-elapsed-ms", HeaderValue::from(elapsed));
        headers.insert("x-query-bytes-scanned", HeaderValue::from(progress.bytes));
        headers.insert(
            "x-query-peak-memory",
            HeaderValue::from(progress.peak_memory),
        );
        if self.truncated {
            headers.insert(TRUNCATED, HeaderValue::from_static("true"));
        }
        if let Some(error) = &self.error {
            headers.insert("x-query-error", HeaderValue::from_static(error.code.name()));
        }
        headers
    }
}

/// The rest of a reply, frame by frame.
struct Streaming {
    reply: Option<Reply>,
    first: Option<Vec<u8>>,
}

type Frame = http_body::Frame<Bytes>;

impl Streaming {
    async fn next(mut self) -> Option<(Result<Frame, io::Error>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(Frame::data(first.into())), self));
        }
        let mut reply = self.reply.take()?;
        if reply.query.is_none() && reply.encoder.is_none() {
            return None;
        }
        match reply.step().await {
            Ok(Step::More(bytes)) => {
                self.reply = Some(reply);
                Some((Ok(Frame::data(bytes.into())), self))
            }
            Ok(Step::Last(Some(bytes))) => {
                // The totals follow as trailers: that needs one more turn, with nothing left to encode.
                let totals = reply.totals();
                let frame = if bytes.is_empty() {
                    Frame::trailers(totals)
                } else {
                    Frame::data(bytes.into())
                };
                if frame.is_data() {
                    reply.encoder = Some(Box::new(Trailers));
                    reply.query = None;
                    self.reply = Some(reply);
                }
                Some((Ok(frame), self))
            }
            Ok(Step::Last(None)) | Err(_) => {
                let code = reply
                    .error
                    .as_ref()
                    .map_or("GENERIC_INTERNAL_ERROR", |error| error.code.name());
                // Cutting the body is the only sign that these formats leave.
                Some((Err(io::Error::other(code)), self))
            }
        }
    }
}

/// Stands for the encoder once all is written.
struct Trailers;

impl Encoder for Trailers {
    fn start(&mut self) -> Result<Vec<u8>, QueryError> {
        Ok(Vec::new())
    }

    fn rows(&mut self, _: &arrow::record_batch::RecordBatch) -> Result<Vec<u8>, QueryError> {
        Ok(Vec::new())
    }

    fn end(&mut self, _: &Ending) -> Result<Option<Vec<u8>>, QueryError> {
        Ok(Some(Vec::new()))
    }
}
