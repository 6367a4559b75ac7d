//! Drops files that can't have a row for a filter, by what the log says about their values.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use crate::snapshot::{Bounds, DataFile};

/// The files that may have rows for which `predicate` (over `schema`) holds; the same list when it can't tell.
pub(super) fn keep_matching(
    files: &Arc<Vec<Arc<DataFile>>>,
    predicate: Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
) -> Arc<Vec<Arc<DataFile>>> {
    let pruning = PruningPredicateBuilder::new()
        .with_file_schema(schema.clone())
        .build(predicate);
    let Some(pruning) = pruning else {
        return files.clone();
    };
    // Pruning saves work and decides nothing: when it fails, all files are read.
    let Ok(keep) = pruning.prune(&LogStatistics { files, schema }) else {
        return files.clone();
    };
    if keep.iter().all(|keep| *keep) {
        return files.clone();
    }
    let kept = files.iter().zip(keep).filter(|(_, keep)| *keep);
    Arc::new(kept.map(|(file, _)| file.clone()).collect())
}

struct LogStatistics<'a> {
    files: &'a [Arc<DataFile>],
    schema: &'a SchemaRef,
}

impl LogStatistics<'_> {
    fn values(
        &self,
        column: &Column,
        pick: fn(&Bounds) -> Option<&ScalarValue>,
    ) -> Option<ArrayRef> {
        let null =
            ScalarValue::try_from(self.schema.field_with_name(&column.name).ok()?.data_type())
                .ok()?;
        let value = |file: &Arc<DataFile>| {
            if let Some(value) = file.partition_values.get(&column.name) {
                return value.clone();
            }
            let bound = file.bounds.get(&column.name).and_then(pick).cloned();
            // The declared type may differ from the one in the log.
            bound
                .filter(|bound| bound.data_type() == null.data_type())
                .unwrap_or_else(|| null.clone())
        };
        ScalarValue::iter_to_array(self.files.iter().map(value)).ok()
    }
}

impl PruningStatistics for LogStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |bounds| bounds.min.as_ref())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |bounds| bounds.max.as_ref())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let nulls = |file: &Arc<DataFile>| match file.partition_values.get(&column.name) {
            Some(value) if value.is_null() => file.rows,
            Some(_) => Some(0),
            None => file
                .bounds
                .get(&column.name)
                .and_then(|bounds| bounds.nulls),
        };
        Some(Arc::new(
            self.files.iter().map(nulls).collect::<UInt64Array>(),
        ))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(
            self.files
                .iter()
                .map(|file| file.rows)
                .collect::<UInt64Array>(),
        ))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
