//! `EXPLAIN`: a plan as text.

use std::sync::Arc;

use arrow::array::{BooleanArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;

use super::history::QueryInfo;
use super::plan::PlannedQuery;
use crate::dialect::commands::ExplainMode;
use crate::error::{ErrorCode, QueryError};
use crate::result::Columns;

/// The plan of a query as one row.
pub(super) async fn explain(
    mode: ExplainMode,
    mut query: PlannedQuery,
    info: &Arc<QueryInfo>,
) -> Result<(Arc<Columns>, RecordBatch), QueryError> {
    if mode == ExplainMode::Logical {
        return text(
            query
                .state
                .optimize(&query.plan)?
                .display_indent()
                .to_string(),
        );
    }
    let plan = query.physical_plan().await?;
    match mode {
        ExplainMode::Validate => {
            let schema = Arc::new(Schema::new(vec![Field::new(
                "Valid",
                DataType::Boolean,
                false,
            )]));
            row(schema, Arc::new(BooleanArray::from(vec![true])))
        }
        ExplainMode::Analyze => {
            info.watch(plan.clone(), query.state.runtime_env().memory_pool.clone());
            let mut batches = execute_stream(plan.clone(), query.state.task_ctx())?;
            while let Some(batch) = batches.next().await {
                batch?;
            }
            text(
                DisplayableExecutionPlan::with_metrics(plan.as_ref())
                    .indent(false)
                    .to_string(),
            )
        }
        _ => text(
            DisplayableExecutionPlan::new(plan.as_ref())
                .indent(false)
                .to_string(),
        ),
    }
}

fn text(plan: String) -> Result<(Arc<Columns>, RecordBatch), QueryError> {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "Query Plan",
        DataType::Utf8,
        false,
    )]));
    // Names that only we can write are shown as what they stand for.
    row(
        schema,
        Arc::new(StringArray::from(vec![plan.replace('\u{1}', "#")])),
    )
}

fn row(
    schema: Arc<Schema>,
    column: arrow::array::ArrayRef,
) -> Result<(Arc<Columns>, RecordBatch), QueryError> {
    let names = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let batch = RecordBatch::try_new(schema.clone(), vec![column]);
    let batch = batch
        .map_err(|error| QueryError::new(ErrorCode::GenericInternalError, error.to_string()))?;
    Ok((Arc::new(Columns::new(schema, names)), batch))
}

/// Refuses plans with steps that are not queries, whatever let them through.
pub(super) fn check_leaves(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut forbidden = None;
    plan.apply_with_subqueries(|node| {
        let is_query = !matches!(
            node,
            LogicalPlan::Copy(_)
                | LogicalPlan::Ddl(_)
                | LogicalPlan::Dml(_)
                | LogicalPlan::Statement(_)
                | LogicalPlan::Explain(_)
                | LogicalPlan::Analyze(_)
                | LogicalPlan::DescribeTable(_)
                | LogicalPlan::Extension(_)
        );
        if !is_query {
            forbidden = Some(node.display().to_string());
        }
        Ok(if is_query {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    })?;
    match forbidden {
        None => Ok(()),
        Some(_) => Err(QueryError::new(
            ErrorCode::PermissionDenied,
            "Access Denied: this endpoint only reads",
        )),
    }
}
