//! The table itself.

use super::{FunctionDoc, Needs, Op, Overload, Shape};

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
        &[
            on(&[Ints], Int, Op::Sum),
            on(&[Doubles], Double, Op::SumDoubles),
        ],
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
