//! Functions whose result can be far larger than their arguments: they take memory from the query's budget first.
//!
//! A call with constant arguments would be worked out while the query is planned, where no memory is counted and no
//! deadline is looked at. One with a large result fails there, which only puts it off until rows are asked for.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};

use super::budget::{Budget, hold};
use super::estimate::{Estimate, Growth, growth_of};
use crate::error::{ErrorCode, QueryError};

/// The largest single value, in bytes. Far above any name, message or event.
const MAX_VALUE_BYTES: u64 = 16 << 20;
/// The largest column of a batch, in bytes: half of what the offsets of texts and lists can count.
const MAX_COLUMN_BYTES: u64 = 1 << 30;
/// The largest constant that a plan may hold in place of a call, in bytes. A plan copies it to each of the 100,000 places
/// that a statement can name it at: that must not take much.
const MAX_FOLDED_BYTES: u64 = 256;

/// A function of the engine behind a look at its arguments; `None` for one that needs none, or has one.
pub(super) fn bounded(function: &Arc<ScalarUDF>, budget: &Arc<Budget>) -> Option<Arc<ScalarUDF>> {
    if function.inner().is::<Bounded>() {
        return None;
    }
    let growth = growth_of(function.name())?;
    let inner = function.clone();
    Some(with_growth(inner, growth, budget))
}

/// A function behind a look at its arguments.
pub(super) fn with_growth(
    inner: Arc<ScalarUDF>,
    growth: Growth,
    budget: &Arc<Budget>,
) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Bounded {
        inner,
        growth,
        budget: budget.clone(),
    }))
}

#[derive(Debug)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    budget: Arc<Budget>,
}

// Within a query the function's name tells it all.
impl PartialEq for Bounded {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Bounded {}

impl std::hash::Hash for Bounded {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.inner.hash(hasher);
    }
}

impl Bounded {
    fn call(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        if constant {
            let one = self.estimate(&args, 1)?;
            let small = one.total <= MAX_FOLDED_BYTES;
            if small || self.budget.is_planning() {
                return self.folded(args, small);
            }
            // The constant itself, and then one for each row.
            let held = self
                .budget
                .take(as_usize(one.total.saturating_mul(rows as u64 + 1)))?;
            let array = self.inner.invoke_with_args(args)?.into_array(rows)?;
            return hold(&array, held).map(ColumnarValue::Array);
        }
        let estimate = self.estimate(&args, rows)?;
        let held = self.budget.take(as_usize(estimate.total))?;
        match self.inner.invoke_with_args(args)? {
            ColumnarValue::Array(array) => hold(&array, held).map(ColumnarValue::Array),
            scalar => Ok(scalar),
        }
    }

    /// A small constant; a large one is left for when rows are asked for.
    fn folded(&self, args: ScalarFunctionArgs, small: bool) -> Result<ColumnarValue> {
        if small {
            return self.inner.invoke_with_args(args);
        }
        Err(refused(
            ErrorCode::ExceededLocalMemoryLimit,
            format!(
                "the result of {} is too large for a constant of a plan",
                self.name()
            ),
        ))
    }

    fn estimate(&self, args: &ScalarFunctionArgs, rows: usize) -> Result<Estimate> {
        let estimate = Estimate::of(self.growth, &args.args, rows)?;
        let too_large = |what: &str, most: u64| {
            let text = format!(
                "{what} of {} would have more than {most} bytes",
                self.name()
            );
            Err(refused(ErrorCode::InvalidFunctionArgument, text))
        };
        if estimate.largest > MAX_VALUE_BYTES {
            return too_large("the result", MAX_VALUE_BYTES);
        }
        if estimate.total > MAX_COLUMN_BYTES {
            return too_large("the results for one batch", MAX_COLUMN_BYTES);
        }
        Ok(estimate)
    }
}

fn as_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn refused(code: ErrorCode, text: String) -> DataFusionError {
    DataFusionError::External(Box::new(QueryError::new(code, text)))
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.call(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}
