//! Trino's error names, numbers and types. Clients match on them.

/// Who can do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorType {
    /// The author of the query.
    User,
    /// Nobody but us.
    Internal,
    /// Whoever set the limits.
    InsufficientResources,
    /// Whoever runs the storage.
    External,
}

impl ErrorType {
    /// As it stands in replies.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "USER_ERROR",
            Self::Internal => "INTERNAL_ERROR",
            Self::InsufficientResources => "INSUFFICIENT_RESOURCES",
            Self::External => "EXTERNAL",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal $kind:ident $status:literal;)*) => {
        /// A kind of failure, named and numbered as in Trino.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// All of them.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// `SYNTAX_ERROR` and so on.
            pub(crate) fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }
            /// Trino's number.
            pub(crate) fn number(self) -> u32 { match self { $(Self::$variant => $number,)* } }
            /// Who can do something about it.
            pub(crate) fn kind(self) -> ErrorType { match self { $(Self::$variant => ErrorType::$kind,)* } }
            /// The status of a plain HTTP reply.
            pub(crate) fn http_status(self) -> u16 { match self { $(Self::$variant => $status,)* } }
        }
    };
}

codes! {
    /// The text is not SQL.
    SyntaxError = 1 "SYNTAX_ERROR" User 400;
    /// Nobody asked for the rows.
    AbandonedQuery = 2 "ABANDONED_QUERY" User 499;
    /// Cancelled by its user.
    UserCanceled = 3 "USER_CANCELED" User 499;
    /// The statement would write, or is not allowed for another reason.
    PermissionDenied = 4 "PERMISSION_DENIED" User 403;
    /// No such prepared statement, query or session property.
    NotFound = 5 "NOT_FOUND" User 404;
    /// No such function, or not for these types.
    FunctionNotFound = 6 "FUNCTION_NOT_FOUND" User 400;
    /// A whole number was divided by zero.
    DivisionByZero = 8 "DIVISION_BY_ZERO" User 400;
    /// A value can't be converted.
    InvalidCastArgument = 9 "INVALID_CAST_ARGUMENT" User 400;
    /// Valid SQL that this engine does not do.
    NotSupported = 13 "NOT_SUPPORTED" User 400;
    /// A session property that does not exist.
    InvalidSessionProperty = 14 "INVALID_SESSION_PROPERTY" User 400;
    /// A number does not fit its type.
    NumericValueOutOfRange = 19 "NUMERIC_VALUE_OUT_OF_RANGE" User 400;
    /// A function got a value it can't take.
    InvalidFunctionArgument = 7 "INVALID_FUNCTION_ARGUMENT" User 400;
    /// Killed by an administrator (`kill_query`).
    AdministrativelyKilled = 38 "ADMINISTRATIVELY_KILLED" User 499;
    /// The query is too complex to plan.
    QueryRejected = 31 "QUERY_REJECTED" User 400;
    /// The text is too long.
    QueryTextTooLarge = 35 "QUERY_TEXT_TOO_LARGE" User 413;
    /// No such catalog.
    CatalogNotFound = 44 "CATALOG_NOT_FOUND" User 404;
    /// No such schema.
    SchemaNotFound = 45 "SCHEMA_NOT_FOUND" User 404;
    /// No such table.
    TableNotFound = 46 "TABLE_NOT_FOUND" User 404;
    /// No such column.
    ColumnNotFound = 47 "COLUMN_NOT_FOUND" User 400;
    /// A name that stands for two things.
    AmbiguousName = 62 "AMBIGUOUS_NAME" User 400;
    /// Types that don't go together.
    TypeMismatch = 58 "TYPE_MISMATCH" User 400;
    /// Parameters that don't match the statement.
    InvalidParameterUsage = 85 "INVALID_PARAMETER_USAGE" User 400;
    /// A column that is neither grouped nor aggregated.
    ExpressionNotAggregate = 53 "EXPRESSION_NOT_AGGREGATE" User 400;
    /// Our fault.
    GenericInternalError = 65_536 "GENERIC_INTERNAL_ERROR" Internal 500;
    /// The process is stopping.
    ServerShuttingDown = 65_545 "SERVER_SHUTTING_DOWN" Internal 503;
    /// Too many queries are waiting.
    QueryQueueFull = 131_074 "QUERY_QUEUE_FULL" InsufficientResources 429;
    /// The query took too long.
    ExceededTimeLimit = 131_075 "EXCEEDED_TIME_LIMIT" InsufficientResources 504;
    /// The query would need more disk than it may use.
    ExceededSpillLimit = 131_078 "EXCEEDED_SPILL_LIMIT" InsufficientResources 507;
    /// The query would need more memory than it may use.
    ExceededLocalMemoryLimit = 131_079 "EXCEEDED_LOCAL_MEMORY_LIMIT" InsufficientResources 507;
    /// The query returns more rows than the server allows.
    ExceededRowLimit = 131_328 "EXCEEDED_ROW_LIMIT" InsufficientResources 400;
    /// The lake can't be read.
    LakeUnavailable = 16_777_216 "LAKE_UNAVAILABLE" External 502;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::ErrorCode;

    #[test]
    fn names_and_numbers_are_unique() {
        let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        let numbers: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(
            (names.len(), numbers.len()),
            (ErrorCode::ALL.len(), ErrorCode::ALL.len())
        );
    }
}
