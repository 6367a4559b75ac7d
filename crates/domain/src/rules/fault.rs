//! What can go wrong while a rule is evaluated. A fault refuses the action; it never ends the process.

macro_rules! fault_codes {
    ($($variant:ident = $name:literal, $what:literal;)*) => {
        /// The sorts of fault. Stable: they are the codes of refusals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum FaultCode {
            $(#[doc = $what] $variant),*
        }

        impl FaultCode {
            const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        /// The codes with which an action can be refused that no rule of the game names.
        pub const FAULT_CODES: &[&str] = &[$($name),*];
    };
}

fault_codes! {
    Arithmetic = "arithmetic", "Overflow, division by zero, a number that is not finite, text that is no number.";
    Missing = "missing", "A key, an index or a value that is not there.";
    WrongType = "wrong_type", "A value of a type that its place doesn't take.";
    OutOfBounds = "out_of_bounds", "A value outside the bounds that are declared for its place.";
    OverCapacity = "over_capacity", "More units in a bag than it has room for.";
    Insufficient = "insufficient", "Less money or fewer items than a transfer or a difference needs.";
    SameEntity = "same_entity", "Effects on one entity under two names.";
    InvalidKey = "invalid_key", "An entity's key that is empty, too long or not printable.";
    TooComplex = "too_complex", "More work than one decision may take.";
}

/// Why an expression has no value. Boxed inside, because evaluation returns one from every step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
struct Inner {
    code: FaultCode,
    detail: String,
}

impl Fault {
    fn new(code: FaultCode, detail: String) -> Self {
        Self(Box::new(Inner { code, detail }))
    }

    /// Overflow, division by zero, a number that is not finite, text that is no number.
    pub(crate) fn arithmetic(detail: String) -> Self {
        Self::new(FaultCode::Arithmetic, detail)
    }

    /// A key, an index or a value that is not there.
    pub(crate) fn missing(detail: String) -> Self {
        Self::new(FaultCode::Missing, detail)
    }

    /// A value of a type that its place doesn't take: only where types are not known at load.
    pub(crate) fn wrong_type(expected: &str, found: &str) -> Self {
        Self::new(
            FaultCode::WrongType,
            format!("expected {expected}, found {found}"),
        )
    }

    /// A value outside the bounds that are declared for its place.
    pub(crate) fn out_of_bounds(detail: String) -> Self {
        Self::new(FaultCode::OutOfBounds, detail)
    }

    /// More units in a bag than it has room for.
    pub(crate) fn over_capacity(detail: String) -> Self {
        Self::new(FaultCode::OverCapacity, detail)
    }

    /// Less money or fewer items than a transfer or a difference needs.
    pub(crate) fn insufficient(detail: String) -> Self {
        Self::new(FaultCode::Insufficient, detail)
    }

    /// Effects on one entity under two names.
    pub(crate) fn same_entity(detail: String) -> Self {
        Self::new(FaultCode::SameEntity, detail)
    }

    /// An entity's key that is empty, too long or not printable.
    pub(crate) fn invalid_key(detail: String) -> Self {
        Self::new(FaultCode::InvalidKey, detail)
    }

    /// More work than one decision may take.
    pub(crate) fn too_complex(detail: String) -> Self {
        Self::new(FaultCode::TooComplex, detail)
    }

    /// The stable code of the refusal.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code.name()
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
