//! `substr` as in Trino: the first character is 1, a negative start counts from the end, and 0 is nowhere.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

/// `substr(text, start)` and `substr(text, start, length)`.
pub(super) fn trino_substr() -> Arc<ScalarUDF> {
    let with = |types: &[DataType]| TypeSignature::Exact(types.to_vec());
    let (text, number) = (DataType::Utf8, DataType::Int64);
    let shapes = vec![
        with(&[text.clone(), number.clone()]),
        with(&[text, number.clone(), number]),
    ];
    Arc::new(ScalarUDF::new_from_impl(Substr {
        signature: Signature::one_of(shapes, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Substr {
    signature: Signature,
}

impl ScalarUDFImpl for Substr {
    fn name(&self) -> &str {
        "substr"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(parts, Vec::new())(&args.args)
    }
}

fn parts(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let (texts, starts, lengths) = match arrays {
        [texts, starts] => (texts, starts, None),
        [texts, starts, lengths] => (texts, starts, Some(lengths)),
        _ => {
            let text = "substr takes two or three arguments".to_owned();
            return Err(DataFusionError::Execution(text));
        }
    };
    let texts = texts.as_string::<i32>();
    let starts = starts.as_primitive::<Int64Type>();
    let lengths = lengths.map(|lengths| lengths.as_primitive::<Int64Type>());
    let mut out = StringBuilder::new();
    for row in 0..texts.len() {
        let null = texts.is_null(row)
            || starts.is_null(row)
            || lengths.is_some_and(|lengths| lengths.is_null(row));
        if null {
            out.append_null();
            continue;
        }
        let length = lengths.map_or(i64::MAX, |lengths| lengths.value(row));
        out.append_value(part(texts.value(row), starts.value(row), length));
    }
    Ok(Arc::new(out.finish()))
}

/// `length` characters from the character `start` on.
fn part(text: &str, start: i64, length: i64) -> &str {
    let skipped = match start {
        0 => return "",
        1.. => start - 1,
        _ => {
            let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            match count.checked_add(start) {
                Some(skipped @ 0..) => skipped,
                _ => return "",
            }
        }
    };
    let Some(rest) = after(text, skipped) else {
        return "";
    };
    match after(rest, length.max(0)) {
        Some(behind) => rest.strip_suffix(behind).unwrap_or(rest),
        None => rest,
    }
}

/// What comes behind the first `count` characters, when there are that many.
fn after(text: &str, count: i64) -> Option<&str> {
    let count = usize::try_from(count).ok()?;
    if text.is_ascii() {
        return text.get(count..);
    }
    let mut places = text.char_indices().map(|(place, _)| place);
    match places.nth(count) {
        Some(place) => text.get(place..),
        None if text.chars().count() == count => Some(""),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn characters_are_counted_from_either_end() {
        for (start, length, expected) in [
            (1, i64::MAX, "añc"),
            (2, 1, "ñ"),
            (3, 5, "c"),
            (4, 1, ""),
            (0, 2, ""),
            (-1, 5, "c"),
            (-2, 1, "ñ"),
            (-4, 1, ""),
            (1, -1, ""),
            (i64::MIN, 1, ""),
            (i64::MAX, i64::MAX, ""),
        ] {
            assert_eq!(part("añc", start, length), expected, "{start}, {length}");
        }
        assert_eq!(part("abc", 2, 1), "b");
        assert_eq!(part("", 1, 1), "");
    }
}
