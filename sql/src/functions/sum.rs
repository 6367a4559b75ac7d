//! `sum` of bigints that fails when it does not fit, as in Trino; the engine's wraps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::sum_checked;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

use crate::error::{ErrorCode, QueryError};

/// The engine's `sum` but for bigints.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedSum {
    engines: Arc<AggregateUDF>,
}

impl CheckedSum {
    pub(super) fn new(engines: Arc<AggregateUDF>) -> Self {
        Self { engines }
    }
}

/// A sum of distinct values alone is planned as a sum over groups, and comes here. Beside another `DISTINCT` it is left to
/// the engine's own set, and wraps.
fn is_ours(args: &AccumulatorArgs) -> bool {
    !args.is_distinct && args.return_field.data_type() == &DataType::Int64
}

fn overflow() -> DataFusionError {
    let error = QueryError::new(
        ErrorCode::NumericValueOutOfRange,
        "bigint addition overflow in sum; sum(CAST(x AS decimal(38, 0))) holds larger results",
    );
    DataFusionError::External(Box::new(error))
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.engines.name()
    }

    fn signature(&self) -> &Signature {
        self.engines.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.engines.return_type(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match is_ours(&args) {
            true => Ok(Box::new(Sum::default())),
            false => self.engines.accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match is_ours(&args) {
            true => Ok(Box::new(Sum::default())),
            false => self.engines.create_sliding_accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.engines.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match is_ours(&args) {
            true => Ok(Box::new(group_sums())),
            false => self.engines.create_groups_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.engines.state_fields(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, kind: &DataType) -> SetMonotonicity {
        self.engines.inner().set_monotonicity(kind)
    }
}

/// One sum, of all rows or of a window's.
#[derive(Debug, Default)]
struct Sum {
    /// Wide enough for any number of bigints that a machine can hold: a window may leave the range and come back.
    total: i128,
    /// Values that are not null.
    count: u64,
}

fn bigints(values: &[ArrayRef]) -> Result<&arrow::array::Int64Array> {
    values
        .first()
        .and_then(|array| array.as_primitive_opt::<Int64Type>())
        .ok_or_else(|| DataFusionError::Execution("sum takes one bigint".to_owned()))
}

/// The values' sum and how many are not null.
fn total(values: &[ArrayRef]) -> Result<(i128, u64)> {
    let values = bigints(values)?;
    let count = (values.len() - values.null_count()) as u64;
    let total = match sum_checked(values) {
        Ok(sum) => i128::from(sum.unwrap_or(0)),
        Err(ArrowError::ArithmeticOverflow(_)) => values.iter().flatten().map(i128::from).sum(),
        Err(error) => return Err(error.into()),
    };
    Ok((total, count))
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (total, count) = total(values)?;
        self.total += total;
        self.count += count;
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::Int64(None));
        }
        let total = i64::try_from(self.total).map_err(|_| overflow())?;
        Ok(ScalarValue::Int64(Some(total)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (total, count) = total(values)?;
        self.total -= total;
        self.count -= count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// The sums of many groups, and whether one of them left the range.
struct GroupSums<Add: Fn(&mut i64, i64) + Send + Sync + 'static> {
    sums: PrimitiveGroupsAccumulator<Int64Type, Add>,
    overflowed: Arc<AtomicBool>,
}

fn group_sums() -> impl GroupsAccumulator {
    let overflowed = Arc::new(AtomicBool::new(false));
    let noted = overflowed.clone();
    let add = move |sum: &mut i64, value: i64| match sum.checked_add(value) {
        Some(larger) => *sum = larger,
        None => noted.store(true, Ordering::Relaxed),
    };
    GroupSums {
        sums: PrimitiveGroupsAccumulator::new(&DataType::Int64, add),
        overflowed,
    }
}

impl<Add: Fn(&mut i64, i64) + Send + Sync + 'static> GroupSums<Add> {
    fn check(&self) -> Result<()> {
        match self.overflowed.load(Ordering::Relaxed) {
            true => Err(overflow()),
            false => Ok(()),
        }
    }
}

impl<Add: Fn(&mut i64, i64) + Send + Sync + 'static> GroupsAccumulator for GroupSums<Add> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums
            .update_batch(values, group_indices, filter, total_num_groups)?;
        self.check()
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.sums.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.sums.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums
            .merge_batch(values, group_indices, total_num_groups)?;
        self.check()
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.sums.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.sums.size()
    }
}
