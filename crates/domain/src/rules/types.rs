//! The types of rules, and what may stand where.
//!
//! They come from declarations ([`Type::of`]) and from the constant data of catalogs ([`catalogs`]), never from values
//! at run time: a whole number that was declared a `number` is a double.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::value::Value;
use crate::definition::document::{ValueKind, ValueSpec};

/// The type of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    /// No value: the items of `[]`.
    Never,
    /// Only `null`.
    Null,
    /// True or false.
    Bool,
    /// 64-bit whole number.
    Int,
    /// 64-bit float.
    Double,
    /// Text.
    String,
    /// A moment.
    Timestamp,
    /// A list of one type.
    List(Arc<Type>),
    /// Text to one type.
    Map(Arc<Type>),
    /// Named fields.
    Object(Arc<Fields>),
    /// Items and how many.
    Bag,
    /// A value or null.
    Nullable(Arc<Type>),
    /// JSON whose type is known at run time only: a reply, a simulated player's memory.
    Dyn,
}

/// The fields of an object.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Fields(pub(crate) BTreeMap<Arc<str>, Field>);

/// One field of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Its type.
    pub(crate) ty: Type,
    /// Its value when it is not given; `None` when it must be given.
    pub(crate) default: Option<Value>,
}

impl Type {
    /// The type that a declaration stands for.
    pub(crate) fn of(spec: &ValueSpec) -> Self {
        let of_box = |inner: &Option<Box<ValueSpec>>| {
            Arc::new(inner.as_deref().map_or(Self::String, Self::of))
        };
        let plain = match spec.kind {
            ValueKind::Integer => Self::Int,
            ValueKind::Number => Self::Double,
            ValueKind::String => Self::String,
            ValueKind::Boolean => Self::Bool,
            ValueKind::Timestamp => Self::Timestamp,
            ValueKind::List => Self::List(of_box(&spec.items)),
            ValueKind::Map => Self::Map(of_box(&spec.values)),
            ValueKind::Object => Self::Object(Arc::new(Fields::of(&spec.properties))),
            ValueKind::Bag => Self::Bag,
        };
        if spec.nullable {
            Self::Nullable(Arc::new(plain))
        } else {
            plain
        }
    }

    /// An object whose fields must all be given.
    pub(crate) fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Type)>) -> Self {
        let required = |(name, ty): (&str, Type)| (Arc::from(name), Field { ty, default: None });
        Self::Object(Arc::new(Fields(fields.into_iter().map(required).collect())))
    }

    pub(crate) fn list(item: Type) -> Self {
        Self::List(Arc::new(item))
    }

    /// The type or null; null stays null.
    pub(crate) fn or_null(self) -> Self {
        match self {
            Self::Null | Self::Never => Self::Null,
            Self::Nullable(_) | Self::Dyn => self,
            plain => Self::Nullable(Arc::new(plain)),
        }
    }

    /// The type without null.
    pub(crate) fn not_null(&self) -> &Self {
        match self {
            Self::Nullable(inner) => inner,
            plain => plain,
        }
    }

    /// True when a value of type `from` may stand where `self` is declared. With `widen`, an int may stand for a double.
    pub(crate) fn accepts(&self, from: &Type, widen: bool) -> bool {
        match (self, from) {
            (Self::Dyn, _) | (_, Self::Dyn | Self::Never) | (Self::Nullable(_), Self::Null) => true,
            (Self::Nullable(to), from) => to.accepts(from.not_null(), widen),
            (Self::Double, Self::Int) => widen,
            (Self::List(to), Self::List(from)) | (Self::Map(to), Self::Map(from)) => {
                to.accepts(from, widen)
            }
            (Self::Map(to), Self::Bag) => to.accepts(&Self::Int, widen),
            (Self::Map(to), Self::Object(from)) => {
                from.0.values().all(|field| to.accepts(&field.ty, widen))
            }
            (Self::Bag, Self::Map(from)) => matches!(**from, Self::Int | Self::Never),
            (Self::Bag, Self::Object(from)) => from.0.values().all(|field| field.ty == Self::Int),
            (Self::Object(to), Self::Object(from)) => {
                from.0.keys().all(|name| to.0.contains_key(name))
                    && to.0.iter().all(|(name, field)| match from.0.get(name) {
                        Some(given) => field.ty.accepts(&given.ty, widen),
                        None => field.default.is_some(),
                    })
            }
            (to, from) => to == from,
        }
    }

    /// The type that has the values of both; `None` when there is none.
    pub(crate) fn unify(&self, other: &Type) -> Option<Type> {
        Some(match (self, other) {
            (Self::Never, one) | (one, Self::Never) => one.clone(),
            (Self::Dyn, _) | (_, Self::Dyn) => Self::Dyn,
            (Self::Null, one) | (one, Self::Null) => one.clone().or_null(),
            (Self::Nullable(one), other) | (other, Self::Nullable(one)) => {
                one.unify(other.not_null())?.or_null()
            }
            (Self::List(one), Self::List(other)) => Self::list(one.unify(other)?),
            (Self::Map(one), Self::Map(other)) => Self::Map(Arc::new(one.unify(other)?)),
            (Self::Object(one), Self::Object(other)) => match one.unify(other) {
                Some(fields) => Self::Object(Arc::new(fields)),
                None => Self::Map(Arc::new(one.common()?.unify(&other.common()?)?)),
            },
            (Self::Object(one), Self::Map(other)) | (Self::Map(other), Self::Object(one)) => {
                Self::Map(Arc::new(one.common()?.unify(other)?))
            }
            (Self::Bag, Self::Map(_) | Self::Object(_)) if self.accepts(other, false) => {
                Self::Map(Arc::new(Self::Int))
            }
            (Self::Map(_) | Self::Object(_), Self::Bag) if other.accepts(self, false) => {
                Self::Map(Arc::new(Self::Int))
            }
            (one, other) if one == other => one.clone(),
            _ => return None,
        })
    }

    /// True when a value that is accepted here may still have to change its form.
    pub(crate) fn needs_coercion(&self) -> bool {
        match self {
            Self::Double | Self::Bag | Self::Object(_) | Self::Dyn => true,
            Self::List(inner) | Self::Map(inner) | Self::Nullable(inner) => inner.needs_coercion(),
            _ => false,
        }
    }

    /// What was expected and what was found, with what to write instead where that is known.
    pub(crate) fn mismatch(&self, found: &Type) -> String {
        let hint = match (self.not_null(), found) {
            (Self::Double, Self::Int) => ": write double(..)",
            (Self::Int, Self::Double) => ": write int(..), round(..), floor(..) or ceil(..)",
            (Self::String, Self::Int | Self::Double | Self::Bool | Self::Timestamp) => {
                ": write string(..)"
            }
            (to, Self::Nullable(from)) if to.accepts(from, true) => {
                ": it may be null; write orElse(.., <default>) or check != null first"
            }
            _ => "",
        };
        format!("expected {self}, found {found}{hint}")
    }
}

impl Fields {
    /// Declared fields.
    pub(crate) fn of(specs: &BTreeMap<String, ValueSpec>) -> Self {
        let fields = specs.iter().map(|(name, spec)| {
            let ty = Type::of(spec);
            let default = default_of(spec, &ty);
            (Arc::from(name.as_str()), Field { ty, default })
        });
        Self(fields.collect())
    }

    /// The one type that all fields have, as of a map; `None` when there is none.
    pub(crate) fn common(&self) -> Option<Type> {
        self.0
            .values()
            .try_fold(Type::Never, |common, field| common.unify(&field.ty))
    }

    fn unify(&self, other: &Fields) -> Option<Fields> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let mut fields = BTreeMap::new();
        for (name, field) in &self.0 {
            let ty = field.ty.unify(&other.0.get(name)?.ty)?;
            fields.insert(name.clone(), Field { ty, default: None });
        }
        Some(Fields(fields))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => out.write_str("nothing"),
            Self::Null => out.write_str("null"),
            Self::Bool => out.write_str("bool"),
            Self::Int => out.write_str("int"),
            Self::Double => out.write_str("double"),
            Self::String => out.write_str("string"),
            Self::Timestamp => out.write_str("timestamp"),
            Self::List(item) => write!(out, "list<{item}>"),
            Self::Map(item) => write!(out, "map<{item}>"),
            Self::Bag => out.write_str("bag"),
            Self::Nullable(inner) => write!(out, "{inner} or null"),
            Self::Dyn => out.write_str("any"),
            Self::Object(fields) => {
                out.write_str("{")?;
                for (index, (name, field)) in fields.0.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(out, "{comma}{name}: {}", field.ty)?;
                }
                out.write_str("}")
            }
        }
    }
}

/// The value of a declared field that is not given; `None` when it must be given.
pub(crate) fn default_of(spec: &ValueSpec, ty: &Type) -> Option<Value> {
    if let Some(json) = &spec.default {
        return Value::from_json(json, ty).ok();
    }
    match ty {
        Type::Nullable(_) => Some(Value::Null),
        Type::List(_) => Some(Value::list(Vec::new())),
        Type::Map(_) | Type::Bag => Some(Value::sorted_map(Vec::new())),
        Type::Object(fields) => {
            let entries: Option<Vec<_>> = fields
                .0
                .iter()
                .map(|(name, field)| Some((name.clone(), field.default.clone()?)))
                .collect();
            entries.map(Value::sorted_map)
        }
        _ => None,
    }
}
