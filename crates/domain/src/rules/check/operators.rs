//! Operators: which operands they take.

use cel::common::ast::{IdedExpr, operators as op};

use super::{Checker, Typed, scope, wrong};
use crate::rules::node::{Binary, Node};
use crate::rules::types::Type;
use crate::rules::value::Value;

impl Checker<'_> {
    pub(super) fn operator(&mut self, expr: &IdedExpr, name: &str, args: &[IdedExpr]) -> Typed {
        match (name, args) {
            (op::LOGICAL_AND, [one, other]) => self.logic(one, other, true),
            (op::LOGICAL_OR, [one, other]) => self.logic(one, other, false),
            (op::LOGICAL_NOT, [inner]) => {
                Ok((Node::Not(Box::new(self.boolean(inner, &[])?)), Type::Bool))
            }
            (op::NEGATE, [inner]) => self.negate(inner),
            (op::CONDITIONAL, [condition, then, otherwise]) => {
                self.choose(expr, condition, then, otherwise)
            }
            (op::INDEX, [operand, index]) => self.index(expr, operand, index),
            (_, [one, other]) => match binary(name) {
                Some(operator) => self.binary(expr, operator, one, other),
                None => wrong(expr, format!("the operator {name} is not supported")),
            },
            _ => wrong(expr, format!("the operator {name} is not supported")),
        }
    }

    fn boolean(&mut self, expr: &IdedExpr, facts: &[String]) -> Result<Node, super::Wrong> {
        let (node, ty) = self.check_with(expr, facts)?;
        if Type::Bool.accepts(&ty, false) {
            Ok(node)
        } else {
            wrong(expr, Type::Bool.mismatch(&ty))
        }
    }

    fn logic(&mut self, one: &IdedExpr, other: &IdedExpr, and: bool) -> Typed {
        let left = Box::new(self.boolean(one, &[])?);
        let mut facts = Vec::new();
        scope::collect_facts(one, and, &mut facts);
        let right = Box::new(self.boolean(other, &facts)?);
        Ok((
            if and {
                Node::And(left, right)
            } else {
                Node::Or(left, right)
            },
            Type::Bool,
        ))
    }

    fn negate(&mut self, inner: &IdedExpr) -> Typed {
        let (node, ty) = self.check(inner)?;
        match (&node, &ty) {
            (Node::Const(Value::Double(number)), _) => {
                Ok((Node::Const(Value::Double(-number)), ty))
            }
            (_, Type::Int | Type::Double | Type::Dyn) => Ok((Node::Negate(Box::new(node)), ty)),
            _ => wrong(inner, format!("expected a number, found {ty}")),
        }
    }

    fn choose(
        &mut self,
        expr: &IdedExpr,
        condition: &IdedExpr,
        then: &IdedExpr,
        otherwise: &IdedExpr,
    ) -> Typed {
        let decides = self.boolean(condition, &[])?;
        let (mut facts, mut facts_if_false) = (Vec::new(), Vec::new());
        scope::collect_facts(condition, true, &mut facts);
        scope::collect_facts(condition, false, &mut facts_if_false);
        let (one, one_type) = self.check_with(then, &facts)?;
        let (other, other_type) = self.check_with(otherwise, &facts_if_false)?;
        match one_type.unify(&other_type) {
            Some(ty) => Ok((Node::Choose(Box::new([decides, one, other])), ty)),
            None => wrong(
                expr,
                format!(
                    "both sides of ? : must have one type: {}",
                    one_type.mismatch(&other_type)
                ),
            ),
        }
    }

    fn index(&mut self, expr: &IdedExpr, operand: &IdedExpr, index: &IdedExpr) -> Typed {
        let (whole, ty) = self.check(operand)?;
        let (key, key_type) = self.check(index)?;
        if let (Node::Const(Value::Text(name)), Type::Object(_) | Type::Map(_) | Type::Bag) =
            (&key, &ty)
        {
            let name = name.clone();
            return self.field(expr, whole, &ty, &name);
        }
        let (wanted, found) = match &ty {
            Type::List(item) => (Type::Int, (**item).clone()),
            Type::Map(item) => (Type::String, (**item).clone()),
            Type::Bag => (Type::String, Type::Int),
            Type::Object(fields) => match fields.common() {
                Some(common) => (Type::String, common),
                None => {
                    return wrong(
                        index,
                        "the fields have different types: name one, as in x.field",
                    );
                }
            },
            Type::Dyn => (Type::Dyn, Type::Dyn),
            Type::Nullable(_) => {
                return wrong(
                    operand,
                    format!("{ty}: check that it is != null before [..]"),
                );
            }
            other => {
                return wrong(
                    operand,
                    format!("expected a list, a map or a bag before [..], found {other}"),
                );
            }
        };
        if !wanted.accepts(&key_type, false) {
            return wrong(index, format!("the index: {}", wanted.mismatch(&key_type)));
        }
        let (whole, key) = (Box::new(whole), Box::new(key));
        Ok((
            if ty == Type::Bag {
                Node::Count(whole, key)
            } else {
                Node::Index(whole, key)
            },
            found,
        ))
    }

    fn binary(
        &mut self,
        expr: &IdedExpr,
        operator: Binary,
        one: &IdedExpr,
        other: &IdedExpr,
    ) -> Typed {
        let (left, left_type) = self.check(one)?;
        let (right, right_type) = self.check(other)?;
        match result(operator, &left_type, &right_type) {
            Ok(ty) => Ok((Node::Binary(operator, Box::new(left), Box::new(right)), ty)),
            Err(reason) => wrong(expr, reason),
        }
    }
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        op::ADD => Binary::Add,
        op::SUBSTRACT => Binary::Subtract,
        op::MULTIPLY => Binary::Multiply,
        op::DIVIDE => Binary::Divide,
        op::MODULO => Binary::Modulo,
        op::EQUALS => Binary::Equal,
        op::NOT_EQUALS => Binary::NotEqual,
        op::LESS => Binary::Less,
        op::LESS_EQUALS => Binary::LessOrEqual,
        op::GREATER => Binary::Greater,
        op::GREATER_EQUALS => Binary::GreaterOrEqual,
        op::IN => Binary::In,
        _ => return None,
    })
}

/// The type of `left operator right`, or why they don't go together.
fn result(operator: Binary, left: &Type, right: &Type) -> Result<Type, String> {
    let dynamic = matches!(left, Type::Dyn) || matches!(right, Type::Dyn);
    let fits = match operator {
        Binary::Equal | Binary::NotEqual => return equality(operator, left, right),
        Binary::In => return membership(left, right),
        _ if dynamic => Some(Type::Dyn),
        Binary::Add => match (left, right) {
            (Type::List(_), Type::List(_)) => left.unify(right),
            (Type::Int | Type::Double | Type::String, _) if left == right => Some(left.clone()),
            _ => None,
        },
        Binary::Subtract | Binary::Multiply | Binary::Divide => {
            (left == right && matches!(left, Type::Int | Type::Double)).then(|| left.clone())
        }
        Binary::Modulo => (left == right && *left == Type::Int).then_some(Type::Int),
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
            let ordered = matches!(
                left,
                Type::Int | Type::Double | Type::String | Type::Timestamp
            );
            (left == right && ordered).then_some(Type::Bool)
        }
    };
    let compares = matches!(
        operator,
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual
    );
    match fits {
        Some(Type::Dyn) if compares => Ok(Type::Bool),
        Some(ty) => Ok(ty),
        None => Err(operands(operator, left, right)),
    }
}

fn operands(operator: Binary, left: &Type, right: &Type) -> String {
    let hint = match (left, right) {
        (Type::Int, Type::Double) | (Type::Double, Type::Int) => {
            ": the two don't mix; write double(..) around the int"
        }
        (Type::String, Type::Int | Type::Double | Type::Bool | Type::Timestamp)
        | (Type::Int | Type::Double | Type::Bool | Type::Timestamp, Type::String)
            if operator == Binary::Add =>
        {
            ": write string(..) around the other"
        }
        (Type::Nullable(_) | Type::Null, _) | (_, Type::Nullable(_) | Type::Null) => {
            ": one may be null; write orElse(.., <default>) or check != null first"
        }
        (Type::Bag | Type::Map(_) | Type::Object(_), _) if operator == Binary::Add => {
            ": for bags, write plus(..)"
        }
        (Type::Bag | Type::Map(_) | Type::Object(_), _) if operator == Binary::Subtract => {
            ": for bags, write minus(..)"
        }
        _ => "",
    };
    format!("{left} {} {right}{hint}", operator.symbol())
}

fn equality(operator: Binary, left: &Type, right: &Type) -> Result<Type, String> {
    match (left, right) {
        (Type::Null, Type::Nullable(_) | Type::Dyn | Type::Null)
        | (Type::Nullable(_) | Type::Dyn, Type::Null) => Ok(Type::Bool),
        (Type::Null, never) | (never, Type::Null) => Err(format!("{never} is never null")),
        _ if left.unify(right).is_some()
            || left.accepts(right, false)
            || right.accepts(left, false) =>
        {
            Ok(Type::Bool)
        }
        _ => Err(operands(operator, left, right)),
    }
}

fn membership(left: &Type, right: &Type) -> Result<Type, String> {
    let item = match right {
        Type::List(item) => item.as_ref().clone(),
        Type::Map(_) | Type::Bag | Type::Object(_) => Type::String,
        Type::Dyn => Type::Dyn,
        other => {
            return Err(format!(
                "expected a list, a map or a bag after `in`, found {other}"
            ));
        }
    };
    match item.unify(left) {
        Some(_) => Ok(Type::Bool),
        None => Err(format!("`in`: {}", item.mismatch(left))),
    }
}
