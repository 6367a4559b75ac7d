//! Cuts a query's events into pages.

use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use tokio::time::Instant;

use crate::engine::{Event, Query, Update};
use crate::error::QueryError;
use crate::frontends::plain::write_rows;
use crate::result::Columns;

/// A poll waits so long for something to say, as in Trino.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Once there are rows, the page waits only so long for more.
const MAX_WAIT_FOR_MORE: Duration = Duration::from_millis(20);
/// A page is full at about this size.
const PAGE_BYTES: usize = 1 << 20;
/// Rows encoded at a time: a page overshoots its size by no more than so many.
const ROWS_AT_ONCE: usize = 1024;
/// The digits of seconds for clients that know no precision.
const MILLISECOND_DIGITS: u32 = 3;

/// One page's content.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) columns: Option<Arc<Columns>>,
    pub(crate) knows_precision: bool,
    /// Rows as JSON lists, separated by commas.
    pub(crate) data: Vec<u8>,
    pub(crate) rows: u64,
    pub(crate) update: Option<Update>,
    pub(crate) error: Option<QueryError>,
    /// Nothing comes after it.
    pub(crate) last: bool,
}

/// A query and how much of it has been paged.
#[derive(Debug)]
pub(crate) struct Pager {
    query: Option<Query>,
    columns: Option<Arc<Columns>>,
    knows_precision: bool,
    /// A batch and the first of its rows that no page has yet.
    carry: Option<(RecordBatch, usize)>,
    update: Option<Update>,
    error: Option<QueryError>,
}

impl Pager {
    pub(crate) fn new(query: Query, knows_precision: bool) -> Self {
        Self {
            query: Some(query),
            columns: None,
            knows_precision,
            carry: None,
            update: None,
            error: None,
        }
    }

    /// The next page. Rows are never on the last one: clients stop reading when they see that it is the last.
    pub(crate) async fn next_page(&mut self) -> Page {
        let mut page = Page {
            knows_precision: self.knows_precision,
            ..Page::default()
        };
        let mut until = Instant::now() + MAX_WAIT;
        while page.data.len() < PAGE_BYTES {
            if let Err(error) = self.encode_carried(&mut page) {
                self.fail(error);
            }
            if self.carry.is_some() || self.query.is_none() {
                break;
            }
            if page.rows > 0 {
                until = until.min(Instant::now() + MAX_WAIT_FOR_MORE);
            }
            let Some(query) = &mut self.query else { break };
            match tokio::time::timeout_at(until, query.next()).await {
                Err(_) => break,
                Ok(None) => self.query = None,
                Ok(Some(Err(error))) => self.fail(error),
                Ok(Some(Ok(Event::Columns(columns)))) => self.columns = Some(columns),
                Ok(Some(Ok(Event::Batch(batch)))) => self.carry = Some((batch, 0)),
                Ok(Some(Ok(Event::Update(update)))) => self.update = Some(update),
            }
        }
        page.columns.clone_from(&self.columns);
        let ended = self.query.is_none() && self.carry.is_none();
        if ended && page.rows == 0 {
            page.last = true;
            page.update = self.update.take();
            page.error = self.error.take();
        }
        page
    }

    fn fail(&mut self, error: QueryError) {
        self.query = None;
        self.carry = None;
        self.error = Some(error);
    }

    fn encode_carried(&mut self, page: &mut Page) -> Result<(), QueryError> {
        let digits = (!self.knows_precision).then_some(MILLISECOND_DIGITS);
        while let Some((batch, from)) = self.carry.take() {
            let taken = ROWS_AT_ONCE.min(batch.num_rows() - from);
            write_rows(
                &batch.slice(from, taken),
                digits,
                &mut page.rows,
                &mut page.data,
            )?;
            if from + taken < batch.num_rows() {
                self.carry = Some((batch, from + taken));
            }
            if page.data.len() >= PAGE_BYTES {
                break;
            }
        }
        Ok(())
    }
}
