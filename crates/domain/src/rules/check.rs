//! The type checker: from the text of a rule to a [`Node`], or a problem that says what was expected where.
//!
//! The `cel` crate parses. It expands no macros here (`exists`, `map`, ...): the checker sees them as they are written,
//! and its texts speak of them by name. What passes the checker can't meet a value of the wrong type at run time, except
//! where a type is declared to be known at run time only ([`Type::Dyn`], in simulations).

mod calls;
mod operators;
mod parse;
mod scope;

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::common::ast::{
    EntryExpr, Expr as Cel, IdedExpr, LiteralValue, MapExpr, SelectExpr, SourceInfo,
    operators as op,
};

pub(crate) use parse::names_in;
use scope::Place;
pub(crate) use scope::Scope;

use super::node::{Expression, Node};
use super::types::Type;
use super::value::Value;
use crate::definition::document::Expr;
use crate::definition::problem::PathProblem;
use crate::definition::suggest::did_you_mean;

/// How deep an expression may nest: more than people write, less than a thread's stack holds.
const MAX_DEPTH: usize = 200;

/// A checked expression with what the checker found out about it.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) expression: Expression,
    pub(crate) ty: Type,
    /// The entity types whose ids it draws.
    pub(crate) counters: BTreeSet<String>,
    /// What is not null when it is true (see [`Scope::learn`]).
    pub(crate) facts: Vec<String>,
    /// What is not null when it is false.
    pub(crate) facts_if_false: Vec<String>,
}

/// Checks an expression in a scope.
pub(crate) fn check(expr: &Expr, path: &str, scope: &Scope) -> Result<Checked, PathProblem> {
    let constant = |value: Value, ty: Type| Checked {
        expression: Expression {
            path: Arc::from(path),
            node: Node::Const(value),
            reads: Vec::new(),
        },
        ty,
        counters: BTreeSet::new(),
        facts: Vec::new(),
        facts_if_false: Vec::new(),
    };
    match expr {
        Expr::Boolean(flag) => Ok(constant(Value::Bool(*flag), Type::Bool)),
        Expr::Integer(number) => Ok(constant(Value::Int(*number), Type::Int)),
        Expr::Number(number) => Ok(constant(Value::Double(*number), Type::Double)),
        Expr::Cel(text) => check_text(text, path, scope),
    }
}

/// Checks an expression whose value goes to a place of type `wanted`.
pub(crate) fn check_as(
    expr: &Expr,
    path: &str,
    scope: &Scope,
    wanted: &Type,
) -> Result<Checked, PathProblem> {
    let checked = check(expr, path, scope)?;
    if wanted.accepts(&checked.ty, true) {
        return Ok(checked);
    }
    Err(PathProblem {
        path: path.to_owned(),
        message: wanted.mismatch(&checked.ty),
    })
}

fn check_text(text: &str, path: &str, scope: &Scope) -> Result<Checked, PathProblem> {
    let problem = |message| PathProblem {
        path: path.to_owned(),
        message,
    };
    let (parsed, source) = parse::parse(text).map_err(problem)?;
    let mut checker = Checker {
        scope,
        source: &source,
        locals: Vec::new(),
        facts: scope.facts().to_vec(),
        reads: BTreeSet::new(),
        counters: BTreeSet::new(),
        depth: 0,
    };
    let (node, ty) = checker
        .check(&parsed)
        .map_err(|wrong| problem(checker.place(text, &wrong)))?;
    let mut facts = Vec::new();
    scope::collect_facts(&parsed, true, &mut facts);
    let mut facts_if_false = Vec::new();
    scope::collect_facts(&parsed, false, &mut facts_if_false);
    let reads = checker.reads.into_iter().collect();
    Ok(Checked {
        expression: Expression {
            path: Arc::from(path),
            node,
            reads,
        },
        ty,
        counters: checker.counters,
        facts,
        facts_if_false,
    })
}

/// What is wrong with which part of an expression.
struct Wrong {
    id: u64,
    message: String,
}

type Typed = Result<(Node, Type), Wrong>;

fn wrong<T>(at: &IdedExpr, message: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        id: at.id,
        message: message.into(),
    })
}

/// A variable of a macro.
struct Local {
    name: String,
    ty: Type,
    slot: usize,
}

struct Checker<'a> {
    scope: &'a Scope,
    source: &'a SourceInfo,
    locals: Vec<Local>,
    /// Paths such as `params.name` that are known not to be null here.
    facts: Vec<String>,
    reads: BTreeSet<usize>,
    counters: BTreeSet<String>,
    depth: usize,
}

impl Checker<'_> {
    fn place(&self, text: &str, wrong: &Wrong) -> String {
        match self.source.offset_for(wrong.id) {
            Some((start, _)) if text.chars().nth(40).is_some() => {
                format!("at character {}: {}", start + 1, wrong.message)
            }
            _ => wrong.message.clone(),
        }
    }

    fn check(&mut self, expr: &IdedExpr) -> Typed {
        if self.depth > MAX_DEPTH {
            return wrong(
                expr,
                "the expression nests too deeply: split it into `let` values",
            );
        }
        self.depth += 1;
        let (node, ty) = self.check_plain(expr)?;
        self.depth -= 1;
        let known = match (&ty, scope::path_of(expr)) {
            (Type::Nullable(inner), Some(path)) if self.facts.contains(&path) => (**inner).clone(),
            _ => ty,
        };
        Ok((node, known))
    }

    fn check_plain(&mut self, expr: &IdedExpr) -> Typed {
        match &expr.expr {
            Cel::Literal(literal) => self.literal(expr, literal),
            Cel::Ident(name) => self.name(expr, name),
            Cel::Select(select) => self.select(expr, select),
            Cel::Call(call) => self.call(expr, call),
            Cel::List(list) => self.list(&list.elements),
            Cel::Map(map) => self.map(expr, map),
            Cel::Struct(message) => wrong(
                expr,
                format!(
                    "there is no message type '{}': write a map, {{'field': value}}",
                    message.type_name
                ),
            ),
            Cel::Comprehension(_) | Cel::Unspecified => wrong(expr, "expected an expression"),
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "one of the cases of check_plain, which all look alike"
    )]
    fn literal(&self, expr: &IdedExpr, literal: &LiteralValue) -> Typed {
        let (value, ty) = match literal {
            LiteralValue::Boolean(flag) => (Value::Bool(*flag.inner()), Type::Bool),
            LiteralValue::Int(number) => (Value::Int(*number.inner()), Type::Int),
            LiteralValue::Double(number) => (Value::Double(*number.inner()), Type::Double),
            LiteralValue::String(text) => (Value::text(text.inner()), Type::String),
            LiteralValue::Null => (Value::Null, Type::Null),
            LiteralValue::UInt(number) => {
                return wrong(
                    expr,
                    format!(
                        "there are no unsigned numbers: write {} without u",
                        number.inner()
                    ),
                );
            }
            LiteralValue::Bytes(_) => return wrong(expr, "there are no bytes: write text"),
        };
        Ok((Node::Const(value), ty))
    }

    fn name(&mut self, expr: &IdedExpr, name: &str) -> Typed {
        if let Some(local) = self.locals.iter().find(|local| local.name == name) {
            return Ok((Node::Slot(local.slot), local.ty.clone()));
        }
        match self.scope.find(name) {
            Some((ty, Place::Slot(slot))) => {
                self.reads.insert(*slot);
                Ok((Node::Slot(*slot), ty.clone()))
            }
            Some((ty, Place::Constant(value))) => Ok((Node::Const(value.clone()), ty.clone())),
            None => {
                let locals = self.locals.iter().map(|local| local.name.as_str());
                let hint = did_you_mean(name, self.scope.names().chain(locals));
                let known: Vec<&str> = self.scope.names().collect();
                wrong(
                    expr,
                    format!("unknown name '{name}'{hint}; here are {}", known.join(", ")),
                )
            }
        }
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Typed {
        let (operand, ty) = self.check(&select.operand)?;
        self.field(expr, operand, &ty, &select.field)
    }

    /// `operand.name`, or `operand['name']`.
    fn field(&mut self, expr: &IdedExpr, operand: Node, ty: &Type, name: &str) -> Typed {
        let found = self.field_type(expr, ty, name)?;
        if let Node::Const(value @ Value::Map(entries)) = &operand {
            return match value.entry(name) {
                Some(value) => Ok((Node::Const(value.clone()), found)),
                None if *ty == Type::Bag => Ok((Node::Const(Value::Int(0)), Type::Int)),
                None => {
                    let hint = did_you_mean(name, entries.iter().map(|(key, _)| key.as_ref()));
                    wrong(expr, format!("there is no '{name}' here{hint}"))
                }
            };
        }
        let name = Arc::from(name);
        if *ty == Type::Bag {
            return Ok((
                Node::Count(Box::new(operand), Box::new(Node::Const(Value::Text(name)))),
                Type::Int,
            ));
        }
        Ok((Node::Field(Box::new(operand), name), found))
    }

    #[expect(clippy::unused_self, reason = "a method like the rest of the checker")]
    fn field_type(&self, expr: &IdedExpr, ty: &Type, name: &str) -> Result<Type, Wrong> {
        match ty {
            Type::Object(fields) => match fields.0.get(name) {
                Some(field) => Ok(field.ty.clone()),
                None => {
                    let hint = did_you_mean(name, fields.0.keys().map(AsRef::as_ref));
                    let known: Vec<&str> = fields.0.keys().map(AsRef::as_ref).collect();
                    wrong(
                        expr,
                        format!(
                            "there is no field '{name}'{hint}; there are {}",
                            known.join(", ")
                        ),
                    )
                }
            },
            Type::Map(item) => Ok((**item).clone()),
            Type::Bag => Ok(Type::Int),
            Type::Dyn => Ok(Type::Dyn),
            Type::Nullable(inner) => wrong(
                expr,
                format!(
                    "'{name}' of a value that may be null ({inner}): check that it is != null first"
                ),
            ),
            other => wrong(expr, format!("{other} has no field '{name}'")),
        }
    }

    fn list(&mut self, elements: &[IdedExpr]) -> Typed {
        let mut nodes = Vec::with_capacity(elements.len());
        let mut item = Type::Never;
        for element in elements {
            let (node, ty) = self.check(element)?;
            item = match item.unify(&ty) {
                Some(common) => common,
                None => return wrong(element, item.mismatch(&ty)),
            };
            nodes.push(node);
        }
        Ok((Node::List(nodes), Type::list(item)))
    }

    /// A map literal: an object when all its keys are literal text, else a map of one type.
    fn map(&mut self, expr: &IdedExpr, map: &MapExpr) -> Typed {
        let mut nodes = Vec::with_capacity(map.entries.len());
        let mut fields: Vec<(Option<Arc<str>>, Type)> = Vec::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return wrong(expr, "expected a map");
            };
            let (key, key_type) = self.check(&entry.key)?;
            if !Type::String.accepts(&key_type, false) {
                return wrong(
                    &entry.key,
                    format!("the key of a map: {}", Type::String.mismatch(&key_type)),
                );
            }
            let (value, ty) = self.check(&entry.value)?;
            let name = match &key {
                Node::Const(Value::Text(name)) => Some(name.clone()),
                _ => None,
            };
            if let Some(name) = &name
                && fields.iter().any(|(known, _)| known.as_ref() == Some(name))
            {
                return wrong(&entry.key, format!("'{name}' is in the map twice"));
            }
            fields.push((name, ty));
            nodes.push((key, value));
        }
        let all_named: Option<Vec<(&str, Type)>> = fields
            .iter()
            .map(|(name, ty)| Some((name.as_deref()?, ty.clone())))
            .collect();
        if let Some(named) = all_named {
            return Ok((Node::Map(nodes), Type::record(named)));
        }
        let mut item = Type::Never;
        for (_, ty) in &fields {
            item = match item.unify(ty) {
                Some(common) => common,
                None => {
                    return wrong(
                        expr,
                        format!(
                            "the values of a map with computed keys: {}",
                            item.mismatch(ty)
                        ),
                    );
                }
            };
        }
        Ok((Node::Map(nodes), Type::Map(Arc::new(item))))
    }

    /// Checks `expr` where `facts` are known besides.
    fn check_with(&mut self, expr: &IdedExpr, facts: &[String]) -> Typed {
        let before = self.facts.len();
        self.facts.extend_from_slice(facts);
        let typed = self.check(expr);
        self.facts.truncate(before);
        typed
    }
}

/// True for the name of an operator, as the parser gives it.
fn is_operator(name: &str) -> bool {
    name.starts_with('_') || name.starts_with('!') || name.starts_with('-') || name == op::IN
}
