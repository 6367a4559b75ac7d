//! What the scanner finds: values and members by their place in the text, or the fault that makes it no object.

/// A slice of a record's text. Records are far below 4 GiB (`MAX_RECORD_BYTES`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        // A record that is too long has been refused before it is scanned.
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        }
    }

    /// The text; empty when the span is not of this text.
    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The span is without the quotes.
    Text {
        escaped: bool,
    },
    /// Digits with an optional minus.
    Integer,
    /// A number with a fraction or an exponent.
    Decimal,
    Boolean(bool),
    Null,
    Array,
    Object,
}

impl Kind {
    /// For people: `a string`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text { .. } => "a string",
            Self::Integer => "an integer",
            Self::Decimal => "a number with a fraction or exponent",
            Self::Boolean(_) => "a boolean",
            Self::Null => "null",
            Self::Array => "a list",
            Self::Object => "an object",
        }
    }
}

/// A value and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

impl Value {
    /// The value as JSON, quotes included.
    pub(crate) fn json(self, text: &str) -> &str {
        match self.kind {
            Kind::Text { .. } => Span {
                start: self.span.start - 1,
                end: self.span.end + 1,
            }
            .of(text),
            _ => self.span.of(text),
        }
    }
}

/// A member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Without the quotes.
    pub(crate) key: Span,
    pub(crate) key_escaped: bool,
    pub(crate) value: Value,
}

impl Member {
    /// The member as JSON: `"key":value`, with the white space in between.
    pub(crate) fn json(self, text: &str) -> &str {
        let end = match self.value.kind {
            Kind::Text { .. } => self.value.span.end + 1,
            _ => self.value.span.end,
        };
        Span {
            start: self.key.start - 1,
            end,
        }
        .of(text)
    }
}

/// Why a text is not one JSON object, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not JSON: what was expected at this byte.
    Grammar { at: usize, expected: &'static str },
    /// JSON, but no object.
    NotAnObject { found: &'static str },
    /// Nested too deeply at this byte.
    TooDeep { at: usize },
    /// An object has this key twice.
    DuplicateKey { key: Span },
}
