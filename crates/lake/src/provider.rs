//! A pinned table as DataFusion reads it: plain Parquet scans over the live files.
//!
//! Tables are append-only, without deletion vectors or column mapping, so a scan is the list of live files with their
//! partition values. The log's statistics drop files before any is opened, and answer `count(*)` without a scan.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::{ObjectMeta, ObjectStore};

use crate::snapshot::statistics::statistics_of;
use crate::snapshot::{DataFile, TableSnapshot};
use crate::store::LakeStore;

mod prune;

/// The URL under which a session finds the lake's store, when it looks for it by URL.
pub const STORE_URL: &str = "lake://lake";

/// How many files of a bucket one scan reads at the same time, though fewer threads decode them: a request takes
/// milliseconds in which nothing else would happen.
const REMOTE_READS: usize = 16;

/// One table of a cut, with the columns that a schema shows.
#[derive(Debug)]
pub(crate) struct PinnedTable {
    schema: SchemaRef,
    /// The shown columns that stand in the files.
    file_schema: SchemaRef,
    /// The shown columns that stand in the log: their value is the same for a whole file.
    partition_fields: Vec<FieldRef>,
    snapshot: Arc<TableSnapshot>,
    store: Arc<dyn ObjectStore>,
    is_remote: bool,
}

impl PinnedTable {
    /// `schema` may leave out columns of the snapshot, and have some that it lacks yet (they are null).
    pub(crate) fn new(schema: SchemaRef, snapshot: Arc<TableSnapshot>, store: &LakeStore) -> Self {
        let is_partition = |field: &&FieldRef| snapshot.partition_columns.contains(field.name());
        let partition_fields: Vec<FieldRef> = schema
            .fields()
            .iter()
            .filter(is_partition)
            .cloned()
            .collect();
        let in_files = schema.fields().iter().filter(|field| !is_partition(field));
        let file_schema = Arc::new(Schema::new(in_files.cloned().collect::<Vec<_>>()));
        Self {
            schema,
            file_schema,
            partition_fields,
            snapshot,
            store: Arc::clone(store.objects()),
            is_remote: store.is_remote(),
        }
    }

    /// The files that may have rows for `filters`.
    fn files_for(&self, state: &dyn Session, filters: &[Expr]) -> Result<Arc<Vec<Arc<DataFile>>>> {
        let all = &self.snapshot.files;
        let Some(filter) = conjunction(filters.iter().cloned()) else {
            return Ok(all.clone());
        };
        let schema = DFSchema::try_from(self.schema.as_ref().clone())?;
        let predicate = state.create_physical_expr(filter, &schema)?;
        Ok(prune::keep_matching(all, predicate, &self.schema))
    }

    fn statistics(&self, files: &Arc<Vec<Arc<DataFile>>>, schema: &Schema) -> Statistics {
        if !Arc::ptr_eq(files, &self.snapshot.files) {
            return statistics_of(files, schema);
        }
        // The whole table: computed once per version, for all columns, and picked from.
        let whole = self
            .snapshot
            .statistics
            .get_or_init(|| Arc::new(statistics_of(files, &self.snapshot.schema)));
        let column = |field: &FieldRef| {
            let index = self.snapshot.schema.index_of(field.name()).ok();
            index
                .and_then(|index| whole.column_statistics.get(index))
                .cloned()
                .unwrap_or_default()
        };
        Statistics {
            num_rows: whole.num_rows,
            total_byte_size: whole.total_byte_size,
            column_statistics: schema.fields().iter().map(column).collect(),
        }
    }

    fn partitioned_file(&self, file: &DataFile) -> PartitionedFile {
        let meta = ObjectMeta {
            location: file.path.clone(),
            last_modified: chrono::DateTime::from_timestamp_millis(file.modified_millis)
                .unwrap_or_default(),
            size: file.size,
            e_tag: None,
            version: None,
        };
        let value = |field: &FieldRef| {
            let value = file.partition_values.get(field.name()).cloned();
            value.unwrap_or_else(|| {
                ScalarValue::try_from(field.data_type()).unwrap_or(ScalarValue::Null)
            })
        };
        PartitionedFile::new_from_meta(meta)
            .with_partition_values(self.partition_fields.iter().map(value).collect())
    }
}

#[async_trait]
impl TableProvider for PinnedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // They choose files here; the Parquet reader gets them when the physical plan is optimised.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files_for(state, filters)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(
                &self.schema,
                projection,
            )?)));
        }
        let table_schema = TableSchema::builder(self.file_schema.clone())
            .with_table_partition_cols(self.partition_fields.clone())
            .build();
        let scan_schema = table_schema.table_schema().clone();
        let statistics = self.statistics(&files, &scan_schema);
        // The scan has the partition columns last; the table may have them anywhere.
        let wanted = project_schema(&self.schema, projection)?;
        let indices = wanted
            .fields()
            .iter()
            .map(|field| scan_schema.index_of(field.name()));
        let indices = indices.collect::<std::result::Result<Vec<_>, _>>()?;

        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let mut options = state.default_table_options().parquet;
        options.global = state.config_options().execution.parquet.clone();
        let source = ParquetSource::new(table_schema)
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(
                self.store.clone(),
                cache,
            )));
        let threads = state.config().target_partitions();
        let wanted = if self.is_remote {
            threads.max(REMOTE_READS)
        } else {
            threads
        };
        let parts = wanted.min(files.len()).max(1);
        let group = FileGroup::new(
            files
                .iter()
                .map(|file| self.partitioned_file(file))
                .collect(),
        );
        let config =
            FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
                .with_file_groups(group.split_files(parts))
                .with_statistics(statistics)
                .with_projection_indices(Some(indices))?
                .with_limit(limit)
                .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
