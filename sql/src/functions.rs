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
mod rewrites;
mod sum;
mod text;

pub(crate) use budget::Budget;

/// Puts them into a query's state, over the engine's functions of the same names.
pub(crate) fn install(state: &mut SessionState, budget: &Arc<Budget>) -> Result<()> {
    let grown: Vec<Arc<ScalarUDF>> = state
        .scalar_functions()
        .iter()
        // Functions are known by their aliases too: one entry of each is enough.
        .filter(|(name, function)| name.as_str() == function.name())
        .filter_map(|(_, function)| bounded::bounded(function, budget))
        .collect();
    for function in grown {
        state.register_udf(function)?;
    }
    if let Some(engines) = state.aggregate_functions().get("sum").cloned() {
        let checked = AggregateUDF::new_from_impl(sum::CheckedSum::new(engines));
        state.register_udaf(Arc::new(checked))?;
    }
    state.register_function_rewrite(Arc::new(rewrites::TrinoMeaning::new(budget)))
}
