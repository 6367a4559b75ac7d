//! The functions of rules, in one table: the type checker, the evaluator and the documentation read it.
//!
//! They are deterministic: what is random comes from the decision's seed, what is the time is the decision's. A function
//! with a first argument may also be written behind it: `size(x)` is `x.size()`.

use std::fmt::Write as _;
use std::sync::Arc;

use super::types::Type;

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

const fn on(takes: &'static [Shape], gives: Shape, op: Op) -> Overload {
    Overload { takes, gives, op }
}

const fn doc(
    name: &'static str,
    overloads: &'static [Overload],
    text: &'static str,
) -> FunctionDoc {
    FunctionDoc {
        name,
        text,
        needs: Needs::Nothing,
        overloads,
    }
}

const fn needing(
    needs: Needs,
    name: &'static str,
    overloads: &'static [Overload],
    text: &'static str,
) -> FunctionDoc {
    FunctionDoc {
        name,
        text,
        needs,
        overloads,
    }
}

use Shape::{
    AnyList, AnyMap, Bag, Bool, Double, Doubles, Int, Ints, Items, ListT, MapT, NullableT, T, Text,
    Texts, Time,
};

/// Every function, in the order of the documentation.
pub const TABLE: &[FunctionDoc] = &[
    doc(
        "max",
        &[
            on(&[Int, Int], Int, Op::Max),
            on(&[Double, Double], Double, Op::Max),
            on(&[Ints], Int, Op::MaxOf),
            on(&[Doubles], Double, Op::MaxOf),
        ],
        "The greater of two numbers, or the greatest of a list; an empty list refuses the action.",
    ),
    doc(
        "min",
        &[
            on(&[Int, Int], Int, Op::Min),
            on(&[Double, Double], Double, Op::Min),
            on(&[Ints], Int, Op::MinOf),
            on(&[Doubles], Double, Op::MinOf),
        ],
        "The lesser of two numbers, or the least of a list; an empty list refuses the action.",
    ),
    doc(
        "abs",
        &[on(&[Int], Int, Op::Abs), on(&[Double], Double, Op::Abs)],
        "The number without its sign.",
    ),
    doc(
        "round",
        &[on(&[Double], Int, Op::Round)],
        "The nearest whole number; halves go away from zero.",
    ),
    doc(
        "floor",
        &[on(&[Double], Int, Op::Floor)],
        "The greatest whole number that is not above.",
    ),
    doc(
        "ceil",
        &[on(&[Double], Int, Op::Ceil)],
        "The least whole number that is not below.",
    ),
    doc(
        "int",
        &[
            on(&[Int], Int, Op::ToInt),
            on(&[Double], Int, Op::ToInt),
            on(&[Text], Int, Op::ToInt),
        ],
        "A whole number: a double loses its fraction, text must be a decimal number.",
    ),
    doc(
        "double",
        &[
            on(&[Int], Double, Op::ToDouble),
            on(&[Double], Double, Op::ToDouble),
            on(&[Text], Double, Op::ToDouble),
        ],
        "A double.",
    ),
    doc(
        "string",
        &[
            on(&[Text], Text, Op::ToText),
            on(&[Int], Text, Op::ToText),
            on(&[Double], Text, Op::ToText),
            on(&[Bool], Text, Op::ToText),
            on(&[Time], Text, Op::ToText),
        ],
        "The value as text; a timestamp in RFC 3339.",
    ),
    doc(
        "size",
        &[
            on(&[Text], Int, Op::Size),
            on(&[AnyList], Int, Op::Size),
            on(&[AnyMap], Int, Op::Size),
        ],
        "How many characters, list items, or map keys; for a bag, how many different items (see units).",
    ),
    doc(
        "contains",
        &[on(&[Text, Text], Bool, Op::Contains)],
        "True when the first text contains the second.",
    ),
    doc(
        "startsWith",
        &[on(&[Text, Text], Bool, Op::StartsWith)],
        "True when the first text begins with the second.",
    ),
    doc(
        "endsWith",
        &[on(&[Text, Text], Bool, Op::EndsWith)],
        "True when the first text ends with the second.",
    ),
    doc(
        "matches",
        &[on(&[Text, Text], Bool, Op::Matches)],
        "True when a part of the text matches the regular expression, which must be literal text.",
    ),
    doc(
        "lowerAscii",
        &[on(&[Text], Text, Op::Lower)],
        "The text with A to Z in lower case.",
    ),
    doc(
        "upperAscii",
        &[on(&[Text], Text, Op::Upper)],
        "The text with a to z in upper case.",
    ),
    doc(
        "trim",
        &[on(&[Text], Text, Op::Trim)],
        "The text without white space at its ends.",
    ),
    doc(
        "replace",
        &[on(&[Text, Text, Text], Text, Op::Replace)],
        "The first text with each occurrence of the second replaced by the third.",
    ),
    doc(
        "split",
        &[on(&[Text, Text], Texts, Op::Split)],
        "The parts of the text between the separators.",
    ),
    doc(
        "join",
        &[on(&[Texts, Text], Text, Op::Join)],
        "The texts of a list with the separator between them.",
    ),
    doc(
        "substring",
        &[on(&[Text, Int, Int], Text, Op::Substring)],
        "The characters from the first position up to, not including, the second; both are cut to the text's length.",
    ),
    doc(
        "keys",
        &[on(&[AnyMap], Texts, Op::Keys)],
        "The keys of a map or the items of a bag, sorted.",
    ),
    doc(
        "values",
        &[on(&[MapT], ListT, Op::Values)],
        "The values of a map in the order of its keys.",
    ),
    doc(
        "range",
        &[on(&[Int], Ints, Op::Range)],
        "The list 0, 1, ... up to but not including the number, which is at most 10,000.",
    ),
    doc(
        "sum",
        &[on(&[Ints], Int, Op::Sum), on(&[Doubles], Double, Op::Sum)],
        "The sum of a list; 0 when it is empty.",
    ),
    doc(
        "distinct",
        &[on(&[ListT], ListT, Op::Distinct)],
        "The list without repetitions, in the order of first occurrence.",
    ),
    doc(
        "orElse",
        &[on(&[NullableT, T], T, Op::OrElse)],
        "The first value, or the second when the first is null.",
    ),
    doc(
        "bag",
        &[
            on(&[Items], Bag, Op::BagOfItems),
            on(&[Texts, Ints], Bag, Op::BagOfCounts),
        ],
        "A bag from objects with item_id and quantity, or from a list of items and one of counts; the same item twice adds up, a negative count refuses the action.",
    ),
    doc(
        "tally",
        &[on(&[Texts], Bag, Op::Tally)],
        "A bag with one unit for each time that an item is in the list.",
    ),
    doc(
        "units",
        &[on(&[Bag], Int, Op::Units)],
        "How many units a bag holds in all.",
    ),
    doc(
        "covers",
        &[on(&[Bag, Bag], Bool, Op::Covers)],
        "True when the first bag holds at least as much of every item as the second.",
    ),
    doc(
        "plus",
        &[on(&[Bag, Bag], Bag, Op::Plus)],
        "What is in both bags together.",
    ),
    doc(
        "minus",
        &[on(&[Bag, Bag], Bag, Op::Minus)],
        "The first bag without what is in the second, which it must cover.",
    ),
    doc(
        "hostname",
        &[on(&[Text], Text, Op::Hostname)],
        "A host without its port.",
    ),
    doc(
        "timestamp",
        &[on(&[Text], Time, Op::ToTime)],
        "The moment behind RFC 3339 text.",
    ),
    doc(
        "addSeconds",
        &[on(&[Time, Int], Time, Op::AddSeconds)],
        "The moment so many seconds later.",
    ),
    doc(
        "secondsBetween",
        &[on(&[Time, Time], Int, Op::SecondsBetween)],
        "Whole seconds from the first moment to the second.",
    ),
    needing(
        Needs::Draws,
        "random",
        &[on(&[], Double, Op::Random)],
        "A random double, at least 0 and less than 1.",
    ),
    needing(
        Needs::Draws,
        "randomInt",
        &[on(&[Int, Int], Int, Op::RandomInt)],
        "A random whole number from the first to the second, both included.",
    ),
    needing(
        Needs::Draws,
        "pick",
        &[
            on(&[ListT], T, Op::Pick),
            on(&[ListT, Ints], T, Op::PickWeighted),
            on(&[ListT, Doubles], T, Op::PickWeightedDoubles),
        ],
        "A random item of a list, each equally likely or by the weights of the second list.",
    ),
    needing(
        Needs::Decision,
        "nextId",
        &[on(&[Text], Int, Op::NextId)],
        "The next number of an entity type (literal text): 0, 1, 2, ... without gaps or races.",
    ),
    needing(
        Needs::Decision,
        "uuid",
        &[on(&[], Text, Op::Uuid)],
        "A new id, drawn from the decision's seed and time.",
    ),
];
