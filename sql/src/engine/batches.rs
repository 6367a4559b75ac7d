//! How many rows a batch may have: fewer when a plan's own constants make the rows wide.

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// What the constants of a batch may take, in bytes: they are repeated for each of its rows, and no operator counts them.
const MAX_CONSTANT_BYTES: usize = 64 << 20;
/// A column takes this much a row, at least, in bytes.
const COLUMN_BYTES: usize = 8;

/// The rows of a batch for an optimized plan: `usual`, or as many as its constants leave room for.
pub(super) fn rows_per_batch(plan: &LogicalPlan, usual: usize) -> Result<usize> {
    let mut widest = 0;
    plan.apply_with_subqueries(|node| {
        // Conditions and rows of `VALUES` are not repeated.
        let repeats = !matches!(
            node,
            LogicalPlan::Filter(_) | LogicalPlan::TableScan(_) | LogicalPlan::Values(_)
        );
        if repeats {
            let mut width = 0;
            node.apply_expressions(|expr| {
                width += COLUMN_BYTES + constant_bytes(expr)?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            widest = widest.max(width);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(usual.min(MAX_CONSTANT_BYTES / widest.max(1)).max(1))
}

fn constant_bytes(expr: &Expr) -> Result<usize> {
    let mut bytes = 0;
    expr.apply(|part| {
        if let Expr::Literal(value, _) = part {
            bytes += value.size();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(bytes)
}
