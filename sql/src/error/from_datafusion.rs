//! The one map from the engine's errors to Trino's.

use arrow::error::ArrowError;
use datafusion::common::{Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use gamepipe_lake::reader::ReadError;

use super::{ErrorCode, QueryError};

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        of_read(&error)
    }
}

/// What a bucket's operator must change is for the log; who asks learns what is the matter.
fn of_read(error: &ReadError) -> QueryError {
    tracing::error!(%error, "the lake can't be read");
    let text = match error {
        ReadError::Bucket { path, .. } => {
            format!("can't read {path} of the lake; the server's log says more")
        }
        _ => error.to_string(),
    };
    QueryError::new(ErrorCode::LakeUnavailable, text)
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let mut mapped = of_root(error.find_root());
        if mapped.position.is_none()
            && let Some(Diagnostic {
                span: Some(span), ..
            }) = error.diagnostic()
        {
            mapped = mapped.at(span.start.line, span.start.column);
        }
        if mapped.code == ErrorCode::GenericInternalError {
            tracing::error!(%error, "a query failed inside the engine");
        }
        mapped
    }
}

fn of_root(root: &DataFusionError) -> QueryError {
    match root {
        DataFusionError::External(inner) => of_external(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => of_arrow(inner),
        DataFusionError::SQL(inner, _) => syntax_error(&inner.to_string()),
        DataFusionError::SchemaError(inner, _) => of_schema(inner),
        DataFusionError::NotImplemented(text) => {
            QueryError::new(ErrorCode::NotSupported, first_line(text))
        }
        DataFusionError::Plan(text) => of_plan(text),
        DataFusionError::ResourcesExhausted(text) => of_resources(text),
        DataFusionError::Execution(text) => of_execution(text),
        DataFusionError::ObjectStore(inner) => lake_unavailable(inner.as_ref()),
        DataFusionError::ParquetError(inner) => lake_unavailable(inner.as_ref()),
        DataFusionError::IoError(inner) => lake_unavailable(inner),
        DataFusionError::Collection(all) => all.first().map_or_else(internal, of_root),
        _ => internal(),
    }
}

fn internal() -> QueryError {
    QueryError::new(
        ErrorCode::GenericInternalError,
        "the query failed inside the engine; the server's log says more",
    )
}

/// The storage's own words may name places on the machine: they go to the log.
fn lake_unavailable(error: &dyn std::error::Error) -> QueryError {
    tracing::error!(%error, "a file of the lake can't be read");
    QueryError::new(
        ErrorCode::LakeUnavailable,
        "a file of the lake can't be read; the server's log says more",
    )
}

fn of_external(inner: &(dyn std::error::Error + Send + Sync + 'static)) -> QueryError {
    if let Some(ours) = inner.downcast_ref::<QueryError>() {
        return ours.clone();
    }
    if let Some(DataFusionError::External(nested)) = inner.downcast_ref::<DataFusionError>() {
        return of_external(nested.as_ref());
    }
    if let Some(nested) = inner.downcast_ref::<DataFusionError>() {
        return of_root(nested.find_root());
    }
    if let Some(arrow) = inner.downcast_ref::<ArrowError>() {
        return of_arrow(arrow);
    }
    if let Some(read) = inner.downcast_ref::<ReadError>() {
        return of_read(read);
    }
    internal()
}

fn of_arrow(error: &ArrowError) -> QueryError {
    match error {
        ArrowError::DivideByZero => QueryError::new(ErrorCode::DivisionByZero, "Division by zero"),
        ArrowError::CastError(text) | ArrowError::ParseError(text) => {
            QueryError::new(ErrorCode::InvalidCastArgument, first_line(text))
        }
        ArrowError::ArithmeticOverflow(text) => {
            QueryError::new(ErrorCode::NumericValueOutOfRange, first_line(text))
        }
        ArrowError::InvalidArgumentError(text)
            if text.contains("overflow") || text.contains("too large to store") =>
        {
            QueryError::new(ErrorCode::NumericValueOutOfRange, first_line(text))
        }
        ArrowError::NotYetImplemented(text) => {
            QueryError::new(ErrorCode::NotSupported, first_line(text))
        }
        ArrowError::ExternalError(inner) => of_external(inner.as_ref()),
        ArrowError::InvalidArgumentError(text) | ArrowError::ComputeError(text) => {
            QueryError::new(ErrorCode::InvalidFunctionArgument, first_line(text))
        }
        _ => internal(),
    }
}

fn of_schema(error: &SchemaError) -> QueryError {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let names = valid_fields.iter().map(|column| column.name.as_str());
            let near = crate::near::nearest(&field.name, names);
            let hint = near
                .map(|name| format!("; did you mean '{name}'?"))
                .unwrap_or_default();
            let text = format!(
                "Column '{}' cannot be resolved{hint}",
                field.flat_name().replace('"', "")
            );
            with_span(
                QueryError::new(ErrorCode::ColumnNotFound, text),
                field.spans().first(),
            )
        }
        SchemaError::AmbiguousReference { field } => {
            let text = format!("Column '{}' is ambiguous", field.name);
            with_span(
                QueryError::new(ErrorCode::AmbiguousName, text),
                field.spans().first(),
            )
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => QueryError::new(
            ErrorCode::AmbiguousName,
            format!("Column '{name}' is ambiguous"),
        ),
    }
}

fn with_span(error: QueryError, span: Option<datafusion::common::Span>) -> QueryError {
    match span {
        Some(span) => error.at(span.start.line, span.start.column),
        None => error,
    }
}

fn of_plan(text: &str) -> QueryError {
    let line = first_line(text);
    let code = if line.starts_with("Invalid function") || line.contains("No function matches") {
        ErrorCode::FunctionNotFound
    } else if line.contains("must be in the GROUP BY clause")
        || line.contains("must appear in the GROUP BY")
    {
        ErrorCode::ExpressionNotAggregate
    } else if line.contains("not allowed") && line.contains("supported: ") {
        ErrorCode::PermissionDenied
    } else if line.contains("Cannot infer common")
        || line.contains("coerce")
        || line.contains("Cannot get result type")
    {
        ErrorCode::TypeMismatch
    } else if line.contains("table '") && line.contains("not found") {
        ErrorCode::TableNotFound
    } else {
        ErrorCode::NotSupported
    };
    QueryError::new(code, line)
}

/// The engine's own words name its operators: they go to the log.
fn of_resources(text: &str) -> QueryError {
    let line = first_line(text);
    if line.contains("disk") || line.contains("spill") {
        return QueryError::new(ErrorCode::ExceededSpillLimit, line);
    }
    tracing::debug!(reason = line, "a query exceeded the memory of all queries");
    QueryError::new(
        ErrorCode::ExceededLocalMemoryLimit,
        "Query exceeded the memory that all queries share (sql.memoryBytes): fewer columns, groups or rows at once need less",
    )
}

fn of_execution(text: &str) -> QueryError {
    let line = first_line(text);
    let code = if line.contains("overflow") || line.contains("out of range") {
        ErrorCode::NumericValueOutOfRange
    } else {
        ErrorCode::InvalidFunctionArgument
    };
    QueryError::new(code, line)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// A parser's text with `at Line: 1, Column: 8` at its end, as an error at that place.
pub(crate) fn syntax_error(text: &str) -> QueryError {
    let text = text.trim_start_matches("sql parser error: ");
    let place = text
        .rfind(" at Line: ")
        .map(|index| (text.get(..index), text.get(index + 10..)));
    if let Some((Some(detail), Some(rest))) = place
        && let Some((line, column)) = rest.split_once(", Column: ")
        && let (Ok(line), Ok(column)) = (line.trim().parse(), column.trim().parse())
    {
        return QueryError::new(ErrorCode::SyntaxError, detail.to_owned()).at(line, column);
    }
    QueryError::new(ErrorCode::SyntaxError, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::syntax_error;
    use crate::error::Position;

    #[test]
    fn a_parsers_place_becomes_the_position() {
        let error = syntax_error(
            "sql parser error: Expected: an expression, found: FROM at Line: 2, Column: 8",
        );
        assert_eq!(error.position, Some(Position { line: 2, column: 8 }));
        assert_eq!(
            error.message(),
            "line 2:8: Expected: an expression, found: FROM"
        );
    }
}
