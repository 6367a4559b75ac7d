//! `system.metadata.functions`: what `SHOW FUNCTIONS` shows.

use datafusion::execution::SessionStateDefaults;

use super::Rows;

/// One row per function. The engine's functions take many types each, so argument types are not listed.
pub(super) fn functions() -> Rows {
    let mut rows = Rows::new(&[
        "function_name",
        "return_type",
        "argument_types",
        "function_type",
        "deterministic",
        "description",
    ])
    .with_boolean("deterministic");
    let mut add = |name: &str, kind: &str, deterministic: bool, description: &str| {
        rows.push(vec![
            name.into(),
            "".into(),
            "".into(),
            kind.into(),
            deterministic.into(),
            description.into(),
        ]);
    };
    for function in SessionStateDefaults::default_scalar_functions() {
        let volatile =
            function.signature().volatility == datafusion::logical_expr::Volatility::Volatile;
        let text = function
            .documentation()
            .map_or("", |documentation| documentation.description.as_str());
        add(function.name(), "scalar", !volatile, text);
    }
    for function in SessionStateDefaults::default_aggregate_functions() {
        let text = function
            .documentation()
            .map_or("", |documentation| documentation.description.as_str());
        add(function.name(), "aggregate", true, text);
    }
    for function in SessionStateDefaults::default_window_functions() {
        let text = function
            .documentation()
            .map_or("", |documentation| documentation.description.as_str());
        add(function.name(), "window", true, text);
    }
    rows
}
