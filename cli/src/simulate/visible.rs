//! How soon an acknowledged event can be queried: some events are watched from their answer until a query sees them.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use gamepipe_service::Shutdown;
use tokio::sync::mpsc;

use super::histogram::Histogram;
use crate::client::Client;
use crate::results::{fetch, text_of};

/// How often tables are asked: the measure is no finer, and asking costs the game time.
const INTERVAL: Duration = Duration::from_millis(200);
/// How many events are watched at once.
const WATCHED: usize = 8;
/// How long is waited for the last watched events after the play.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where workers offer events to watch; most are not taken.
#[derive(Debug)]
pub(crate) struct Samples {
    sender: mpsc::Sender<(String, Instant)>,
    /// When the last one was taken.
    last: Mutex<Option<Instant>>,
}

impl Samples {
    /// The two ends: for workers, and for [`watch`].
    pub(crate) fn new() -> (Self, mpsc::Receiver<(String, Instant)>) {
        let (sender, receiver) = mpsc::channel(WATCHED);
        (
            Self {
                sender,
                last: Mutex::new(None),
            },
            receiver,
        )
    }

    /// Offers an event that has just been acknowledged. Never waits.
    pub(crate) fn offer(&self, id: &str) {
        let Ok(mut last) = self.last.try_lock() else {
            return;
        };
        let due = last.is_none_or(|last| last.elapsed() >= INTERVAL / 2);
        if due
            && self
                .sender
                .try_send((id.to_owned(), Instant::now()))
                .is_ok()
        {
            *last = Some(Instant::now());
        }
    }
}

/// Watches sampled events until `done` and all of them are seen. Errors end the measuring, not the play.
pub(crate) async fn watch(
    client: Client,
    tables: Vec<String>,
    mut samples: mpsc::Receiver<(String, Instant)>,
    done: Shutdown,
) -> Histogram {
    let mut seen = Histogram::default();
    let mut pending: Vec<(String, Instant)> = Vec::new();
    let mut give_up: Option<Instant> = None;
    loop {
        tokio::time::sleep(INTERVAL).await;
        while pending.len() < WATCHED
            && let Ok(sample) = samples.try_recv()
        {
            pending.push(sample);
        }
        if done.is_cancelled() {
            let until = *give_up.get_or_insert_with(|| Instant::now() + PATIENCE);
            if pending.is_empty() || Instant::now() >= until {
                return seen;
            }
        }
        if pending.is_empty() {
            continue;
        }
        let Ok(found) = find(&client, &tables, &pending).await else {
            return seen;
        };
        pending.retain(|(id, acknowledged)| {
            let visible = found.contains(id);
            if visible {
                seen.record(acknowledged.elapsed());
            }
            !visible
        });
    }
}

/// Which of the events any table has.
async fn find(
    client: &Client,
    tables: &[String],
    pending: &[(String, Instant)],
) -> anyhow::Result<Vec<String>> {
    let ids: Vec<String> = pending.iter().map(|(id, _)| format!("'{id}'")).collect();
    let ids = ids.join(", ");
    let parts: Vec<String> = tables
        .iter()
        .map(|table| format!("select \"_event_id\" from {table} where \"_event_id\" in ({ids})"))
        .collect();
    let result = fetch::query(client, &parts.join(" union all "), 10_000).await?;
    Ok(result
        .rows
        .iter()
        .filter_map(|row| text_of(row.first()?))
        .collect())
}
