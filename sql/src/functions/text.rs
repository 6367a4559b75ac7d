//! Text: concatenation that is null when a part is, and moments as Trino writes them.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DataFusionError, Result};
use datafusion::functions::utils::make_scalar_function;
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
        make_scalar_function(concatenated, Vec::new())(&args.args)
    }
}

fn concatenated(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let parts: Vec<_> = arrays
        .iter()
        .map(|array| array.as_string::<i32>())
        .collect();
    let rows = parts.first().map_or(0, |part| part.len());
    // Of the rows that are here: the buffer behind a slice may hold many more.
    let bytes = parts
        .iter()
        .map(|part| match part.value_offsets() {
            [first, .., last] => usize::try_from(last - first).unwrap_or(0),
            _ => 0,
        })
        .sum();
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
    Ok(Arc::new(out.finish()))
}

fn too_long() -> DataFusionError {
    DataFusionError::Execution("the concatenated text is too long".to_owned())
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
        make_scalar_function(moments, Vec::new())(&args.args)
    }
}

fn moments(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let [array] = arrays else {
        let text = "moment_text takes one argument".to_owned();
        return Err(DataFusionError::Execution(text));
    };
    let nanos = matches!(
        array.data_type(),
        DataType::Timestamp(TimeUnit::Nanosecond, _)
    );
    let writer = Writer::new(array, None)?;
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
        let text = String::from_utf8_lossy(json.get(1..json.len() - 1).unwrap_or_default());
        match nanos {
            true => out.append_value(needed_digits(&text)),
            false => out.append_value(text),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// The engine counts in nanoseconds what was written with fewer digits. Trino's type would have the digits that were
/// written: three, six or nine are shown, or none, as each value needs.
fn needed_digits(text: &str) -> String {
    let Some((before, behind)) = text.split_once('.') else {
        return text.to_owned();
    };
    let end = behind.find(|letter: char| !letter.is_ascii_digit());
    let (digits, zone) = behind.split_at(end.unwrap_or(behind.len()));
    let mut needed = digits;
    while let Some(shorter) = needed.strip_suffix("000") {
        needed = shorter;
    }
    match needed {
        "" => format!("{before}{zone}"),
        needed => format!("{before}.{needed}{zone}"),
    }
}

#[cfg(test)]
mod tests {
    use super::needed_digits;

    #[test]
    fn each_moment_shows_the_digits_that_it_needs() {
        for (written, shown) in [
            ("2026-01-02 03:04:05.000000000", "2026-01-02 03:04:05"),
            ("2026-01-02 03:04:05.120000000", "2026-01-02 03:04:05.120"),
            (
                "2026-01-02 03:04:05.000001000 UTC",
                "2026-01-02 03:04:05.000001 UTC",
            ),
            (
                "2026-01-02 03:04:05.000000001",
                "2026-01-02 03:04:05.000000001",
            ),
            (
                "2026-01-02 03:04:05.000000000 UTC",
                "2026-01-02 03:04:05 UTC",
            ),
            ("2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        ] {
            assert_eq!(needed_digits(written), shown);
        }
    }
}
