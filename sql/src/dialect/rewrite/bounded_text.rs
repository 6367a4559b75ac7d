//! `CAST(x AS varchar(n))` cuts to `n` characters, and `CAST(x AS char(n))` also pads to them; the engine does neither.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CharacterLength, DataType, Expr, Query, Value, visit_expressions_mut,
};

use super::functions::call;

pub(super) fn bound_text_casts(query: &mut Query) {
    let _ = visit_expressions_mut(query, |expr| {
        if let Expr::Cast { data_type, .. } = expr
            && let Some((length, padded)) = bound(data_type)
        {
            *data_type = DataType::Varchar(None);
            let number = Expr::value(Value::Number(length.to_string(), false));
            let whole = std::mem::replace(expr, Expr::value(Value::Null));
            let cut = call("left", vec![whole, number.clone()]);
            *expr = if padded {
                call("rpad", vec![cut, number])
            } else {
                cut
            };
        }
        ControlFlow::<()>::Continue(())
    });
}

fn bound(data_type: &DataType) -> Option<(u64, bool)> {
    match data_type {
        DataType::Varchar(Some(CharacterLength::IntegerLength { length, .. }))
        | DataType::CharacterVarying(Some(CharacterLength::IntegerLength { length, .. })) => {
            Some((*length, false))
        }
        DataType::Char(Some(CharacterLength::IntegerLength { length, .. }))
        | DataType::Character(Some(CharacterLength::IntegerLength { length, .. })) => {
            Some((*length, true))
        }
        DataType::Char(None) | DataType::Character(None) => Some((1, true)),
        _ => None,
    }
}
