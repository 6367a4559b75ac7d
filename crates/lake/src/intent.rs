//! Intents: epochs that are decided and perhaps not finished. One file holds everything that finishing one takes, so that
//! any process does it, and all write the same.

use serde::{Deserialize, Serialize};

use crate::entry::{Add, Entry, Operation, Remove, Txn};
use crate::epoch::OffsetRange;
use crate::error::LakeError;
use gamepipe_domain::definition::system::EPOCHS;

/// Where intents are. Readers of Delta pass over folders that begin with `_`.
pub(crate) const INTENTS: &str = "_epochs/_intents";
/// The version of the format that is written. A process finishes no intent of a later one: it would leave out what it
/// does not know of.
const FORMAT: u32 = 1;

/// An epoch's number, its slices of the log, and what it does to each table. Persisted: keep readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) format: u32,
    /// The id of the commit to `_epochs`: how its owner knows it again.
    pub(crate) id: String,
    /// The epoch's number.
    pub(crate) epoch: u64,
    pub(crate) generation: String,
    /// All partitions of the log, in order.
    pub(crate) ranges: Vec<OffsetRange>,
    pub(crate) records: u64,
    /// When it was decided, microseconds since the Unix epoch.
    pub(crate) committed_micros: i64,
    pub(crate) tables: Vec<TableIntent>,
}

/// What an epoch does to one table. For `_epochs` itself: what it does besides adding the epoch's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableIntent {
    pub(crate) table: String,
    /// The id of the commit: by it whoever finishes the epoch finds out that it is done.
    pub(crate) id: String,
    pub(crate) operation: Operation,
    /// How many rows are new.
    pub(crate) rows: u64,
    pub(crate) txns: Vec<Txn>,
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<Remove>,
}

impl Intent {
    pub(crate) fn new(
        id: String,
        epoch: u64,
        generation: String,
        ranges: Vec<OffsetRange>,
        committed_micros: i64,
    ) -> Self {
        Self {
            format: FORMAT,
            id,
            epoch,
            generation,
            ranges,
            records: 0,
            committed_micros,
            tables: Vec::new(),
        }
    }

    /// The path of an epoch's intent below the lake.
    pub(crate) fn path(epoch: u64) -> String {
        format!("{INTENTS}/{epoch:020}.json")
    }

    /// The file's text.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, LakeError> {
        serde_json::to_vec(self).map_err(|error| LakeError::encoding(EPOCHS, &error))
    }

    /// Reads the text of the intent of an epoch.
    pub(crate) fn decode(epoch: u64, text: &[u8]) -> Result<Self, LakeError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let path = Self::path(epoch);
        let broken = |detail: String| {
            LakeError::corrupt(
                EPOCHS,
                format!(
                    "{path} can't be read ({detail}); no epoch can land until it is brought back from a copy"
                ),
            )
        };
        let head: Head = serde_json::from_slice(text).map_err(|error| broken(error.to_string()))?;
        if head.format > FORMAT {
            let format = head.format;
            return Err(LakeError::corrupt(
                EPOCHS,
                format!(
                    "{path} was written by a later release (format {format}, this one knows {FORMAT}); update this process"
                ),
            ));
        }
        let intent: Self =
            serde_json::from_slice(text).map_err(|error| broken(error.to_string()))?;
        if intent.epoch != epoch {
            return Err(broken(format!("it is of epoch {}", intent.epoch)));
        }
        Ok(intent)
    }

    /// What it does to a table, if it does anything.
    pub(crate) fn table(&self, name: &str) -> Option<&TableIntent> {
        self.tables.iter().find(|table| table.table == name)
    }
}

impl TableIntent {
    /// The entry of the table's log.
    pub(crate) fn entry(&self, committed_micros: i64) -> Entry {
        let mut entry = Entry::new(self.id.clone(), self.operation, committed_micros);
        entry.txns.clone_from(&self.txns);
        entry.adds.clone_from(&self.adds);
        entry.removes.clone_from(&self.removes);
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::{Intent, TableIntent};
    use crate::entry::{Add, Operation, Remove, Txn};
    use crate::epoch::OffsetRange;

    fn intent() -> Intent {
        let mut intent = Intent::new(
            "e".to_owned(),
            7,
            "g".to_owned(),
            vec![OffsetRange {
                holes: 2,
                ..OffsetRange::new(0, 3, 9)
            }],
            5,
        );
        intent.tables = vec![TableIntent {
            table: "t".to_owned(),
            id: "t1".to_owned(),
            operation: Operation::Append,
            rows: 4,
            txns: vec![Txn {
                app_id: "arena/g/0".to_owned(),
                version: 9,
                last_updated: Some(1),
            }],
            adds: vec![Add {
                path: "a.parquet".to_owned(),
                partition_values: [("_event_date".to_owned(), Some("2026-01-02".to_owned()))]
                    .into(),
                size: 3,
                modification_time: 4,
                data_change: true,
                stats: "{\"numRecords\":4}".to_owned(),
            }],
            removes: vec![Remove {
                path: "b.parquet".to_owned(),
                deletion_timestamp: 2,
                data_change: false,
                extended_file_metadata: true,
                partition_values: [("_event_date".to_owned(), None)].into(),
                size: 8,
            }],
        }];
        intent
    }

    #[test]
    fn intents_round_trip_and_make_the_same_entry_everywhere() {
        let read = Intent::decode(7, &intent().encode().unwrap()).unwrap();
        assert_eq!(read, intent());
        assert_eq!(
            read.tables[0].entry(5).encode(),
            intent().tables[0].entry(5).encode()
        );
    }

    #[test]
    fn what_is_no_intent_of_this_epoch_is_refused_by_name() {
        let good = intent().encode().unwrap();
        let later = String::from_utf8(good.clone())
            .unwrap()
            .replace("\"format\":1", "\"format\":2");
        let cases = [
            (7, b"{".to_vec(), "can't be read"),
            (8, good, "it is of epoch 7"),
            (7, later.into_bytes(), "later release"),
        ];
        for (epoch, text, said) in cases {
            let error = Intent::decode(epoch, &text).unwrap_err().to_string();
            assert!(
                error.contains(said) && error.contains("_epochs/_intents/0000000"),
                "{error}"
            );
        }
    }
}
