//! Records with an id of the client are appended once.

use super::{Log, Settings, record, texts, with_id};
use crate::place::Place;
use gamepipe_eventlog::Appended;
use std::sync::Arc;
use std::time::Duration;

/// Within a call, across calls, and after reopening.
pub async fn a_repeated_id_is_appended_once(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    let records = vec![
        with_id("a", "1", "x"),
        with_id("b", "2", "x"),
        with_id("c", "3", "y"),
        record("d", "4"),
        record("d", "4"),
    ];
    let appended = log.append(records.clone()).await.unwrap();
    let is_new = |appended: &[Appended]| -> Vec<bool> {
        appended
            .iter()
            .map(|appended| *appended != Appended::Duplicate)
            .collect()
    };
    assert_eq!(is_new(&appended), [true, false, true, true, true]);
    let appended = log
        .append(vec![with_id("e", "5", "y"), with_id("e", "6", "z")])
        .await
        .unwrap();
    assert_eq!(is_new(&appended), [false, true]);
    drop(log);
    let log = open(&place, Settings::default()).await;
    let appended = log
        .append(vec![with_id("e", "7", "z"), with_id("e", "8", "x")])
        .await
        .unwrap();
    assert_eq!(is_new(&appended), [false, false]);
    assert_eq!(texts(&log).await, ["1", "3", "4", "4", "6"]);
}

/// However many send an id at once, one is told that it is on the log.
pub async fn racing_appends_of_one_id_make_one_record(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let records = (0..10)
                    .map(|id| with_id(&format!("k{task}"), &format!("{id}"), &format!("id{id}")));
                log.append(records.collect()).await.unwrap()
            })
        })
        .collect();
    let mut at = [0; 10];
    for task in tasks {
        for (id, appended) in task.await.unwrap().iter().enumerate() {
            at[id] += usize::from(*appended != Appended::Duplicate);
        }
    }
    assert_eq!(at, [1; 10]);
    assert_eq!(
        texts(&log).await,
        (0..10).map(|id| id.to_string()).collect::<Vec<_>>()
    );
}

/// The window is counted from the append, and an id that comes again after it starts a new one.
pub async fn an_id_is_forgotten_after_its_window(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(
        &place,
        Settings {
            dedupe_seconds: 24 * 3600,
            ..Settings::default()
        },
    )
    .await;
    let mut appended = Vec::new();
    // Hours since the first append; the window is 24 hours long.
    for (hours, expected) in [
        (0, true),
        (1, false),
        (23, false),
        (24, true),
        (40, false),
        (47, false),
        (72, true),
    ] {
        let at = place.clock().now().micros() / 3_600_000_000;
        let begun = *appended.first().unwrap_or(&at);
        appended.push(at);
        place
            .clock()
            .advance(Duration::from_secs(3600 * (begun + hours - at) as u64));
        let results = log
            .append(vec![with_id("a", &format!("{hours}"), "x")])
            .await
            .unwrap();
        assert_eq!(
            results[0] != Appended::Duplicate,
            expected,
            "after {hours} hours"
        );
    }
}
