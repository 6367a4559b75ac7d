//! Calls: functions by their table, and the macros over lists.

use cel::common::ast::{CallExpr, Expr as Cel, IdedExpr, operators as op};

use super::{Checker, Local, Typed, is_operator, wrong};
use crate::definition::suggest::did_you_mean;
use crate::rules::functions::{self, FunctionDoc, Needs, Op};
use crate::rules::node::{Loop, LoopSort, Node};
use crate::rules::types::Type;
use crate::rules::value::Value;

/// The macros, for "did you mean".
const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];

impl Checker<'_> {
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Typed {
        let name = call.func_name.as_str();
        match (&call.target, call.args.as_slice()) {
            (None, args) if is_operator(name) => self.operator(expr, name, args),
            (None, [inner]) if name == op::HAS => self.has(inner),
            (Some(target), args) => match loop_sort(name) {
                Some(sort) => self.list_macro(expr, sort, target, args),
                None => {
                    let mut all = Vec::with_capacity(args.len() + 1);
                    all.push(&**target);
                    all.extend(args);
                    self.function(expr, name, &all)
                }
            },
            (None, args) => self.function(expr, name, &args.iter().collect::<Vec<_>>()),
        }
    }

    fn has(&mut self, inner: &IdedExpr) -> Typed {
        let Cel::Select(select) = &inner.expr else {
            return wrong(inner, "has(..) takes a field, as in has(x.field)");
        };
        let (operand, ty) = self.check(&select.operand)?;
        self.field_type(inner, &ty, &select.field)?;
        Ok((
            Node::Has(Box::new(operand), select.field.as_str().into()),
            Type::Bool,
        ))
    }

    fn list_macro(
        &mut self,
        expr: &IdedExpr,
        sort: LoopSort,
        target: &IdedExpr,
        args: &[IdedExpr],
    ) -> Typed {
        let (variable, condition, body) = match args {
            [variable, body] => (variable, None, body),
            [variable, condition, body] if sort == LoopSort::Map => {
                (variable, Some(condition), body)
            }
            _ => {
                return wrong(
                    expr,
                    "a macro takes a name and an expression, as in list.exists(x, x > 0)",
                );
            }
        };
        let Cel::Ident(name) = &variable.expr else {
            return wrong(
                variable,
                "the first argument of a macro is a name, as in list.exists(x, x > 0)",
            );
        };
        let (over, ty) = self.check(target)?;
        let item = match &ty {
            Type::List(item) => item.as_ref().clone(),
            Type::Dyn => Type::Dyn,
            Type::Map(_) | Type::Bag | Type::Object(_) => {
                return wrong(
                    target,
                    format!("{ty}: macros go over lists; write keys(..) around it"),
                );
            }
            other => return wrong(target, format!("expected a list, found {other}")),
        };
        if self.scope.find(name).is_some() || self.locals.iter().any(|local| local.name == *name) {
            return wrong(
                variable,
                format!("'{name}' means something else here already: choose another name"),
            );
        }
        let slot = self.scope.first_local() + self.locals.len();
        self.locals.push(Local {
            name: name.clone(),
            ty: item.clone(),
            slot,
        });
        let checked = self.loop_parts(sort, condition, body);
        self.locals.pop();
        let (condition, body, body_type) = checked?;
        let result = match sort {
            LoopSort::All | LoopSort::Exists | LoopSort::ExistsOne => Type::Bool,
            LoopSort::Map => Type::list(body_type),
            LoopSort::Filter => Type::list(item),
        };
        Ok((
            Node::Loop(Box::new(Loop {
                sort,
                over,
                slot,
                condition,
                body,
            })),
            result,
        ))
    }

    fn loop_parts(
        &mut self,
        sort: LoopSort,
        condition: Option<&IdedExpr>,
        body: &IdedExpr,
    ) -> Result<(Option<Node>, Node, Type), super::Wrong> {
        let mut facts = Vec::new();
        let checked = match condition {
            Some(condition) => {
                let (node, ty) = self.check(condition)?;
                if !Type::Bool.accepts(&ty, false) {
                    return wrong(condition, Type::Bool.mismatch(&ty));
                }
                super::scope::collect_facts(condition, true, &mut facts);
                Some(node)
            }
            None => None,
        };
        let (node, ty) = self.check_with(body, &facts)?;
        if sort != LoopSort::Map && !Type::Bool.accepts(&ty, false) {
            return wrong(body, Type::Bool.mismatch(&ty));
        }
        Ok((checked, node, ty))
    }

    fn function(&mut self, expr: &IdedExpr, name: &str, args: &[&IdedExpr]) -> Typed {
        let Some(function) = functions::find(name) else {
            let known = functions::TABLE
                .iter()
                .map(|function| function.name)
                .chain(MACROS);
            return wrong(
                expr,
                format!("unknown function '{name}'{}", did_you_mean(name, known)),
            );
        };
        if !self.scope.offers(function.needs) {
            return wrong(
                expr,
                format!("{name}() can't be used here: {}", unavailable(function)),
            );
        }
        let mut nodes = Vec::with_capacity(args.len());
        let mut types = Vec::with_capacity(args.len());
        for arg in args {
            let (node, ty) = self.check(arg)?;
            nodes.push(node);
            types.push(ty);
        }
        for overload in function.overloads {
            if let Some(ty) = overload.result(&types) {
                return Ok((self.call_node(expr, overload.op, nodes)?, ty));
            }
        }
        let found: Vec<String> = types.iter().map(ToString::to_string).collect();
        let hint = hint(function, &types);
        wrong(
            expr,
            format!(
                "expected {}, found {name}({}){hint}",
                function.signature(),
                found.join(", ")
            ),
        )
    }

    fn call_node(
        &mut self,
        expr: &IdedExpr,
        op: Op,
        mut nodes: Vec<Node>,
    ) -> Result<Node, super::Wrong> {
        match (op, nodes.as_slice()) {
            (Op::Matches, [_, Node::Const(Value::Text(pattern))]) => {
                let compiled = regex::RegexBuilder::new(pattern)
                    .size_limit(MAX_REGEX_BYTES)
                    .build();
                match compiled {
                    Ok(regex) => {
                        let text = Box::new(nodes.swap_remove(0));
                        Ok(Node::Matches(text, regex.into()))
                    }
                    Err(error) => wrong(expr, format!("not a regular expression: {error}")),
                }
            }
            (Op::Matches, _) => wrong(
                expr,
                "the pattern of matches() must be literal text, so that it is checked at load",
            ),
            (Op::NextId, [Node::Const(Value::Text(name))]) => {
                let known = self.scope.counters();
                if !known
                    .iter()
                    .any(|counter| counter.as_str() == name.as_ref())
                {
                    let hint = did_you_mean(name, known.iter().map(String::as_str));
                    return wrong(
                        expr,
                        format!(
                            "there is no entity type '{name}'{hint}; there are {}",
                            known.join(", ")
                        ),
                    );
                }
                self.counters.insert(name.as_ref().to_owned());
                Ok(Node::Call(op, nodes))
            }
            (Op::NextId, _) => wrong(
                expr,
                "nextId() takes the name of an entity type as literal text",
            ),
            _ => Ok(Node::Call(op, nodes)),
        }
    }
}

/// The most memory that a compiled pattern may take: far above any sane pattern, far below what hurts.
const MAX_REGEX_BYTES: usize = 256 * 1024;

fn unavailable(function: &FunctionDoc) -> &'static str {
    match function.needs {
        Needs::Decision => "it belongs to a decision (keys, require, let, cases)",
        Needs::Draws | Needs::Nothing => "this condition must depend on the request alone",
    }
}

fn hint(function: &FunctionDoc, found: &[Type]) -> &'static str {
    let mixed = found.contains(&Type::Int) && found.contains(&Type::Double);
    let nullable = found
        .iter()
        .any(|ty| matches!(ty, Type::Nullable(_) | Type::Null));
    match function.name {
        _ if nullable => ": one may be null; write orElse(.., <default>) or check != null first",
        "max" | "min" if mixed => ": int and double don't mix; write double(..) around the int",
        _ => "",
    }
}

fn loop_sort(name: &str) -> Option<LoopSort> {
    Some(match name {
        "all" => LoopSort::All,
        "exists" => LoopSort::Exists,
        "exists_one" | "existsOne" => LoopSort::ExistsOne,
        "map" => LoopSort::Map,
        "filter" => LoopSort::Filter,
        _ => return None,
    })
}
