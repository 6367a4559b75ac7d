//! What can go wrong while a rule is evaluated. A fault refuses the action; it never ends the process.

/// Why an expression has no value. Boxed inside, because evaluation returns one from every step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
struct Inner {
    code: &'static str,
    detail: String,
}

impl Fault {
    fn new(code: &'static str, detail: String) -> Self {
        Self(Box::new(Inner { code, detail }))
    }

    /// Overflow, division by zero, a number that is not finite, text that is no number.
    pub(crate) fn arithmetic(detail: String) -> Self {
        Self::new("arithmetic", detail)
    }

    /// A key, an index or a value that is not there.
    pub(crate) fn missing(detail: String) -> Self {
        Self::new("missing", detail)
    }

    /// A value of a type that its place doesn't take: only where types are not known at load.
    pub(crate) fn wrong_type(expected: &str, found: &str) -> Self {
        Self::new("wrong_type", format!("expected {expected}, found {found}"))
    }

    /// A value outside the bounds that are declared for its place.
    pub(crate) fn out_of_bounds(detail: String) -> Self {
        Self::new("out_of_bounds", detail)
    }

    /// More units in a bag than it has room for.
    pub(crate) fn over_capacity(detail: String) -> Self {
        Self::new("over_capacity", detail)
    }

    /// Less money or fewer items than a transfer or a difference needs.
    pub(crate) fn insufficient(detail: String) -> Self {
        Self::new("insufficient", detail)
    }

    /// Effects on one entity under two names.
    pub(crate) fn same_entity(detail: String) -> Self {
        Self::new("same_entity", detail)
    }

    /// An entity's key that is empty, too long or not printable.
    pub(crate) fn invalid_key(detail: String) -> Self {
        Self::new("invalid_key", detail)
    }

    /// More work than one decision may take.
    pub(crate) fn too_complex(detail: String) -> Self {
        Self::new("too_complex", detail)
    }

    /// The stable code of the refusal.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// What happened, for people.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The same fault with the place in front: a field, or the path of an expression.
    pub(crate) fn inside(mut self, place: &str) -> Self {
        self.0.detail = format!("{place}: {}", self.0.detail);
        self
    }
}
