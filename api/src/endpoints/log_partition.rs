//! `GET /v1/log/{partition}?from=0&max=1000`: records of the event log, one JSON object a line:
//! `{"partition", "offset", "key", "event"}`. The header `Gamepipe-Next-Offset` says where to read on.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use gamepipe_eventlog::{LogRecord, ReadBatch};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Api;
use crate::problem::{Problem, codes};
use crate::query;

/// Where to read on.
const NEXT_OFFSET: HeaderName = HeaderName::from_static("gamepipe-next-offset");
/// How many records a reply has unless told otherwise, and at most.
const DEFAULT_RECORDS: u64 = 1000;
const MAX_RECORDS: u64 = 10_000;
/// About how many bytes of records a reply has at most: it is built in memory.
const MAX_BYTES: usize = 4 << 20;

pub(crate) async fn handle(
    State(api): State<Arc<Api>>,
    Path(partition): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let partition = number("the partition", &partition, u64::from(u32::MAX))?;
    let partition = u32::try_from(partition)
        .ok()
        .filter(|number| *number < api.log.partitions())
        .ok_or_else(|| {
            let detail = format!(
                "the log has partitions 0 to {}",
                api.log.partitions().saturating_sub(1)
            );
            Problem::new(codes::UNKNOWN_PARTITION, detail)
        })?;
    let (mut from, mut max) = (0, DEFAULT_RECORDS);
    for (name, value) in query::pairs(request.uri().query().unwrap_or_default().as_bytes())? {
        match name.as_str() {
            "from" => from = number("from", &value, u64::MAX)?,
            "max" => max = number("max", &value, MAX_RECORDS)?,
            _ => {}
        }
    }
    let batch = api.log.read(partition, from, MAX_BYTES).await?;
    Ok(lines(
        partition,
        &batch,
        usize::try_from(max).unwrap_or(usize::MAX),
    ))
}

fn number(name: &str, text: &str, max: u64) -> Result<u64, Problem> {
    text.parse()
        .ok()
        .filter(|number| *number <= max)
        .ok_or_else(|| {
            Problem::new(
                codes::INVALID_NUMBER,
                format!("{name} must be a whole number from 0 to {max}, got {text:?}"),
            )
        })
}

fn lines(partition: u32, batch: &ReadBatch, max: usize) -> Response {
    let shown = batch.records.get(..max).unwrap_or(&batch.records);
    let next = batch
        .records
        .get(max)
        .map_or(batch.next, |first_left| first_left.offset);
    let mut body = Vec::new();
    for record in shown {
        write_line(&mut body, partition, record);
    }
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    headers.insert(NEXT_OFFSET, HeaderValue::from(next));
    response
}

#[derive(Serialize)]
struct Line<'a, E> {
    partition: u32,
    offset: u64,
    key: &'a str,
    event: E,
}

fn write_line(body: &mut Vec<u8>, partition: u32, record: &LogRecord) {
    let key = String::from_utf8_lossy(&record.key);
    let (offset, key) = (record.offset, key.as_ref());
    // Writing to memory can't fail. What is on the log and no JSON is shown as text.
    let _ = match serde_json::from_slice::<&RawValue>(&record.value) {
        Ok(event) if !event.get().contains('\n') => serde_json::to_writer(
            &mut *body,
            &Line {
                partition,
                offset,
                key,
                event,
            },
        ),
        _ => {
            let event = String::from_utf8_lossy(&record.value);
            serde_json::to_writer(
                &mut *body,
                &Line {
                    partition,
                    offset,
                    key,
                    event,
                },
            )
        }
    };
    body.push(b'\n');
}
