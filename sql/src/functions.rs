//! Functions that differ from the engine's own: what Trino means by them, and how large their results may become.

use std::sync::Arc;

use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::ScalarUDF;

mod capped;
mod checked;
mod rewrites;
mod text;

use capped::Capped;

/// Puts them into the base of every session, over the engine's functions of the same names.
pub(crate) fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let mut functions = builder.scalar_functions().take().unwrap_or_default();
    for function in &mut functions {
        if let Some(estimate) = capped::estimate_for(function.name()) {
            *function = Arc::new(ScalarUDF::new_from_impl(Capped::new(
                function.clone(),
                estimate,
            )));
        }
    }
    functions.extend(checked::functions());
    functions.extend(text::functions());
    *builder.scalar_functions() = Some(functions);
    builder
}

pub(crate) use rewrites::TrinoMeaning;
