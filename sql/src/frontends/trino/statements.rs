//! The statements whose pages clients fetch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use gamepipe_service::Shutdown;
use tokio::time::Instant;

use super::headers::{self, Prefix};
use super::page::pager::Pager;
use super::page::{self, Place};
use crate::engine::history::QueryInfo;
use crate::engine::{Engine, Query};
use crate::error::{ErrorCode, QueryError};

/// A query that nobody polls is abandoned after so long, as in Trino.
const ABANDONED_AFTER: Duration = Duration::from_secs(300);
/// The last page of a finished query is kept so long for clients that lost it.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);
/// So many finished statements are kept at most.
const MAX_FINISHED: usize = 100;
/// How often forgotten statements are looked for.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// One statement.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) info: Arc<QueryInfo>,
    pub(crate) slug: String,
    prefix: Prefix,
    last_poll: Mutex<Instant>,
    pages: tokio::sync::Mutex<Pages>,
    finished: std::sync::atomic::AtomicBool,
}

#[derive(Debug)]
struct Pages {
    pager: Pager,
    /// The last page that was sent, for a client that did not get it.
    last: Option<(u64, Bytes, HeaderMap)>,
    /// The token of the next page; `None` after the last.
    next: Option<u64>,
}

impl Statement {
    pub(crate) fn new(query: Query, slug: String, prefix: Prefix, knows_precision: bool) -> Self {
        Self {
            info: query.info.clone(),
            slug,
            prefix,
            last_poll: Mutex::new(Instant::now()),
            pages: tokio::sync::Mutex::new(Pages {
                pager: Pager::new(query, knows_precision),
                last: None,
                next: Some(1),
            }),
            finished: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// The page with `token`. The lock is held while it is made: a second request for it waits and gets the same.
    pub(crate) async fn page(&self, token: u64, place: &Place, engine: &Engine) -> Response {
        self.touch();
        let mut pages = self.pages.lock().await;
        if let Some((last, body, changes)) = &pages.last {
            if *last == token {
                return reply(body.clone(), changes.clone());
            }
            if token < *last {
                return (StatusCode::GONE, "Page is gone").into_response();
            }
        }
        if pages.next != Some(token) {
            return (StatusCode::NOT_FOUND, "Page not found").into_response();
        }
        let made = pages.pager.next_page().await;
        let mut changes = HeaderMap::new();
        if let Some(update) = &made.update {
            headers::write(&update.changes, self.prefix, &mut changes);
        }
        let next = (!made.last).then_some(token + 1);
        let now = engine.clock().now_micros();
        let body = Bytes::from(page::results(
            self,
            &made,
            next,
            place,
            now,
            engine.thread_count(),
        ));
        pages.last = Some((token, body.clone(), changes.clone()));
        pages.next = next;
        if next.is_none() {
            self.finished
                .store(true, std::sync::atomic::Ordering::Relaxed);
        }
        self.touch();
        reply(body, changes)
    }

    fn touch(&self) {
        *self
            .last_poll
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn idle(&self) -> Duration {
        self.last_poll
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    fn is_finished(&self) -> bool {
        self.finished.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn reply(body: Bytes, changes: HeaderMap) -> Response {
    let mut response = (
        [(axum::http::header::CONTENT_TYPE, "application/json")],
        body,
    )
        .into_response();
    response.headers_mut().extend(changes);
    response
}

/// All statements by id.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    by_id: Mutex<HashMap<String, Arc<Statement>>>,
}

impl Statements {
    pub(crate) fn add(&self, statement: Statement) {
        let mut all = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(statement.info.id.clone(), Arc::new(statement));
    }

    /// The statement, for whoever knows its slug.
    pub(crate) fn find(&self, id: &str, slug: &str) -> Option<Arc<Statement>> {
        let all = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id)
            .filter(|statement| same(&statement.slug, slug))
            .cloned()
    }

    pub(crate) fn cancel(&self, id: &str, slug: &str) {
        if let Some(statement) = self.find(id, slug) {
            statement.info.cancel(QueryError::new(
                ErrorCode::UserCanceled,
                "Query was canceled",
            ));
            statement
                .finished
                .store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// How many results have not been fetched to their end.
    pub(crate) fn unfetched(&self) -> usize {
        let all = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .filter(|statement| !statement.is_finished())
            .count()
    }

    /// Cancels what nobody polls and forgets what is finished, until told to stop.
    pub(crate) async fn reap(self: Arc<Self>, stop: Shutdown) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REAP_EVERY) => self.reap_once(),
            }
        }
    }

    fn reap_once(&self) {
        let mut all = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, statement| {
            if statement.is_finished() {
                return statement.idle() < FORGOTTEN_AFTER;
            }
            let abandoned = statement.idle() >= ABANDONED_AFTER;
            if abandoned {
                let text = "Query was abandoned by the client: nobody asked for its results";
                statement
                    .info
                    .cancel(QueryError::new(ErrorCode::AbandonedQuery, text));
            }
            !abandoned
        });
        let mut finished: Vec<_> = all
            .values()
            .filter(|statement| statement.is_finished())
            .cloned()
            .collect();
        if finished.len() > MAX_FINISHED {
            finished.sort_by_key(|statement| std::cmp::Reverse(statement.idle()));
            for statement in finished.iter().take(finished.len() - MAX_FINISHED) {
                all.remove(&statement.info.id);
            }
        }
    }
}

/// Compares secrets in a time that does not tell where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |differs, (a, b)| differs | (a ^ b))
            == 0
}
