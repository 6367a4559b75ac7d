//! Functions that differ from the engine's own: what Trino means by them, and how much memory their results may take.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::AggregateUDF;

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

/// Puts those that need nothing of a query into what all queries begin with.
pub(crate) fn add(builder: &mut SessionStateBuilder) {
    let scalar = builder.scalar_functions().get_or_insert_default();
    scalar.extend(json::functions());
    for function in builder.aggregate_functions().get_or_insert_default() {
        if function.name() == "sum" {
            let checked = sum::CheckedSum::new(function.clone());
            *function = Arc::new(AggregateUDF::new_from_impl(checked));
        }
    }
}

/// Exchanges functions where a query's plan calls them: what the engine puts into plans by itself is met, too.
pub(crate) fn exchange(state: &mut SessionState, budget: &Arc<Budget>) -> Result<()> {
    state.register_function_rewrite(Arc::new(rewrites::TrinoMeaning::new(budget)))
}
