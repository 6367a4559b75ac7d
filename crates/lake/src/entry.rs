//! Entries of a Delta log: one commit as newline-delimited JSON, written and read here and nowhere else.
//!
//! The lake writes its own entries rather than through a transaction builder: an append then costs one new file at any
//! length of the log, and the check against other writers is made on exactly the entries that came between.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::epoch::{COMMIT_INFO_KEY, EpochRecord};
use crate::schema::delta_field;

/// Who writes, as other readers of the log see it.
const ENGINE: &str = concat!("gamepipe/", env!("CARGO_PKG_VERSION"));

/// How long entries of a log are kept once a checkpoint covers them. At one commit a second that is 21,600 files, which
/// every open has to list; a day of them would be felt.
const LOG_RETENTION: &str = "interval 6 hours";

/// The path of a version's entry below the table's directory.
pub(crate) fn entry_path(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}

/// The version that a file in `_delta_log` is the entry of.
pub(crate) fn entry_version(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

/// The progress of one source in a table: Delta's `txn` action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Txn {
    pub(crate) app_id: String,
    pub(crate) version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_updated: Option<i64>,
}

/// A file that belongs to a table from this version on: Delta's `add` action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    pub(crate) path: String,
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) size: i64,
    pub(crate) modification_time: i64,
    pub(crate) data_change: bool,
    pub(crate) stats: String,
}

/// A file that belongs to a table no more: Delta's `remove` action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    pub(crate) path: String,
    pub(crate) deletion_timestamp: i64,
    pub(crate) data_change: bool,
    pub(crate) extended_file_metadata: bool,
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) size: i64,
}

/// What a commit is about, for people and for tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Operation {
    /// A table is made.
    Create,
    /// Rows are added.
    Append,
    /// Files are merged; rows stay the same.
    Compact,
    /// Columns are added.
    AddColumns,
}

/// Everything that one commit does.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Unique: how a writer recognises its own commit when the outcome was unknown.
    pub(crate) id: String,
    pub(crate) operation: Operation,
    pub(crate) committed_micros: i64,
    pub(crate) epoch: Option<EpochRecord>,
    pub(crate) protocol: Option<Value>,
    pub(crate) metadata: Option<Value>,
    pub(crate) txns: Vec<Txn>,
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<Remove>,
}

impl Entry {
    pub(crate) fn new(id: String, operation: Operation, committed_micros: i64) -> Self {
        Self {
            id,
            operation,
            committed_micros,
            epoch: None,
            protocol: None,
            metadata: None,
            txns: Vec::new(),
            adds: Vec::new(),
            removes: Vec::new(),
        }
    }

    /// The entry's text.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + 1024 * self.adds.len());
        push_line(&mut out, &json!({ "commitInfo": self.commit_info() }));
        if let Some(protocol) = &self.protocol {
            push_line(&mut out, &json!({ "protocol": protocol }));
        }
        if let Some(metadata) = &self.metadata {
            push_line(&mut out, &json!({ "metaData": metadata }));
        }
        for txn in &self.txns {
            push_line(&mut out, &json!({ "txn": txn }));
        }
        for remove in &self.removes {
            push_line(&mut out, &json!({ "remove": remove }));
        }
        for add in &self.adds {
            push_line(&mut out, &json!({ "add": add }));
        }
        out
    }

    fn commit_info(&self) -> Value {
        let (operation, parameters) = match self.operation {
            Operation::Create => ("CREATE TABLE", json!({})),
            Operation::Append => ("WRITE", json!({ "mode": "Append" })),
            Operation::Compact => ("OPTIMIZE", json!({ "predicate": "[]" })),
            Operation::AddColumns => ("ADD COLUMNS", json!({})),
        };
        let mut info = json!({
            "timestamp": self.committed_micros.div_euclid(1000),
            "operation": operation,
            "operationParameters": parameters,
            "isBlindAppend": self.operation == Operation::Append,
            "engineInfo": ENGINE,
            "txnId": self.id,
        });
        if let (Some(epoch), Some(info)) = (&self.epoch, info.as_object_mut()) {
            // Writing plain numbers and text to memory can't fail.
            info.insert(
                COMMIT_INFO_KEY.to_owned(),
                serde_json::to_string(epoch).unwrap_or_default().into(),
            );
        }
        info
    }
}

fn push_line(out: &mut Vec<u8>, action: &Value) {
    // Writing a JSON value to memory can't fail.
    let _ = serde_json::to_writer(&mut *out, action);
    out.push(b'\n');
}

/// What matters in an entry that somebody has written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Committed {
    pub(crate) id: Option<String>,
    pub(crate) epoch: Option<EpochRecord>,
    pub(crate) txns: Vec<Txn>,
    pub(crate) removed: Vec<String>,
    pub(crate) metadata: Option<Value>,
    pub(crate) changes_protocol: bool,
}

/// Reads an entry. Actions that don't matter here are passed over.
pub(crate) fn decode_entry(text: &[u8]) -> Result<Committed, serde_json::Error> {
    let mut found = Committed::default();
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(serde::de::Error::custom("it is empty"));
    }
    for line in text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let Value::Object(action) = serde_json::from_slice(line)? else {
            continue;
        };
        for (kind, body) in action {
            match kind.as_str() {
                "commitInfo" => {
                    found.id = body
                        .get("txnId")
                        .and_then(Value::as_str)
                        .map(ToOwned::to_owned);
                    if let Some(text) = body.get(COMMIT_INFO_KEY).and_then(Value::as_str) {
                        found.epoch = Some(serde_json::from_str(text)?);
                    }
                }
                "txn" => found.txns.push(serde_json::from_value(body)?),
                "remove" => {
                    found.removed.extend(
                        body.get("path")
                            .and_then(Value::as_str)
                            .map(ToOwned::to_owned),
                    );
                }
                "metaData" => found.metadata = Some(body),
                "protocol" => found.changes_protocol = true,
                _ => {}
            }
        }
    }
    Ok(found)
}

/// The entry that makes a table.
pub(crate) fn create_entry(
    id: String,
    name: &str,
    schema: &SchemaRef,
    partition_columns: &[&str],
    now_micros: i64,
) -> Entry {
    let fields: Vec<Value> = schema
        .fields()
        .iter()
        .map(|field| delta_field(field))
        .collect();
    let mut entry = Entry::new(id.clone(), Operation::Create, now_micros);
    // Moments without a zone are a table feature; it is the only one beyond the oldest protocol.
    entry.protocol = Some(json!({
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"],
    }));
    entry.metadata = Some(json!({
        "id": id,
        "name": name,
        "format": { "provider": "parquet", "options": {} },
        "schemaString": schema_string(fields),
        "partitionColumns": partition_columns,
        "createdTime": now_micros.div_euclid(1000),
        "configuration": {
            "delta.logRetentionDuration": LOG_RETENTION,
            // Who reads a version that older entries made can't open it anyway. Delta's own week of removed files (two a second,
            // as small files are merged) would be in memory whenever a checkpoint is written.
            "delta.deletedFileRetentionDuration": LOG_RETENTION,
            // Maintenance does it, off the hot path; on it, it would list the whole log at every commit.
            "delta.enableExpiredLogCleanup": "false",
        },
    }));
    entry
}

/// A schema in Delta's JSON, as text.
pub(crate) fn schema_string(fields: Vec<Value>) -> String {
    json!({ "type": "struct", "fields": fields }).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Add, Entry, Operation, Remove, Txn, decode_entry, entry_path, entry_version};
    use crate::epoch::{EpochRecord, OffsetRange};

    #[test]
    fn entries_round_trip() {
        let mut entry = Entry::new("id-1".to_owned(), Operation::Append, 1_700_000_000_000_000);
        entry.txns = vec![Txn {
            app_id: "arena/g/3".to_owned(),
            version: 17,
            last_updated: Some(5),
        }];
        entry.removes = vec![Remove {
            path: "a.parquet".to_owned(),
            deletion_timestamp: 1,
            data_change: false,
            extended_file_metadata: true,
            partition_values: [("_event_date".to_owned(), Some("2026-01-02".to_owned()))].into(),
            size: 3,
        }];
        entry.adds = vec![Add {
            path: "b.parquet".to_owned(),
            partition_values: [("_event_date".to_owned(), None)].into(),
            size: 9,
            modification_time: 2,
            data_change: true,
            stats: "{}".to_owned(),
        }];
        entry.epoch = Some(EpochRecord {
            epoch: 4,
            generation: "g".to_owned(),
            ranges: vec![OffsetRange::new(0, 1, 2)],
            versions: [("t".to_owned(), 3)].into(),
            rows: [("t".to_owned(), 1)].into(),
            records: 1,
            committed_micros: 1_700_000_000_000_000,
        });
        let read = decode_entry(&entry.encode()).unwrap();
        assert_eq!(read.id.as_deref(), Some("id-1"));
        assert_eq!(read.epoch, entry.epoch);
        assert_eq!(read.txns, entry.txns);
        assert_eq!(read.removed, ["a.parquet"]);
        assert!(read.metadata.is_none() && !read.changes_protocol);
    }

    #[test]
    fn only_entries_have_a_version() {
        assert_eq!(entry_path(7), "_delta_log/00000000000000000007.json");
        assert_eq!(entry_version("00000000000000000007.json"), Some(7));
        for other in [
            "00000000000000000007.checkpoint.parquet",
            "_last_checkpoint",
            ".x.tmp",
            "7.json",
        ] {
            assert_eq!(entry_version(other), None, "{other}");
        }
    }
}
