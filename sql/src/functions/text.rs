//! Text: concatenation that is null when a part is, and moments as Trino writes them.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::result::json::Writer;

/// `a || b || c` for text. The engine's own `concat` leaves nulls out.
pub(super) fn concat_text() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Concat {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// `CAST(timestamp AS varchar)`.
pub(super) fn moment_text() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(MomentText {
        signature: Signature::any(1, Volatility::Stable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Concat {
    signature: Signature,
}

impl ScalarUDFImpl for Concat {
    fn name(&self) -> &str {
        "concat_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Utf8; kinds.len()])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args
            .args
            .iter()
            .map(|arg| arg.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let parts: Vec<_> = arrays
            .iter()
            .map(|array| array.as_string::<i32>())
            .collect();
        let bytes = parts.iter().map(|part| part.value_data().len()).sum();
        let mut out = StringBuilder::with_capacity(rows, bytes);
        for row in 0..rows {
            if parts.iter().any(|part| part.is_null(row)) {
                out.append_null();
                continue;
            }
            for part in &parts {
                out.write_str(part.value(row)).map_err(|_| too_long())?;
            }
            // The value is what was written since the last one.
            out.append_value("");
        }
        finish(Arc::new(out.finish()), constant)
    }
}

fn too_long() -> DataFusionError {
    DataFusionError::Execution("the concatenated text is too long".to_owned())
}

fn finish(array: ArrayRef, constant: bool) -> Result<ColumnarValue> {
    if constant {
        return datafusion::common::ScalarValue::try_from_array(&array, 0)
            .map(ColumnarValue::Scalar);
    }
    Ok(ColumnarValue::Array(array))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MomentText {
    signature: Signature,
}

impl ScalarUDFImpl for MomentText {
    fn name(&self) -> &str {
        "moment_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(arg) = args.args.first() else {
            return Err(DataFusionError::Execution(
                "moment_text takes one argument".to_owned(),
            ));
        };
        let constant = matches!(arg, ColumnarValue::Scalar(_));
        let array = arg.to_array(if constant { 1 } else { args.number_rows })?;
        let writer = Writer::new(&trimmed(&array)?, None)?;
        let mut out = StringBuilder::new();
        let mut json = Vec::new();
        for row in 0..array.len() {
            if array.is_null(row) {
                out.append_null();
                continue;
            }
            json.clear();
            writer.write(row, &mut json)?;
            // Moments have nothing to escape: the text is what stands between the quotes.
            out.append_value(String::from_utf8_lossy(
                json.get(1..json.len() - 1).unwrap_or_default(),
            ));
        }
        finish(Arc::new(out.finish()), constant)
    }
}

/// The engine counts literals in nanoseconds whatever digits they were written with. Trino's type would have the digits
/// that were written: those that are needed are shown.
fn trimmed(array: &ArrayRef) -> Result<ArrayRef> {
    let DataType::Timestamp(TimeUnit::Nanosecond, zone) = array.data_type() else {
        return Ok(array.clone());
    };
    let nanos = cast(array, &DataType::Int64)?;
    let nanos = nanos.as_primitive::<arrow::datatypes::Int64Type>();
    let all = |unit: i64| nanos.iter().flatten().all(|value| value % unit == 0);
    let unit = if all(1_000_000_000) {
        TimeUnit::Second
    } else if all(1_000_000) {
        TimeUnit::Millisecond
    } else if all(1_000) {
        TimeUnit::Microsecond
    } else {
        TimeUnit::Nanosecond
    };
    Ok(cast(array, &DataType::Timestamp(unit, zone.clone()))?)
}
