//! `extract(field FROM x)`: Trino counts Monday as day 1 and Sunday as day 7, and knows more words for the fields.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{DateTimeField, Expr, Ident, Query, visit_expressions_mut};

pub(super) fn use_trino_date_parts(query: &mut Query) {
    let _ = visit_expressions_mut(query, |expr| {
        if let Expr::Extract { field, .. } = expr {
            let name = field.to_string().to_lowercase();
            let part = match name.as_str() {
                "dow" | "day_of_week" | "dayofweek" => "isodow",
                "day_of_year" | "dayofyear" => "doy",
                "day_of_month" => "day",
                "year_of_week" | "yow" => "isoyear",
                _ => return ControlFlow::<()>::Continue(()),
            };
            *field = DateTimeField::Custom(Ident::new(part));
        }
        ControlFlow::Continue(())
    });
}
