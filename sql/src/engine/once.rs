//! The inner side of a nested-loop join, read once.
//!
//! A join whose inner side outgrows the query's memory starts that side a second time to put it on disk. A side that is
//! spread over threads can't be started twice: the library panics. Here the second start is the error that it is: the side
//! does not fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, resources_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    replace_children_if_necessary,
};

/// `node` with an inner side that is read once, if it is a nested-loop join that could not read it twice.
pub(super) fn read_inner_once(
    node: &Arc<dyn ExecutionPlan>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if !node.is::<NestedLoopJoinExec>() {
        return Ok(None);
    }
    let mut children: Vec<_> = node.children().into_iter().cloned().collect();
    let Some(inner) = children.first_mut().filter(|inner| is_spread(inner)) else {
        return Ok(None);
    };
    // The join reads one partition of it, whatever the side is made of.
    if inner.output_partitioning().partition_count() != 1 {
        return Ok(None);
    }
    *inner = Arc::new(OnceExec {
        input: Arc::clone(inner),
        started: AtomicBool::new(false),
    });
    replace_children_if_necessary(Arc::clone(node), children).map(Some)
}

fn is_spread(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<RepartitionExec>() || plan.children().into_iter().any(is_spread)
}

#[derive(Debug)]
struct OnceExec {
    input: Arc<dyn ExecutionPlan>,
    started: AtomicBool,
}

impl DisplayAs for OnceExec {
    fn fmt_as(
        &self,
        _form: DisplayFormatType,
        out: &mut std::fmt::Formatter<'_>,
    ) -> std::fmt::Result {
        write!(out, "OnceExec")
    }
}

impl ExecutionPlan for OnceExec {
    fn name(&self) -> &str {
        "OnceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            input: children.swap_remove(0),
            started: AtomicBool::new(false),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if self.started.swap(true, Ordering::Relaxed) {
            return resources_err!("the inner side of a join does not fit the query's memory");
        }
        self.input.execute(partition, context)
    }
}
