//! What the planner may know about a set of files: rows, bounds and nulls per column.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};

use super::DataFile;

/// Statistics of `files` for the columns of `schema`, in its order.
pub(crate) fn statistics_of(files: &[Arc<DataFile>], schema: &Schema) -> Statistics {
    let rows: Option<u64> = files.iter().map(|file| file.rows).sum();
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    Statistics {
        num_rows: precise(rows),
        total_byte_size: Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX)),
        column_statistics: schema
            .fields()
            .iter()
            .map(|field| column(files, field.name()))
            .collect(),
    }
}

fn precise(count: Option<u64>) -> Precision<usize> {
    count
        .and_then(|n| usize::try_from(n).ok())
        .map_or(Precision::Absent, Precision::Exact)
}

fn column(files: &[Arc<DataFile>], name: &str) -> ColumnStatistics {
    let mut nulls = Some(0_u64);
    let mut min = Fold::new(ScalarValue::lt_total);
    let mut max = Fold::new(ScalarValue::gt_total);
    for file in files {
        let bounds = file.bounds.get(name);
        nulls = nulls
            .zip(bounds.and_then(|bounds| bounds.nulls))
            .map(|(a, b)| a + b);
        // A file whose values are all null (or that has no rows) has no bounds and moves none.
        let empty =
            bounds.is_some_and(|bounds| bounds.nulls.is_some() && bounds.nulls == file.rows);
        if !empty {
            min.take(
                bounds.and_then(|bounds| bounds.min.as_ref()),
                bounds.is_some_and(|bounds| bounds.exact),
            );
            max.take(
                bounds.and_then(|bounds| bounds.max.as_ref()),
                bounds.is_some_and(|bounds| bounds.exact),
            );
        }
    }
    ColumnStatistics {
        null_count: precise(nulls),
        min_value: min.finish(),
        max_value: max.finish(),
        ..ColumnStatistics::new_unknown()
    }
}

trait TotalOrder {
    fn lt_total(&self, other: &Self) -> bool;
    fn gt_total(&self, other: &Self) -> bool;
}

impl TotalOrder for ScalarValue {
    fn lt_total(&self, other: &Self) -> bool {
        self.partial_cmp(other)
            .is_some_and(std::cmp::Ordering::is_lt)
    }
    fn gt_total(&self, other: &Self) -> bool {
        self.partial_cmp(other)
            .is_some_and(std::cmp::Ordering::is_gt)
    }
}

/// The least (or greatest) of the bounds seen; nothing as soon as one file has none.
struct Fold {
    better: fn(&ScalarValue, &ScalarValue) -> bool,
    best: Option<ScalarValue>,
    exact: bool,
    unknown: bool,
}

impl Fold {
    fn new(better: fn(&ScalarValue, &ScalarValue) -> bool) -> Self {
        Self {
            better,
            best: None,
            exact: true,
            unknown: false,
        }
    }

    fn take(&mut self, value: Option<&ScalarValue>, exact: bool) {
        let Some(value) = value else {
            self.unknown = true;
            return;
        };
        self.exact &= exact;
        if self
            .best
            .as_ref()
            .is_none_or(|best| (self.better)(value, best))
        {
            self.best = Some(value.clone());
        }
    }

    fn finish(self) -> Precision<ScalarValue> {
        match self.best {
            Some(best) if !self.unknown && self.exact => Precision::Exact(best),
            Some(best) if !self.unknown => Precision::Inexact(best),
            _ => Precision::Absent,
        }
    }
}
