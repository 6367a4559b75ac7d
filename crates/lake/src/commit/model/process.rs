//! A process of the model that lands, as the streamer does: begins anew from the resume point after every error and with every
//! change of its share.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gamepipe_service::clock::Clock;

use super::{GENERATION, PARTITIONS, Random};
use crate::commit::{EncodedEpoch, TableFiles};
use crate::entry::Add;
use crate::epoch::OffsetRange;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::storage::faults::mixed;
use crate::storage::simulated::{Client, World};
use crate::writer::EncodedFile;

/// The most records of a partition in an epoch.
const MOST_RECORDS: u64 = 6;

/// A row, by where it comes from: partition and offset.
pub(super) type Row = (u32, u64);

/// What all processes share: the store, the log, and who is told to land what. Their clock as well.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) world: Arc<World>,
    pub(super) highs: Mutex<Vec<u64>>,
    shares: Mutex<Vec<Vec<u32>>>,
    pub(super) random: Mutex<Random>,
    pub(super) finishing: AtomicBool,
    pub(super) micros: AtomicI64,
    ids: AtomicU64,
    pub(super) overtaken: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) merged: AtomicU64,
}

impl Clock for Shared {
    fn now_micros(&self) -> i64 {
        self.micros.load(Ordering::Relaxed)
    }

    fn seed(&self) -> u64 {
        mixed(self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

impl Shared {
    pub(super) fn new(seed: u64, processes: usize) -> Self {
        let mut shares = vec![Vec::new(); processes];
        for partition in 0..PARTITIONS {
            shares[partition as usize % processes].push(partition);
        }
        Self {
            world: Arc::default(),
            highs: Mutex::new(vec![0; PARTITIONS as usize]),
            shares: Mutex::new(shares),
            random: Mutex::new(Random(mixed(seed ^ 77))),
            finishing: AtomicBool::new(false),
            micros: AtomicI64::new(1_767_323_045_000_000),
            ids: AtomicU64::new(mixed(seed) >> 20),
            overtaken: AtomicU64::default(),
            stale: AtomicU64::default(),
            late: AtomicU64::default(),
            merged: AtomicU64::default(),
        }
    }

    pub(super) fn append(&self, random: &mut Random) {
        let partition = random.below(u64::from(PARTITIONS)) as usize;
        self.highs.lock().unwrap()[partition] += 1 + random.below(5);
    }

    /// Gives a partition to somebody else, or to two at once.
    pub(super) fn move_partition(&self, random: &mut Random) {
        let partition = random.below(u64::from(PARTITIONS)) as u32;
        let mut shares = self.shares.lock().unwrap();
        let is_shared = random.below(6) == 0;
        if !is_shared {
            for share in shares.iter_mut() {
                share.retain(|own| *own != partition);
            }
        }
        let to = random.below(shares.len() as u64) as usize;
        if !shares[to].contains(&partition) {
            shares[to].push(partition);
        }
    }

    fn share(&self, process: usize) -> Vec<u32> {
        self.shares.lock().unwrap()[process].clone()
    }

    pub(super) fn finishing(&self) -> bool {
        self.finishing.load(Ordering::Relaxed)
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap().below(bound)
    }

    /// Errors that a process meets when others are quicker, when the store fails, or when it slept for long: it begins anew.
    pub(super) fn take_note(&self, error: &LakeError) {
        match error {
            LakeError::Overtaken { .. } => self.overtaken.fetch_add(1, Ordering::Relaxed),
            LakeError::Stale { .. } => self.stale.fetch_add(1, Ordering::Relaxed),
            LakeError::Late { .. } => self.late.fetch_add(1, Ordering::Relaxed),
            LakeError::Storage { .. } | LakeError::Contended { .. } => 0,
            // The entry was cleaned up while this process slept: it learns of the newer ones. Were it not so, it would be stuck.
            LakeError::Vanished { .. } => 0,
            error => panic!("{error}"),
        };
    }
}

/// True where an offset of the log holds no record.
pub(super) fn is_hole(offset: u64) -> bool {
    offset % 11 == 10
}

/// The rows that a table has of a slice: each record is in the first table, every second offset in the second, and so on.
pub(super) fn rows_of(table: usize, range: &OffsetRange) -> Vec<Row> {
    (range.from..range.to)
        .filter(|offset| !is_hole(*offset) && offset % (table as u64 + 1) == 0)
        .map(|offset| (range.partition, offset))
        .collect()
}

/// A file that holds these rows, as its statistics tell.
pub(super) async fn store(
    lake: &Lake,
    table: &str,
    rows: &[Row],
    begun: u64,
) -> Result<Add, LakeError> {
    let file = EncodedFile {
        date: None,
        bytes: vec![1],
        stats: serde_json::to_string(rows).unwrap(),
    };
    lake.store_file(table, file, begun).await
}

pub(super) async fn land(shared: Arc<Shared>, number: usize, lake: Arc<Lake>, client: Arc<Client>) {
    loop {
        match attempt(&shared, number, &lake, &client).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => shared.take_note(&error),
        }
        client.turn().await;
    }
}

/// Lands a share until it changes; true when all of it has landed at the end.
async fn attempt(
    shared: &Shared,
    number: usize,
    lake: &Lake,
    client: &Client,
) -> Result<bool, LakeError> {
    let own = shared.share(number);
    let mut next = lake.resume(GENERATION, PARTITIONS).await?.next;
    while shared.share(number) == own {
        let highs = shared.highs.lock().unwrap().clone();
        let mut ranges = Vec::new();
        for partition in &own {
            let (from, high) = (next[*partition as usize], highs[*partition as usize]);
            let to = high.min(from + shared.below(MOST_RECORDS));
            ranges.push(OffsetRange {
                holes: (from..to).filter(|offset| is_hole(*offset)).count() as u64,
                ..OffsetRange::new(*partition, from, to)
            });
        }
        if ranges.iter().all(|range| range.from == range.to) {
            let is_landed = |range: &OffsetRange| range.to == highs[range.partition as usize];
            if shared.finishing() && ranges.iter().all(is_landed) {
                return Ok(true);
            }
            client.turn().await;
            continue;
        }
        let epoch = encode(lake, &ranges).await?;
        let record = lake.commit_epoch(epoch).await?;
        for range in &ranges {
            let landed = record.ranges[range.partition as usize];
            assert!(range.from == range.to || landed == *range, "{record:?}");
            next[range.partition as usize] = range.to;
        }
    }
    Ok(false)
}

pub(super) async fn encode(lake: &Lake, ranges: &[OffsetRange]) -> Result<EncodedEpoch, LakeError> {
    let mut tables = Vec::new();
    for (index, table) in lake.tables().iter().enumerate() {
        let rows: Vec<Row> = ranges
            .iter()
            .flat_map(|range| rows_of(index, range))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let name = &table.table.name;
        let begun = lake.look_for_epochs().await;
        tables.push(TableFiles {
            table: name.clone(),
            adds: vec![store(lake, name, &rows, begun).await?],
            rows: rows.len() as u64,
            partitions: rows.iter().map(|(partition, _)| *partition).collect(),
            begun,
        });
    }
    Ok(EncodedEpoch {
        ranges: ranges.to_vec(),
        records: ranges.iter().map(OffsetRange::records).sum(),
        tables,
        passes_gaps: false,
    })
}
