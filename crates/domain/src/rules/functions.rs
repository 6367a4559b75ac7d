//! The functions of rules, in one table: the type checker, the evaluator and the documentation read it.
//!
//! They are deterministic: what is random comes from the decision's seed, what is the time is the decision's. A function
//! with a first argument may also be written behind it: `size(x)` is `x.size()`.

mod table;

use std::fmt::Write as _;
use std::sync::Arc;

use super::types::Type;

pub use table::TABLE;

/// A function that rules may call.
#[derive(Debug)]
pub struct FunctionDoc {
    /// Its name.
    pub name: &'static str,
    /// What it gives, for people.
    pub text: &'static str,
    pub(crate) needs: Needs,
    pub(crate) overloads: &'static [Overload],
}

impl FunctionDoc {
    /// How it may be called, such as `max(int, int) -> int`, joined by `; `.
    pub fn signature(&self) -> String {
        let mut text = String::new();
        for (index, overload) in self.overloads.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let takes: Vec<&str> = overload.takes.iter().map(|shape| shape.name()).collect();
            // Writing to a string can't fail.
            let _ = write!(
                text,
                "{separator}{}({}) -> {}",
                self.name,
                takes.join(", "),
                overload.gives.name()
            );
        }
        text
    }
}

/// What a function needs from the place where it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing but its arguments.
    Nothing,
    /// The stream of draws.
    Draws,
    /// A decision: its time, its counters.
    Decision,
}

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) takes: &'static [Shape],
    pub(crate) gives: Shape,
    pub(crate) op: Op,
}

/// A type in a signature. `T` is the same type wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Bool,
    Int,
    Double,
    Text,
    Time,
    Bag,
    T,
    NullableT,
    ListT,
    MapT,
    AnyMap,
    AnyList,
    Ints,
    Doubles,
    Texts,
    /// A list of objects with `item_id` (string or int) and `quantity` (int).
    Items,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Time => "timestamp",
            Self::Bag => "bag",
            Self::T => "T",
            Self::NullableT => "T or null",
            Self::ListT => "list<T>",
            Self::MapT => "map<T>",
            Self::AnyMap => "map",
            Self::AnyList => "list",
            Self::Ints => "list<int>",
            Self::Doubles => "list<double>",
            Self::Texts => "list<string>",
            Self::Items => "list<{item_id, quantity}>",
        }
    }

    /// True when an argument of that type fits; `bound` is what `T` stands for so far.
    fn matches(self, found: &Type, bound: &mut Type) -> bool {
        let mut bind = |found: &Type| match bound.unify(found) {
            Some(ty) => {
                *bound = ty;
                true
            }
            None => false,
        };
        match (self, found) {
            (Self::T, found) => bind(found),
            (Self::NullableT, found) => bind(found.not_null()),
            (_, Type::Dyn) => {
                bind(&Type::Dyn);
                true
            }
            (Self::ListT, Type::List(item)) | (Self::MapT, Type::Map(item)) => bind(item),
            (Self::MapT, Type::Bag) => bind(&Type::Int),
            (Self::MapT, Type::Object(fields)) => {
                fields.common().is_some_and(|common| bind(&common))
            }
            (Self::Items, Type::List(item)) => is_item(item),
            (Self::AnyMap, found) => matches!(found, Type::Map(_) | Type::Bag | Type::Object(_)),
            (Self::AnyList, found) => matches!(found, Type::List(_)),
            (shape, found) => shape
                .fixed()
                .is_some_and(|wanted| wanted.accepts(found, false)),
        }
    }

    fn fixed(self) -> Option<Type> {
        Some(match self {
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Double => Type::Double,
            Self::Text => Type::String,
            Self::Time => Type::Timestamp,
            Self::Bag => Type::Bag,
            Self::Ints => Type::list(Type::Int),
            Self::Doubles => Type::list(Type::Double),
            Self::Texts => Type::list(Type::String),
            _ => return None,
        })
    }

    fn result(self, bound: Type) -> Type {
        match self {
            Self::T => bound,
            Self::ListT => Type::list(bound),
            Self::NullableT => bound.or_null(),
            Self::MapT => Type::Map(Arc::new(bound)),
            shape => shape.fixed().unwrap_or(Type::Dyn),
        }
    }
}

fn is_item(item: &Type) -> bool {
    match item {
        Type::Dyn | Type::Never => true,
        Type::Object(fields) => {
            let field = |name: &str| fields.0.get(name).map(|field| &field.ty);
            matches!(field("item_id"), Some(Type::String | Type::Int))
                && field("quantity") == Some(&Type::Int)
        }
        _ => false,
    }
}

impl Overload {
    /// The result for these arguments; `None` when they don't fit.
    pub(crate) fn result(&self, args: &[Type]) -> Option<Type> {
        if args.len() != self.takes.len() {
            return None;
        }
        let mut bound = Type::Never;
        let fit = self
            .takes
            .iter()
            .zip(args)
            .all(|(shape, found)| shape.matches(found, &mut bound));
        fit.then(|| self.gives.result(bound))
    }
}

/// The function of that name.
pub(crate) fn find(name: &str) -> Option<&'static FunctionDoc> {
    TABLE.iter().find(|function| function.name == name)
}

/// What an overload does. See [`super::apply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Max,
    Min,
    MaxOf,
    MinOf,
    Abs,
    Round,
    Floor,
    Ceil,
    ToInt,
    ToDouble,
    ToText,
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Lower,
    Upper,
    Trim,
    Replace,
    Split,
    Join,
    Substring,
    Keys,
    Values,
    Range,
    Sum,
    SumDoubles,
    Distinct,
    OrElse,
    BagOfItems,
    BagOfCounts,
    Tally,
    Units,
    Covers,
    Plus,
    Minus,
    Hostname,
    ToTime,
    AddSeconds,
    SecondsBetween,
    Random,
    RandomInt,
    Pick,
    PickWeighted,
    PickWeightedDoubles,
    NextId,
    Uuid,
}
