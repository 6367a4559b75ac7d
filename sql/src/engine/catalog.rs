//! Catalogs, schemas and tables as queries name them, over one pinned cut.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableProvider;
use gamepipe_domain::definition::game::Game;
use gamepipe_lake::reader::{Cut, View};

use super::history::History;
use crate::tables;
use crate::{DEFAULT_CATALOG, DEFAULT_SCHEMA, LAKE_CATALOG};

/// Trino's catalog about itself.
pub(crate) const SYSTEM_CATALOG: &str = "system";
/// In every catalog: its schemas, tables and columns.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// All catalogs as one query sees them.
#[derive(Debug, Clone)]
pub(crate) struct Catalogs {
    /// The tables' versions.
    pub(crate) cut: Cut,
    /// For names and descriptions.
    pub(crate) game: Arc<Game>,
    /// For `system.runtime.queries`.
    pub(crate) history: Arc<History>,
}

/// What a schema shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaKind {
    /// Tables of the lake.
    Lake(View),
    /// What its catalog holds.
    Information,
    /// `system.jdbc`, `system.metadata`, `system.runtime`.
    System(tables::SystemSchema),
}

impl Catalogs {
    /// The catalogs' names, in order.
    pub(crate) fn names() -> [&'static str; 3] {
        [DEFAULT_CATALOG, LAKE_CATALOG, SYSTEM_CATALOG]
    }

    /// The schemas of a catalog, in order; `None` when there is no such catalog.
    pub(crate) fn schemas(&self, catalog: &str) -> Option<Vec<String>> {
        let game = self.game.schema_name();
        let mut names = match catalog {
            DEFAULT_CATALOG => vec![
                DEFAULT_SCHEMA.to_owned(),
                game.clone(),
                format!("{game}_raw"),
            ],
            LAKE_CATALOG => vec![game.clone(), format!("{game}_raw")],
            SYSTEM_CATALOG => tables::SystemSchema::ALL
                .iter()
                .map(|schema| schema.name().to_owned())
                .collect(),
            _ => return None,
        };
        names.push(INFORMATION_SCHEMA.to_owned());
        names.sort_unstable();
        names.dedup();
        Some(names)
    }

    /// What `catalog.schema` shows; `None` when there is no such schema.
    pub(crate) fn kind(&self, catalog: &str, schema: &str) -> Option<SchemaKind> {
        if !self.schemas(catalog)?.iter().any(|name| name == schema) {
            return None;
        }
        if schema == INFORMATION_SCHEMA {
            return Some(SchemaKind::Information);
        }
        if catalog == SYSTEM_CATALOG {
            return tables::SystemSchema::named(schema).map(SchemaKind::System);
        }
        let raw = schema != DEFAULT_SCHEMA && schema != self.game.schema_name();
        Some(SchemaKind::Lake(if raw {
            View::Raw
        } else {
            View::Declared
        }))
    }

    /// The tables of a schema, in order; empty when there is no such schema.
    pub(crate) fn tables(&self, catalog: &str, schema: &str) -> Vec<String> {
        match self.kind(catalog, schema) {
            Some(SchemaKind::Lake(view)) => self.cut.table_names(view),
            Some(SchemaKind::Information) => tables::names(tables::INFORMATION),
            Some(SchemaKind::System(schema)) => tables::names(schema.tables()),
            None => Vec::new(),
        }
    }
}

impl CatalogProviderList for Catalogs {
    fn register_catalog(
        &self,
        _: String,
        _: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        Self::names().map(str::to_owned).to_vec()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        Self::names().contains(&name).then(|| {
            let catalog: Arc<dyn CatalogProvider> = Arc::new(Catalog {
                all: self.clone(),
                name: name.to_owned(),
            });
            catalog
        })
    }
}

#[derive(Debug)]
struct Catalog {
    all: Catalogs,
    name: String,
}

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        self.all.schemas(&self.name).unwrap_or_default()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let kind = self.all.kind(&self.name, name)?;
        Some(Arc::new(Schema {
            all: self.all.clone(),
            catalog: self.name.clone(),
            name: name.to_owned(),
            kind,
        }))
    }
}

#[derive(Debug)]
struct Schema {
    all: Catalogs,
    catalog: String,
    name: String,
    kind: SchemaKind,
}

#[async_trait]
impl SchemaProvider for Schema {
    fn table_names(&self) -> Vec<String> {
        self.all.tables(&self.catalog, &self.name)
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let external = |error| DataFusionError::External(Box::new(error));
        match self.kind {
            SchemaKind::Lake(view) => self.all.cut.table(view, name).await.map_err(external),
            SchemaKind::Information => {
                tables::provider(tables::INFORMATION, name, &self.all, &self.catalog).await
            }
            SchemaKind::System(schema) => {
                tables::provider(schema.tables(), name, &self.all, &self.catalog).await
            }
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|table| table == name)
    }
}
