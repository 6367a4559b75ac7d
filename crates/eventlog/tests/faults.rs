//! What the embedded log does when the process is killed, the disk fails, or its files are damaged.
//!
//! A kill leaves what was written to the operating system; only a power cut tests the sync itself, and that no test here
//! can do. That appends are acknowledged after the sync is what
//! `a_failed_sync_acknowledges_nothing_and_shows_nothing_until_a_restart` shows.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::embedded::EmbeddedLog;
use gamepipe_eventlog::{Appended, EventLog, LogError, OutboxBatch, Record};
use gamepipe_service::clock::SystemClock;
use gamepipe_testkit::place::Place;
use gamepipe_testkit::reexec::{Dice, Victim, role, say};

const CALLERS: u64 = 4;
const PER_CALL: u64 = 5;
const PARTITIONS: u32 = 3;

fn open(path: &Path) -> Result<Arc<EmbeddedLog>, LogError> {
    let config = LogConfig {
        path: path.display().to_string(),
        partitions: PARTITIONS,
        ..LogConfig::default()
    };
    EmbeddedLog::open(&config, Arc::new(SystemClock))
}

/// Record `number` of a caller; the same one has the same id whenever it is sent.
fn record(caller: u64, number: u64) -> Record {
    let name = format!("c{caller}-{number}");
    Record {
        key: format!("k{}", number % 7),
        value: Bytes::from(name.clone()),
        dedupe_id: Some(name),
    }
}

fn relayed(sequence: u64) -> Record {
    Record {
        key: "relay".into(),
        value: Bytes::from(format!("r{sequence}")),
        dedupe_id: None,
    }
}

/// The victim: appends from some sides and relays an outbox until it is killed, saying what was acknowledged. Its
/// argument is where every caller begins, and the directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_until_killed() {
    let Some(argument) = role() else { return };
    let (begins, path) = argument.split_once(' ').unwrap();
    let log = open(Path::new(path)).unwrap();
    let begins: Vec<u64> = begins
        .split(',')
        .map(|text| text.parse().unwrap())
        .collect();
    let mut tasks = Vec::new();
    for caller in 0..CALLERS {
        let (log, begin) = (Arc::clone(&log), begins[caller as usize]);
        tasks.push(tokio::spawn(async move {
            for first in (begin..).step_by(PER_CALL as usize) {
                let records = (first..first + PER_CALL)
                    .map(|number| record(caller, number))
                    .collect();
                let Ok(appended) = log.append(records).await else {
                    return;
                };
                for (number, appended) in (first..).zip(appended) {
                    match appended {
                        Appended::At(at) => {
                            say(&format!("{caller} {number} {} {}", at.partition, at.offset))
                        }
                        Appended::Duplicate => say(&format!("{caller} {number}")),
                    }
                }
            }
        }));
    }
    tasks.push(tokio::spawn(async move {
        loop {
            let first = log.outbox_position("box").await.unwrap() + 1;
            // Overlaps with what is there, as a relay does after a restart.
            let first = first.saturating_sub(3).max(1);
            let records = (first..first + 8).map(relayed).collect();
            let batch = OutboxBatch {
                outbox_id: "box".into(),
                first,
                records,
            };
            if log.append_from_outbox(batch).await.is_err() {
                return;
            }
            say(&format!("relay {}", first + 7));
        }
    }));
    for task in tasks {
        task.await.unwrap();
    }
}

/// EO-1, as far as the log goes: whatever the moment, all that was acknowledged is there, once and at its place.
#[tokio::test]
async fn a_kill_at_any_moment_loses_and_doubles_nothing() {
    let place = Place::new();
    let mut dice = Dice::from_environment();
    let mut begins = [0; CALLERS as usize];
    let mut relay = 0;
    for _ in 0..20 {
        let failpoint = match dice.roll(6) {
            0 => format!("log.append.before=kill@{}", 1 + dice.roll(30)),
            1 => format!("log.append.written=kill@{}", 1 + dice.roll(30)),
            2 => format!("log.append.synced=kill@{}", 1 + dice.roll(30)),
            _ => String::new(),
        };
        let argument = format!(
            "{} {}",
            begins.map(|begin| begin.to_string()).join(","),
            place.path().display()
        );
        let mut victim = Victim::start("appends_until_killed", &argument, &failpoint);
        let mut acknowledged = Vec::new();
        for _ in 0..dice.roll(600) {
            let Some(line) = victim.hear() else { break };
            acknowledged.push(line);
        }
        acknowledged.extend(victim.kill());
        let log = open(place.path()).unwrap();
        for line in acknowledged {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["relay", up_to] = words[..] {
                relay = relay.max(up_to.parse().unwrap());
                continue;
            }
            let numbers: Vec<u64> = words.iter().map(|word| word.parse().unwrap()).collect();
            let (caller, number) = (numbers[0], numbers[1]);
            if let [_, _, partition, offset] = numbers[..] {
                let read = log.read(partition as u32, offset, 1).await.unwrap();
                assert_eq!(
                    read.records[0].value,
                    record(caller, number).value,
                    "{line} was acknowledged"
                );
            }
            // Callers begin again with the call that was not acknowledged as a whole.
            begins[caller as usize] = (number + 1) / PER_CALL * PER_CALL;
        }
        check(&log, &begins, relay).await;
    }
    assert!(
        begins.iter().sum::<u64>() > 100 && relay > 100,
        "hardly anything happened"
    );
}

async fn check(log: &EmbeddedLog, begins: &[u64], relay: u64) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut relayed = Vec::new();
    for offsets in log.offsets().await.unwrap() {
        let mut next = offsets.low;
        while next < offsets.high {
            let batch = log.read(offsets.partition, next, 10_000).await.unwrap();
            assert_eq!(batch.records[0].offset, next);
            next = batch.next;
            for record in batch.records {
                let text = String::from_utf8(record.value.to_vec()).unwrap();
                match text.strip_prefix('r') {
                    Some(sequence) => relayed.push(sequence.parse::<u64>().unwrap()),
                    None => *counts.entry(text).or_default() += 1,
                }
            }
        }
    }
    let position = log.outbox_position("box").await.unwrap();
    assert!(position >= relay, "{position} {relay}");
    assert!(
        relayed.iter().copied().eq(1..=position),
        "the outbox is there once and in order"
    );
    for (caller, begin) in begins.iter().enumerate() {
        for number in 0..*begin {
            assert_eq!(
                counts.get(&format!("c{caller}-{number}")),
                Some(&1),
                "{caller} {number}"
            );
        }
    }
    assert!(
        counts.values().all(|count| *count == 1),
        "nothing is there twice"
    );
    // A call is one step: of its records all are there, or none.
    for caller in 0..CALLERS {
        let own = counts
            .keys()
            .filter(|name| name.starts_with(&format!("c{caller}-")))
            .count();
        assert_eq!(own as u64 % PER_CALL, 0, "caller {caller}: {own}");
    }
}

/// The victim: six appends one after the other, saying how each went and where the log ends then.
#[tokio::test]
async fn six_appends() {
    let Some(path) = role() else { return };
    let log = open(Path::new(&path)).unwrap();
    for number in 0..6 {
        let mut result = log.append(vec![record(0, number)]).await;
        if result.is_err() {
            // Sent again at once, as clients do: a promise now must be kept, too.
            result = log.append(vec![record(0, number)]).await;
        }
        let outcome = match result {
            Ok(_) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        say(&format!("{} {outcome}", count(&log).await));
    }
}

async fn count(log: &EmbeddedLog) -> u64 {
    let mut count = 0;
    for offsets in log.offsets().await.unwrap() {
        let read = log.read(offsets.partition, 0, usize::MAX).await.unwrap();
        assert_eq!(read.records.len() as u64, offsets.high);
        count += offsets.high;
    }
    count
}

fn hear_all(mut victim: Victim) -> Vec<String> {
    std::iter::from_fn(|| victim.hear()).collect()
}

fn counts_and_outcomes(lines: &[String]) -> (Vec<u64>, Vec<bool>) {
    lines
        .iter()
        .map(|line| {
            let (count, outcome) = line.split_once(' ').unwrap();
            (count.parse::<u64>().unwrap(), outcome == "done")
        })
        .unzip()
}

#[tokio::test]
async fn a_failure_before_the_write_concerns_its_group_only() {
    let place = Place::new();
    let lines = hear_all(Victim::start(
        "six_appends",
        &place.path_text(),
        "log.append.before=error@3",
    ));
    let (counts, done) = counts_and_outcomes(&lines);
    assert_eq!(done, [true; 6], "{lines:?}");
    assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
    assert_eq!(count(&open(place.path()).unwrap()).await, 6);
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nothing_and_shows_nothing_until_a_restart() {
    let place = Place::new();
    let lines = hear_all(Victim::start(
        "six_appends",
        &place.path_text(),
        "log.append.written=error@3",
    ));
    let (counts, done) = counts_and_outcomes(&lines);
    assert_eq!(done, [true, true, false, false, false, false], "{lines:?}");
    assert_eq!(counts, [1, 2, 2, 2, 2, 2], "reads go on");
    assert!(
        lines[5].contains("restarted") && lines[5].contains(&place.path_text()),
        "{lines:?}"
    );
    let log = open(place.path()).unwrap();
    // The outcome of the third is open; the later ones were never begun.
    let found = count(&log).await;
    assert!(found == 2 || found == 3, "{found}");
    // With its id it lands once, however it was.
    log.append((0..6).map(|number| record(0, number)).collect())
        .await
        .unwrap();
    assert_eq!(count(&log).await, 6);
}

#[tokio::test]
async fn a_lost_answer_is_a_duplicate_when_it_is_sent_again() {
    let place = Place::new();
    let lines = hear_all(Victim::start(
        "six_appends",
        &place.path_text(),
        "log.append.synced=error@3",
    ));
    let (counts, done) = counts_and_outcomes(&lines);
    assert_eq!(done, [true; 6], "{lines:?}");
    assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
    let log = open(place.path()).unwrap();
    assert_eq!(
        log.append(vec![record(0, 2)]).await.unwrap(),
        [Appended::Duplicate]
    );
}

/// The victim: appends until one is refused; then one more, and a read.
#[tokio::test]
async fn appends_until_refused() {
    let Some(path) = role() else { return };
    let log = open(Path::new(&path)).unwrap();
    for number in 0.. {
        match log.append(vec![record(0, number)]).await {
            Ok(_) => say("done"),
            Err(error) => {
                say(&format!("refused {error}"));
                break;
            }
        }
    }
    let again = log.append(vec![record(1, 0)]).await.unwrap_err();
    say(&format!("refused {again}"));
    say(&format!("read {}", count(&log).await));
}

#[tokio::test]
async fn a_full_disk_refuses_keeps_what_was_acknowledged_and_recovers_by_a_restart() {
    let place = Place::new();
    // Made without the limit, and opened once more, so that its journal has no room set aside.
    drop(open(place.path()).unwrap());
    drop(open(place.path()).unwrap());
    let victim = Victim::start_with_small_files("appends_until_refused", &place.path_text(), 200);
    let lines = hear_all(victim);
    let done = lines.iter().filter(|line| *line == "done").count();
    assert!(done > 10, "{lines:?}");
    assert!(
        lines[done].contains("unavailable") && lines[done].contains(&place.path_text()),
        "{}",
        lines[done]
    );
    assert!(lines[done + 1].contains("restarted"), "{}", lines[done + 1]);
    assert_eq!(lines[done + 2], format!("read {done}"));
    let log = open(place.path()).unwrap();
    let found = count(&log).await;
    assert!(
        found == done as u64 || found == done as u64 + 1,
        "{found} {done}"
    );
    log.append(vec![record(2, 0)]).await.unwrap();
}

#[tokio::test]
async fn a_second_log_is_refused_with_the_holder_named_and_opens_after_a_kill() {
    let place = Place::new();
    let argument = format!("0,0,0,0 {}", place.path().display());
    let mut victim = Victim::start("appends_until_killed", &argument, "");
    victim.hear().unwrap();
    let refused = open(place.path()).unwrap_err();
    assert!(matches!(refused, LogError::InUse { .. }));
    let text = refused.to_string();
    assert!(
        text.contains("in use by process ") && text.contains(&place.path_text()),
        "{text}"
    );
    victim.kill();
    open(place.path()).unwrap();
}

/// All files of the log's database, with their paths.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn damaged_files_give_an_error_that_names_the_directory_and_never_a_panic() {
    let place = Place::new();
    let log = open(place.path()).unwrap();
    for first in (0..200).step_by(10) {
        log.append(
            (first..first + 10)
                .map(|number| record(0, number))
                .collect(),
        )
        .await
        .unwrap();
    }
    drop(log);
    let mut refused = 0;
    for file in files(&place.path().join("db")) {
        let whole = std::fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        let middle = flipped.len().min(3000) / 2;
        if let Some(byte) = flipped.get_mut(middle) {
            *byte ^= 0xff;
        }
        for damaged in [Vec::new(), whole[..whole.len() / 2].to_vec(), flipped] {
            std::fs::write(&file, damaged).unwrap();
            match open(place.path()) {
                Ok(log) => {
                    // Found at the first read, or damage that does not matter; never another record in its place.
                    for partition in 0..PARTITIONS {
                        let Ok(read) = log.read(partition, 0, usize::MAX).await else {
                            continue;
                        };
                        assert!(
                            read.records
                                .iter()
                                .all(|record| record.value.starts_with(b"c0-"))
                        );
                    }
                }
                Err(error) => {
                    assert!(error.to_string().contains(&place.path_text()), "{error}");
                    refused += 1;
                }
            }
            std::fs::write(&file, &whole).unwrap();
        }
    }
    assert!(refused > 3, "{refused}");
    // fjall would take a keyspace without this file for one that was never finished, and remove it: ids of clients'
    // events, for one, would be forgotten.
    for keyspace in ["1", "2", "3"] {
        let pointer = place
            .path()
            .join("db/keyspaces")
            .join(keyspace)
            .join("current");
        let whole = std::fs::read(&pointer).unwrap();
        std::fs::remove_file(&pointer).unwrap();
        let refused = open(place.path()).unwrap_err().to_string();
        assert!(
            refused.contains("current") && refused.contains(keyspace),
            "{refused}"
        );
        std::fs::write(&pointer, whole).unwrap();
    }
    open(place.path()).unwrap();
    std::fs::remove_file(place.path().join("db/version")).unwrap();
    assert!(matches!(open(place.path()), Err(LogError::Corrupt(text)) if text.contains("version")));
}

#[tokio::test]
async fn numbers_of_partitions_that_no_log_can_have_are_refused() {
    for partitions in [0, 100_000] {
        let place = Place::new();
        let config = LogConfig {
            path: place.path_text(),
            partitions,
            ..LogConfig::default()
        };
        let refused = EmbeddedLog::open(&config, place.shared_clock());
        assert!(matches!(refused, Err(LogError::Invalid(_))), "{partitions}");
    }
}
