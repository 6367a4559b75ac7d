//! The engine's threads, memory, disk and base settings.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::PeakRecordingPool;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use gamepipe_config::sql::SqlConfig;
use gamepipe_lake::provider::STORE_URL;
use gamepipe_lake::reader::LakeReader;
use url::Url;

use super::Engine;
use super::catalog::Catalogs;
use crate::functions::{self, Budget};
use crate::session::Session;

/// Expressions are trees and planning recurses over them: 5,000 terms in a row pass with this. Only touched pages count
/// as memory.
const STACK_BYTES: usize = 64 << 20;
/// Threads for reading files; more wait. Each reads one range at a time from a local disk.
const MAX_FILE_THREADS: usize = 16;
/// Footers of the lake's files: about 10 KB each, so some thousands of files.
const METADATA_CACHE_BYTES: usize = 48 << 20;
/// The consumers of memory that an error names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// Starts the query threads.
pub(super) fn start_threads(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(MAX_FILE_THREADS)
        .thread_name("query")
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
}

/// Memory, disk, caches and the one store that all queries share.
pub(super) fn environment(config: &SqlConfig, reader: &LakeReader) -> Result<Arc<RuntimeEnv>> {
    let pool = TrackConsumersPool::new(FairSpillPool::new(config.memory_bytes), NAMED_CONSUMERS);
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_max_temp_directory_size(config.spill_bytes),
        )
        .with_cache_manager(
            CacheManagerConfig::default().with_metadata_cache_limit(METADATA_CACHE_BYTES),
        )
        .with_object_store_registry(Arc::new(OnlyTheLake {
            store: reader.store().clone(),
        }))
        .build_arc()
}

/// Knows the lake and nothing else: no URL in any statement reaches the machine's files or the network.
#[derive(Debug)]
struct OnlyTheLake {
    store: Arc<dyn object_store::ObjectStore>,
}

impl ObjectStoreRegistry for OnlyTheLake {
    fn register_store(
        &self,
        _: &Url,
        _: Arc<dyn object_store::ObjectStore>,
    ) -> Option<Arc<dyn object_store::ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn object_store::ObjectStore>> {
        if url.as_str().trim_end_matches('/') == STORE_URL {
            return Ok(self.store.clone());
        }
        Err(DataFusionError::Plan(
            "only the lake can be read".to_owned(),
        ))
    }
}

impl Engine {
    /// The state for one query: its session's settings, its catalogs, and a pool that records its own peak; and what its
    /// functions may take out of that pool.
    pub(super) fn state_for(
        &self,
        session: &Session,
        catalogs: Catalogs,
    ) -> Result<(SessionState, Arc<Budget>)> {
        let base = self.base.get_or_init(base_state);
        let memory: Arc<dyn MemoryPool> =
            Arc::new(PeakRecordingPool::new(self.env.memory_pool.clone()));
        let budget = Arc::new(Budget::new(memory.clone()));
        let env = RuntimeEnv {
            memory_pool: memory,
            ..self.env.as_ref().clone()
        };
        let mut state = SessionStateBuilder::new_from_existing(base.clone())
            .with_config(session_config(session, self.thread_count()))
            .with_catalog_list(Arc::new(catalogs))
            .with_runtime_env(Arc::new(env))
            .build();
        functions::exchange(&mut state, &budget)?;
        // `now()` is the same moment in all of a query.
        state.mark_start_execution();
        Ok((state, budget))
    }
}

/// Functions, rules and planners, without anything that could make tables or files.
fn base_state() -> SessionState {
    let mut builder = SessionStateBuilder::new()
        .with_default_features()
        .with_table_factories(std::collections::HashMap::new())
        .with_file_formats(Vec::new());
    functions::add(&mut builder);
    builder.build()
}

fn session_config(session: &Session, threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(&session.catalog, &session.schema)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_target_partitions(threads);
    let options = config.options_mut();
    "nulls_last".clone_into(&mut options.sql_parser.default_null_ordering);
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = Some(session.time_zone.clone());
    config
}
