//! Pages: Trino's `QueryResults` as JSON.

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use super::statements::Statement;
use crate::engine::history::{QueryInfo, State};
use crate::error::QueryError;
use crate::result::Columns;

pub(crate) mod pager;

use pager::Page;

/// Where the client reaches this server: its URLs must come back the way it came.
#[derive(Debug, Clone)]
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let one = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let first = |name: &str| {
            one(name)
                .and_then(|value| value.split(',').next())
                .map(str::trim)
        };
        let scheme = first("x-forwarded-proto")
            .filter(|scheme| *scheme == "https")
            .unwrap_or("http");
        let host = first("x-forwarded-host")
            .or_else(|| one(header::HOST.as_str()))
            .unwrap_or("localhost");
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        match first("x-forwarded-port").filter(|_| !has_port) {
            Some(port) => Self(format!("{scheme}://{host}:{port}")),
            None => Self(format!("{scheme}://{host}")),
        }
    }
}

/// The reply to a new statement.
pub(crate) fn queued(statement: &Statement, place: &Place) -> Vec<u8> {
    let id = &statement.info.id;
    let body = json!({
        "id": id,
        "infoUri": info_uri(place, id),
        "nextUri": format!("{}/v1/statement/queued/{id}/{}/1", place.0, statement.slug),
        "stats": {
            "state": "QUEUED", "queued": true, "scheduled": false, "nodes": 0, "totalSplits": 0, "queuedSplits": 0,
            "runningSplits": 0, "completedSplits": 0, "cpuTimeMillis": 0, "wallTimeMillis": 0, "queuedTimeMillis": 0,
            "elapsedTimeMillis": 0, "processedRows": 0, "processedBytes": 0, "physicalInputBytes": 0,
            "peakMemoryBytes": 0, "spilledBytes": 0,
        },
        "warnings": [],
    });
    body.to_string().into_bytes()
}

fn info_uri(place: &Place, id: &str) -> String {
    format!("{}/ui/query.html?{id}", place.0)
}

/// One page.
pub(crate) fn results(
    statement: &Statement,
    page: &Page,
    next: Option<u64>,
    place: &Place,
    now: i64,
    threads: usize,
) -> Vec<u8> {
    let info = &statement.info;
    let mut body = json!({
        "id": info.id,
        "infoUri": info_uri(place, &info.id),
        "stats": stats(info, page, next.is_none(), now, threads),
        "warnings": [],
    });
    if let Some(token) = next {
        let uri = format!(
            "{}/v1/statement/executing/{}/{}/{token}",
            place.0, info.id, statement.slug
        );
        body["nextUri"] = Value::String(uri);
        let partial = format!(
            "{}/v1/statement/executing/partialCancel/{}/0/{}/{token}",
            place.0, info.id, statement.slug
        );
        body["partialCancelUri"] = Value::String(partial);
    }
    if let Some(columns) = &page.columns {
        body["columns"] = describe(columns, page.knows_precision);
    }
    if let Some(update) = &page.update {
        body["updateType"] = Value::from(update.kind);
    }
    if let Some(error) = &page.error {
        body["error"] = describe_error(error);
    }
    let mut out = body.to_string().into_bytes();
    if page.rows > 0 {
        // The rows are JSON already: they go in behind the last field, without being parsed again.
        out.pop();
        out.extend_from_slice(b",\"data\":[");
        out.extend_from_slice(&page.data);
        out.extend_from_slice(b"]}");
    }
    out
}

fn describe(columns: &Columns, knows_precision: bool) -> Value {
    let column = |(name, kind): (&String, &crate::result::types::TrinoType)| {
        let kind = if knows_precision {
            kind.clone()
        } else {
            kind.without_time_precision()
        };
        json!({"name": name, "type": kind.display, "typeSignature": kind.signature()})
    };
    columns
        .names
        .iter()
        .zip(&columns.types)
        .map(column)
        .collect()
}

fn describe_error(error: &QueryError) -> Value {
    let location = error
        .position
        .map(|at| json!({"lineNumber": at.line, "columnNumber": at.column}));
    let mut failure = json!({
        "type": "io.trino.spi.TrinoException",
        "message": error.message(),
        "suppressed": [],
        "stack": [],
    });
    let mut described = json!({
        "message": error.message(),
        "errorCode": error.code.number(),
        "errorName": error.code.name(),
        "errorType": error.code.kind().name(),
    });
    if let Some(location) = location {
        failure["errorLocation"] = location.clone();
        described["errorLocation"] = location;
    }
    described["failureInfo"] = failure;
    described
}

fn stats(info: &QueryInfo, page: &Page, last: bool, now: i64, threads: usize) -> Value {
    use std::sync::atomic::Ordering;
    let progress = info.progress();
    let state = match info.state() {
        _ if page.error.is_some() => State::Failed,
        _ if last => State::Finished,
        // The engine may be done while pages remain.
        State::Finished | State::Failed => State::Running,
        state => state,
    };
    let done = state >= State::Finished;
    let millis = |from: i64, to: i64| {
        if from > 0 && to > from {
            (to - from) / 1000
        } else {
            0
        }
    };
    let planning = info.planning.load(Ordering::Relaxed);
    let running = info.running.load(Ordering::Relaxed);
    let splits = progress.splits.max(1);
    let completed = if done { splits } else { 0 };
    let elapsed = info.elapsed_millis(now);
    let common = json!({
        "state": state.name(),
        "nodes": 1,
        "totalSplits": splits,
        "queuedSplits": 0,
        "runningSplits": splits - completed,
        "completedSplits": completed,
        "cpuTimeMillis": elapsed.min(millis(running, now).unsigned_abs()).saturating_mul(threads.min(splits as usize) as u64),
        "wallTimeMillis": elapsed,
        "processedRows": progress.rows,
        "processedBytes": progress.bytes,
        "physicalInputBytes": progress.bytes,
    });
    let mut stats = common.clone();
    let mut root = common;
    for (name, value) in [
        ("queued", json!(state == State::Queued)),
        ("scheduled", json!(state > State::Planning)),
        ("progressPercentage", json!(if done { 100.0 } else { 0.0 })),
        ("runningPercentage", json!(if done { 0.0 } else { 100.0 })),
        ("queuedTimeMillis", json!(millis(info.created, planning))),
        ("elapsedTimeMillis", json!(elapsed)),
        ("planningTimeMillis", json!(millis(planning, running))),
        ("analysisTimeMillis", json!(0)),
        ("finishingTimeMillis", json!(0)),
        ("physicalWrittenBytes", json!(0)),
        ("peakMemoryBytes", json!(progress.peak_memory)),
        ("spilledBytes", json!(progress.spilled)),
    ] {
        stats[name] = value;
    }
    for (name, value) in [
        ("stageId", json!("0")),
        ("done", json!(done)),
        ("failedTasks", json!(0)),
        ("coordinatorOnly", json!(false)),
        ("subStages", json!([])),
    ] {
        root[name] = value;
    }
    // Interactive clients stop for ever when there are splits and no root stage.
    stats["rootStage"] = root;
    stats
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::Place;

    #[test]
    fn urls_lead_back_the_way_the_client_came() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost:8080"));
        assert_eq!(Place::of(&headers).0, "http://localhost:8080");
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        headers.insert(
            "x-forwarded-host",
            HeaderValue::from_static("sql.example.org"),
        );
        headers.insert("x-forwarded-port", HeaderValue::from_static("8443"));
        assert_eq!(Place::of(&headers).0, "https://sql.example.org:8443");
    }
}
