//! The text of one Delta log entry: a JSON object per line, each with one action.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

/// What one log entry does, as far as readers care.
#[derive(Debug, Default)]
pub(crate) struct LogEntry {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<String>,
    pub(crate) commit_info: Option<HashMap<String, serde_json::Value>>,
}

/// What a reader must be able to do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub(crate) min_reader_version: i32,
    #[serde(default)]
    pub(crate) reader_features: Vec<String>,
}

/// A table's columns.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) schema_string: String,
    #[serde(default)]
    pub(crate) partition_columns: Vec<String>,
}

/// A file that joins the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    pub(crate) path: String,
    pub(crate) size: i64,
    #[serde(default)]
    pub(crate) modification_time: i64,
    #[serde(default)]
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) stats: Option<String>,
    #[serde(default)]
    pub(crate) deletion_vector: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Remove {
    path: String,
}

/// One line of an entry. Actions that readers have no use for are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    protocol: Option<Protocol>,
    meta_data: Option<Metadata>,
    add: Option<Add>,
    remove: Option<Remove>,
    commit_info: Option<HashMap<String, serde_json::Value>>,
}

/// Reads an entry; the error says which line is wrong.
pub(crate) fn decode_log_entry(text: &[u8]) -> Result<LogEntry, String> {
    let mut entry = LogEntry::default();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let line: Line =
            serde_json::from_slice(line).map_err(|error| format!("line {}: {error}", index + 1))?;
        if let Some(add) = line.add {
            entry.adds.push(add);
        }
        if let Some(remove) = line.remove {
            entry.removes.push(remove.path);
        }
        entry.protocol = line.protocol.or(entry.protocol);
        entry.metadata = line.meta_data.or(entry.metadata);
        entry.commit_info = line.commit_info.or(entry.commit_info);
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err("it is empty".to_owned());
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::decode_log_entry;

    #[test]
    fn an_entry_is_read_line_by_line_and_unknown_actions_are_ignored() {
        let text = concat!(
            r#"{"commitInfo":{"operation":"WRITE","gamepipe.epoch":"{}"}}"#,
            "\n",
            r#"{"txn":{"appId":"a","version":3}}"#,
            "\n",
            r#"{"add":{"path":"d=1/a.parquet","size":7,"modificationTime":1,"dataChange":true,"partitionValues":{"d":null},"stats":"{}"}}"#,
            "\n",
            r#"{"remove":{"path":"b.parquet","dataChange":false}}"#,
            "\n",
        );
        let entry = decode_log_entry(text.as_bytes()).unwrap();
        assert_eq!(entry.adds.len(), 1);
        assert_eq!(entry.adds[0].partition_values["d"], None);
        assert_eq!(entry.removes, ["b.parquet"]);
        assert!(entry.commit_info.unwrap().contains_key("gamepipe.epoch"));
    }

    #[test]
    fn a_torn_line_is_an_error_that_says_which() {
        let error = decode_log_entry(b"{\"txn\":{}}\n{\"add\":{\"path\":").unwrap_err();
        assert!(error.starts_with("line 2"), "{error}");
        assert!(decode_log_entry(b"\n").is_err(), "no entry is empty");
    }
}
