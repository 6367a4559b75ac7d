//! The lake: Delta tables made from a game's definition. Landing writes them, queries pin and read them.
//!
//! Write side: [`schema`] (definition -> Arrow), `writer` (rows -> Parquet), `commit` (Delta, one txn per partition),
//! [`epoch`] (the audit trail), `maintenance`. Read side: `snapshot` (pinned versions), `provider` (DataFusion tables).
//! May import: domain. Owns deltalake.

pub mod epoch;
pub mod schema;
