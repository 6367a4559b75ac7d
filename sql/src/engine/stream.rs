//! Run and stream: a plan's batches to whoever asked, no faster than they are taken.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::history::QueryInfo;
use super::plan::{Planned, PlannedQuery};
use super::{Engine, Event, explain};
use crate::error::{ErrorCode, QueryError};
use crate::result::Columns;

type Events = mpsc::Sender<Result<Event, QueryError>>;

/// Sends all events of what was planned.
pub(super) async fn run(
    engine: &Engine,
    planned: Planned,
    info: &Arc<QueryInfo>,
    events: &Events,
) -> Result<(), QueryError> {
    match planned {
        Planned::Query(query) => rows(engine, *query, info, events).await,
        Planned::Explain(mode, query) => {
            let (columns, batch) = explain::explain(mode, *query, info).await?;
            send(events, Event::Columns(columns)).await?;
            send(events, Event::Batch(batch)).await
        }
        Planned::Rows(columns, batches) => {
            send(events, Event::Columns(columns)).await?;
            for batch in batches {
                info.rows
                    .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
                send(events, Event::Batch(batch)).await?;
            }
            Ok(())
        }
        Planned::Update(update) => send(events, Event::Update(update)).await,
    }
}

async fn rows(
    engine: &Engine,
    mut query: PlannedQuery,
    info: &Arc<QueryInfo>,
    events: &Events,
) -> Result<(), QueryError> {
    let names = query.column_names();
    let plan = query.physical_plan().await?;
    let columns = Arc::new(Columns::new(plan.schema(), names));
    info.watch(plan.clone(), query.state.runtime_env().memory_pool.clone());
    send(events, Event::Columns(columns)).await?;
    let most = engine.config().max_rows;
    let mut batches = execute_stream(plan, query.state.task_ctx())?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        let so_far = info
            .rows
            .fetch_add(batch.num_rows() as u64, Ordering::Relaxed)
            + batch.num_rows() as u64;
        if so_far > most {
            let text = format!("the result has more than {most} rows; add a LIMIT or a condition");
            return Err(QueryError::new(ErrorCode::ExceededRowLimit, text));
        }
        send(events, Event::Batch(batch)).await?;
    }
    Ok(())
}

/// Waits until the client takes it: that is the back-pressure.
async fn send(events: &Events, event: Event) -> Result<(), QueryError> {
    let gone = |_| QueryError::new(ErrorCode::UserCanceled, "Query was canceled");
    events.send(Ok(event)).await.map_err(gone)
}
