//! Functions that differ from the engine's own: what Trino means by them, and how much memory their results may take.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

mod arithmetic;
mod bounded;
mod budget;
mod estimate;
mod json;
mod rewrites;
mod substr;
mod sum;
mod text;

pub(crate) use budget::Budget;

/// Functions that the engine lacks; they need nothing of a query.
pub(crate) fn added() -> Vec<Arc<ScalarUDF>> {
    json::functions()
}

/// Puts the others into a query's state. Scalar functions are exchanged where a plan calls them: operators call some, too.
pub(crate) fn install(state: &mut SessionState, budget: &Arc<Budget>) -> Result<()> {
    if let Some(engines) = state.aggregate_functions().get("sum").cloned() {
        let checked = AggregateUDF::new_from_impl(sum::CheckedSum::new(engines));
        state.register_udaf(Arc::new(checked))?;
    }
    state.register_function_rewrite(Arc::new(rewrites::TrinoMeaning::new(budget)))
}
