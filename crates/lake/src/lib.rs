//! The lake: Delta tables made from a game's definition. Landing writes them, queries pin and read them.
//!
//! Write side, in the order in which rows pass: [`schema`] (definition -> Arrow), [`lake`] (tables made and grown),
//! `writer` and `stats` (rows -> Parquet), [`commit`] (an `intent` decides, then one entry per table, `_epochs` last) over
//! `table_log`, `entry` and `storage` (on `store`: a directory or a bucket), [`epoch`] (the audit trail), `maintenance`,
//! [`audit`]. Read side: [`reader`] (pins a consistent cut),
//! [`snapshot`] (a table at a version), [`provider`] (DataFusion tables).
//! May import: domain, config, service's clock and failpoints. Owns deltalake.

pub mod schema;

pub mod lake;

mod writer;

mod stats;

pub mod commit;

mod intent;

mod table_log;

mod entry;

mod storage;

mod store;

pub mod maintenance;

mod reading;

pub mod audit;

pub mod epoch;

pub mod reader;

pub mod snapshot;

pub mod provider;

mod error;

pub use error::{BucketError, LakeError};
pub use lake::{Lake, LakeTable};
pub use reading::LakeFile;
pub use store::LakeObjects;
