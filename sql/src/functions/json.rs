//! JSON text: `json_extract`, `json_extract_scalar` and `json_array_length`. Lists, maps and raw events are such text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Builder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde_json::Value;

use crate::error::{ErrorCode, QueryError};

/// All of them.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Kind::Extract, Kind::ExtractScalar, Kind::ArrayLength]
        .into_iter()
        .map(|kind| {
            let texts = match kind {
                Kind::ArrayLength => vec![DataType::Utf8],
                _ => vec![DataType::Utf8; 2],
            };
            Arc::new(ScalarUDF::new_from_impl(Json {
                kind,
                signature: Signature::exact(texts, Volatility::Immutable),
            }))
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Extract,
    ExtractScalar,
    ArrayLength,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Json {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Json {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Extract => "json_extract",
            Kind::ExtractScalar => "json_extract_scalar",
            Kind::ArrayLength => "json_array_length",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::ArrayLength => DataType::Int64,
            _ => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let kind = self.kind;
        let work = move |arrays: &[ArrayRef]| match (kind, arrays) {
            (Kind::ArrayLength, [texts]) => Ok(lengths(texts)),
            (kind, [texts, paths]) => extracted(kind, texts, paths),
            _ => {
                let text = "a JSON function takes a text and a path".to_owned();
                Err(DataFusionError::Execution(text))
            }
        };
        make_scalar_function(work, Vec::new())(&args.args)
    }
}

fn extracted(kind: Kind, texts: &ArrayRef, paths: &ArrayRef) -> Result<ArrayRef> {
    let (texts, paths) = (texts.as_string::<i32>(), paths.as_string::<i32>());
    let mut out = StringBuilder::new();
    // Nearly always the same path in all rows: it is read once.
    let mut known: Option<(&str, Vec<Step>)> = None;
    for row in 0..texts.len() {
        if texts.is_null(row) || paths.is_null(row) {
            out.append_null();
            continue;
        }
        let path = paths.value(row);
        let steps = match known.take() {
            Some((same, steps)) if same == path => steps,
            _ => parse_path(path)?,
        };
        out.append_option(extract(kind, texts.value(row), &steps));
        known = Some((path, steps));
    }
    Ok(Arc::new(out.finish()))
}

fn lengths(texts: &ArrayRef) -> ArrayRef {
    let mut out = Int64Builder::new();
    for text in texts.as_string::<i32>() {
        let items = text.and_then(|text| match serde_json::from_str(text) {
            Ok(Value::Array(items)) => i64::try_from(items.len()).ok(),
            _ => None,
        });
        out.append_option(items);
    }
    Arc::new(out.finish())
}

/// What stands at the path; nothing for a text that is not JSON, or where the path leads nowhere.
fn extract(kind: Kind, text: &str, steps: &[Step]) -> Option<String> {
    let whole: Value = serde_json::from_str(text).ok()?;
    let mut value = &whole;
    for step in steps {
        value = match step {
            Step::Member(name) => value.get(name)?,
            Step::Item(index) => value.get(index)?,
        };
    }
    match (kind, value) {
        (Kind::Extract, value) => Some(value.to_string()),
        (_, Value::String(text)) => Some(text.clone()),
        (_, Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    }
}

/// One part of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

/// `$`, and then any number of `.name`, `["name"]` and `[0]`.
fn parse_path(path: &str) -> Result<Vec<Step>> {
    let wrong = || {
        let text = format!("Invalid JSON path: '{path}'; such as $.name, $[\"a name\"] or $[0]");
        let error = QueryError::new(ErrorCode::InvalidFunctionArgument, text);
        DataFusionError::External(Box::new(error))
    };
    let mut rest = path.strip_prefix('$').ok_or_else(wrong)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('.') {
            let end = behind.find(['.', '[']).unwrap_or(behind.len());
            let (name, after) = behind.split_at(end);
            if name.is_empty() || name.contains(['*', '"', ' ']) {
                return Err(wrong());
            }
            steps.push(Step::Member(name.to_owned()));
            rest = after;
            continue;
        }
        let inside = rest.strip_prefix('[').ok_or_else(wrong)?;
        if let Some(quoted) = inside.strip_prefix('"') {
            let (name, after) = quoted.split_once("\"]").ok_or_else(wrong)?;
            steps.push(Step::Member(name.to_owned()));
            rest = after;
        } else {
            let (index, after) = inside.split_once(']').ok_or_else(wrong)?;
            steps.push(Step::Item(index.parse().map_err(|_| wrong())?));
            rest = after;
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::{Kind, Step, extract, parse_path};

    #[test]
    fn a_path_names_members_and_items() {
        let member = |name: &str| Step::Member(name.to_owned());
        assert_eq!(
            parse_path("$.a[0][\"b.c\"].d").unwrap(),
            [member("a"), Step::Item(0), member("b.c"), member("d")]
        );
        assert_eq!(parse_path("$").unwrap(), []);
        for wrong in [
            "", "a", "$a", "$.", "$..a", "$[", "$[-1]", "$[\"a\"", "$.*", "$[x]",
        ] {
            assert!(parse_path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_scalars_are_scalars() {
        let text = r#"{"a": [1, "two", {"b": null}], "c": true}"#;
        let at = |kind, path: &str| extract(kind, text, &parse_path(path).unwrap());
        let scalar = |path| at(Kind::ExtractScalar, path);
        assert_eq!(scalar("$.a[0]").as_deref(), Some("1"));
        assert_eq!(scalar("$.a[1]").as_deref(), Some("two"));
        assert_eq!(scalar("$.c").as_deref(), Some("true"));
        for nothing in ["$.a", "$.a[2].b", "$.a[9]", "$.x", "$.c.d"] {
            assert_eq!(scalar(nothing), None, "{nothing}");
        }
        assert_eq!(
            at(Kind::Extract, "$.a[2]").as_deref(),
            Some(r#"{"b":null}"#)
        );
        assert_eq!(extract(Kind::Extract, "not json", &[]), None);
    }
}
