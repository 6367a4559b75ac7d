//! `system.runtime`: queries and nodes.

use std::sync::atomic::Ordering;

use super::{Cell, Rows};
use crate::engine::catalog::Catalogs;

pub(super) fn queries(catalogs: &Catalogs) -> Rows {
    let mut rows = Rows::new(&[
        "query_id",
        "state",
        "user",
        "source",
        "query",
        "queued_time_ms",
        "planning_time_ms",
        "elapsed_time_ms",
        "rows",
        "scanned_bytes",
        "peak_memory_bytes",
        "error_type",
        "error_code",
    ])
    .with_integer("queued_time_ms")
    .with_integer("planning_time_ms")
    .with_integer("elapsed_time_ms")
    .with_integer("rows")
    .with_integer("scanned_bytes")
    .with_integer("peak_memory_bytes");
    for query in catalogs.history.all() {
        let time = |from: i64, to: i64| {
            if from > 0 && to >= from {
                Cell::Integer((to - from) / 1000)
            } else {
                Cell::Null
            }
        };
        let planning = query.planning.load(Ordering::Relaxed);
        let running = query.running.load(Ordering::Relaxed);
        let ended = query.ended.load(Ordering::Relaxed);
        let progress = query.progress();
        let number = |value: u64| Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX));
        rows.push(vec![
            query.id.as_str().into(),
            query.state().name().into(),
            query.user.as_str().into(),
            query.source.as_str().into(),
            query.sql.as_str().into(),
            time(query.created, planning),
            time(planning, running),
            time(query.created, ended),
            number(query.rows.load(Ordering::Relaxed)),
            number(progress.bytes),
            number(progress.peak_memory),
            query
                .error()
                .map_or(Cell::Null, |error| error.code.kind().name().into()),
            query
                .error()
                .map_or(Cell::Null, |error| error.code.name().into()),
        ]);
    }
    rows
}

pub(super) fn nodes() -> Rows {
    let mut rows = Rows::new(&[
        "node_id",
        "http_uri",
        "node_version",
        "coordinator",
        "state",
    ])
    .with_boolean("coordinator");
    rows.push(vec![
        "gamepipe".into(),
        "".into(),
        crate::TRINO_VERSION.into(),
        true.into(),
        "active".into(),
    ]);
    rows
}
