//! What the embedded store does when the process is killed, the disk fails, or its files are damaged.
//!
//! A kill leaves what was written to the operating system; only a power cut tests the sync itself, and that no test here
//! can do. That commits are acknowledged after the sync is what
//! `a_failed_sync_acknowledges_nothing_and_shows_nothing_until_a_restart` shows.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::sync::Arc;

use gamepipe_config::state::StateConfig;
use gamepipe_service::clock::SystemClock;
use gamepipe_state::embedded::EmbeddedStore;
use gamepipe_state::{StateError, StateStore};
use gamepipe_testkit::place::Place;
use gamepipe_testkit::reexec::{Dice, Victim, role, say};
use gamepipe_testkit::transfers::{Ledger, START_MONEY, money, pair, transfer};

const WRITERS: u64 = 8;

fn open(path: &Path) -> Result<Arc<EmbeddedStore>, StateError> {
    let config = StateConfig {
        path: path.display().to_string(),
        ..StateConfig::default()
    };
    EmbeddedStore::open(&config, Arc::new(SystemClock))
}

/// The victim: transfers from many sides until it is killed, saying what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_until_killed() {
    let Some(argument) = role() else { return };
    let (round, path) = argument.split_once(' ').unwrap();
    let store = open(Path::new(path)).unwrap();
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, round) = (Arc::clone(&store), round.to_owned());
            tokio::spawn(async move {
                for number in 0_u64.. {
                    let name = format!("{round}-{writer}-{number}");
                    let (from, to) = pair(writer, number);
                    if transfer(&*store, &name, from, to).await.is_err() {
                        return;
                    }
                    say(&name);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// AT-1, OV-1: whatever the moment, all that was acknowledged is there, and nothing is there by half.
#[tokio::test]
async fn a_kill_at_any_moment_loses_and_invents_nothing() {
    let place = Place::new();
    let mut dice = Dice::from_environment();
    let mut ledger = Ledger::default();
    for round in 0..20 {
        let failpoint = match dice.roll(6) {
            0 => format!("state.commit.before=kill@{}", 1 + dice.roll(30)),
            1 => format!("state.commit.written=kill@{}", 1 + dice.roll(30)),
            2 => format!("state.commit.synced=kill@{}", 1 + dice.roll(30)),
            _ => String::new(),
        };
        let argument = format!("{round} {}", place.path().display());
        let mut victim = Victim::start("transfers_until_killed", &argument, &failpoint);
        let mut acknowledged = Vec::new();
        for _ in 0..dice.roll(400) {
            let Some(name) = victim.hear() else { break };
            acknowledged.push(name);
        }
        acknowledged.extend(victim.kill());
        let store = open(place.path()).unwrap();
        ledger.drain(&*store).await;
        ledger.check(&*store, &acknowledged).await;
    }
    assert!(ledger.last() > 100, "hardly anything happened: {ledger:?}");
}

/// The victim: six transfers one after the other, saying how each went and what can be read then.
#[tokio::test]
async fn six_transfers() {
    let Some(path) = role() else { return };
    let store = open(Path::new(&path)).unwrap();
    for number in 0..6 {
        let outcome = match transfer(&*store, &format!("t{number}"), 0, 1).await {
            Ok(()) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        let (_, money) = money(&*store, 1).await;
        say(&format!("{money} {outcome}"));
    }
}

fn hear_all(mut victim: Victim) -> Vec<String> {
    std::iter::from_fn(|| victim.hear()).collect()
}

fn money_after(lines: &[String]) -> Vec<i64> {
    lines
        .iter()
        .map(|line| line.split(' ').next().unwrap().parse::<i64>().unwrap() - START_MONEY)
        .collect()
}

fn is_done(lines: &[String]) -> Vec<bool> {
    lines.iter().map(|line| line.ends_with(" done")).collect()
}

#[tokio::test]
async fn a_failure_before_the_write_concerns_its_group_only() {
    let place = Place::new();
    let path = place.path_text();
    let lines = hear_all(Victim::start(
        "six_transfers",
        &path,
        "state.commit.before=error@3",
    ));
    assert_eq!(
        is_done(&lines),
        [true, true, false, true, true, true],
        "{lines:?}"
    );
    assert_eq!(money_after(&lines), [1, 2, 2, 3, 4, 5]);
    assert!(lines[2].contains("unavailable"), "{lines:?}");
    let store = open(place.path()).unwrap();
    assert_eq!(money(&*store, 1).await.1, START_MONEY + 5);
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nothing_and_shows_nothing_until_a_restart() {
    let place = Place::new();
    let path = place.path_text();
    let lines = hear_all(Victim::start(
        "six_transfers",
        &path,
        "state.commit.written=error@3",
    ));
    assert_eq!(
        is_done(&lines),
        [true, true, false, false, false, false],
        "{lines:?}"
    );
    assert_eq!(money_after(&lines), [1, 2, 2, 2, 2, 2], "reads go on");
    assert!(
        lines[5].contains("restarted") && lines[5].contains(&path),
        "{lines:?}"
    );
    let store = open(place.path()).unwrap();
    // The outcome of the third is open; the later ones were never begun.
    let found = money(&*store, 1).await.1 - START_MONEY;
    assert!(found == 2 || found == 3, "{found}");
    transfer(&*store, "t9", 0, 1).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_its_key() {
    let place = Place::new();
    let path = place.path_text();
    let lines = hear_all(Victim::start(
        "six_transfers",
        &path,
        "state.commit.synced=error@3",
    ));
    assert_eq!(
        is_done(&lines),
        [true, true, false, true, true, true],
        "{lines:?}"
    );
    assert_eq!(money_after(&lines), [1, 2, 3, 4, 5, 6]);
    let store = open(place.path()).unwrap();
    transfer(&*store, "t2", 0, 1).await.unwrap();
    assert_eq!(
        money(&*store, 1).await.1,
        START_MONEY + 6,
        "replayed, not done again"
    );
}

/// The victim: transfers until one is refused; then one more, and a read.
#[tokio::test]
async fn transfers_until_refused() {
    let Some(path) = role() else { return };
    let store = open(Path::new(&path)).unwrap();
    for number in 0.. {
        match transfer(&*store, &format!("t{number}"), 0, 1).await {
            Ok(()) => say(&format!("t{number}")),
            Err(error) => {
                say(&format!("refused {error}"));
                break;
            }
        }
    }
    let again = transfer(&*store, "again", 0, 1).await.unwrap_err();
    say(&format!("refused {again}"));
    say(&format!("read {}", money(&*store, 1).await.1));
}

#[tokio::test]
async fn a_full_disk_refuses_keeps_what_was_acknowledged_and_recovers_by_a_restart() {
    let place = Place::new();
    // Made without the limit, and opened once more, so that its journal has no room set aside.
    drop(open(place.path()).unwrap());
    drop(open(place.path()).unwrap());
    let victim = Victim::start_with_small_files("transfers_until_refused", &place.path_text(), 200);
    let lines = hear_all(victim);
    let done = lines.iter().filter(|line| line.starts_with('t')).count();
    assert!(done > 10, "{lines:?}");
    assert!(
        lines[done].contains("unavailable") && lines[done].contains(&place.path_text()),
        "{}",
        lines[done]
    );
    assert!(lines[done + 1].contains("restarted"), "{}", lines[done + 1]);
    assert_eq!(
        lines[done + 2],
        format!("read {}", START_MONEY + done as i64)
    );
    let store = open(place.path()).unwrap();
    let found = money(&*store, 1).await.1 - START_MONEY;
    assert!(
        found == done as i64 || found == done as i64 + 1,
        "{found} {done}"
    );
    transfer(&*store, "after", 0, 1).await.unwrap();
}

#[tokio::test]
async fn a_second_store_is_refused_with_the_holder_named_and_opens_after_a_kill() {
    let place = Place::new();
    let argument = format!("0 {}", place.path().display());
    let mut victim = Victim::start("transfers_until_killed", &argument, "");
    victim.hear().unwrap();
    let refused = open(place.path()).unwrap_err();
    assert!(matches!(refused, StateError::InUse { .. }));
    let text = refused.to_string();
    assert!(
        text.contains("in use by process ") && text.contains(&place.path_text()),
        "{text}"
    );
    victim.kill();
    open(place.path()).unwrap();
}

/// All files of the store's database, with their paths.
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
    let store = open(place.path()).unwrap();
    for number in 0..50 {
        transfer(&*store, &format!("t{number}"), number % 6, (number + 1) % 6)
            .await
            .unwrap();
    }
    drop(store);
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
                Ok(store) => {
                    // Found at the first read, or damage that does not matter.
                    let _ = store.scan("player", None, 100).await;
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
    std::fs::remove_file(place.path().join("db/version")).unwrap();
    assert!(
        matches!(open(place.path()), Err(StateError::Corrupt(text)) if text.contains("version"))
    );
}

#[tokio::test]
async fn a_keyspace_without_its_pointer_is_refused_and_not_wiped() {
    let place = Place::new();
    let store = open(place.path()).unwrap();
    transfer(&*store, "t", 0, 1).await.unwrap();
    let before = store.scan("player", None, 100).await.unwrap();
    drop(store);
    let mut keyspaces = 0;
    for keyspace in std::fs::read_dir(place.path().join("db/keyspaces")).unwrap() {
        // fjall would take the keyspace for one that was never finished, and remove it with all its players.
        let pointer = keyspace.unwrap().path().join("current");
        let whole = std::fs::read(&pointer).unwrap();
        std::fs::remove_file(&pointer).unwrap();
        let refused = open(place.path()).unwrap_err().to_string();
        assert!(refused.contains("current"), "{refused}");
        std::fs::write(&pointer, whole).unwrap();
        keyspaces += 1;
    }
    assert!(keyspaces >= 5, "{keyspaces}");
    let store = open(place.path()).unwrap();
    assert_eq!(store.scan("player", None, 100).await.unwrap(), before);
}
