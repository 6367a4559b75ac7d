//! A plan that can be stopped: operators that make many batches out of few let others have the thread now and then.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

use super::once::read_inner_once;

/// The engine gives way at the sources of rows only. A cross join asks its sources for a few batches and then makes
/// millions of them in one go, which neither a deadline nor a cancellation could interrupt.
pub(super) fn give_way(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let changed = plan.transform_up(|node| {
        let node = read_inner_once(&node)?.unwrap_or(node);
        let name = node.name();
        if name.ends_with("JoinExec") || name == "UnnestExec" {
            return Ok(Transformed::yes(
                Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>
            ));
        }
        Ok(Transformed::no(node))
    })?;
    Ok(changed.data)
}
