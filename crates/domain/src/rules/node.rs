//! A checked expression, ready to evaluate: names are slots, constants are folded, functions are resolved.

use std::sync::Arc;

use super::functions::Op;
use super::value::Value;

/// A compiled expression with its place in the definition.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    /// Its path in the document.
    pub(crate) path: Arc<str>,
    pub(crate) node: Node,
    /// Which slots it reads, sorted.
    pub(crate) reads: Vec<usize>,
}

impl Expression {
    pub(crate) fn reads(&self, slot: usize) -> bool {
        self.reads.binary_search(&slot).is_ok()
    }
}

/// One step of an evaluation.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// A literal, or a part of a catalog.
    Const(Value),
    /// A variable.
    Slot(usize),
    /// A field of an object or the entry of a map.
    Field(Box<Node>, Arc<str>),
    /// True when a field or an entry is there and not null.
    Has(Box<Node>, Arc<str>),
    /// An item of a list, or the entry of a map by a computed key.
    Index(Box<Node>, Box<Node>),
    /// How many of an item a bag holds: 0 when there is none.
    Count(Box<Node>, Box<Node>),
    /// Logical not.
    Not(Box<Node>),
    /// Arithmetic minus.
    Negate(Box<Node>),
    /// Logical and: false if either is false, whatever the other is.
    And(Box<Node>, Box<Node>),
    /// Logical or: true if either is true, whatever the other is.
    Or(Box<Node>, Box<Node>),
    /// The first decides between the second and the third.
    Choose(Box<[Node; 3]>),
    /// Two operands.
    Binary(Binary, Box<Node>, Box<Node>),
    /// A list literal.
    List(Vec<Node>),
    /// A map literal.
    Map(Vec<(Node, Node)>),
    /// A macro over a list.
    Loop(Box<Loop>),
    /// A function.
    Call(Op, Vec<Node>),
    /// `matches` with its pattern.
    Matches(Box<Node>, Arc<regex::Regex>),
}

/// The operators with two operands that are always evaluated both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Binary {
    /// As it is written.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
        }
    }
}

/// `over.<sort>(variable, body)`.
#[derive(Debug, Clone)]
pub(crate) struct Loop {
    pub(crate) sort: LoopSort,
    pub(crate) over: Node,
    pub(crate) slot: usize,
    /// The condition of `map(x, condition, body)`.
    pub(crate) condition: Option<Node>,
    pub(crate) body: Node,
}

/// The macros over lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoopSort {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}
