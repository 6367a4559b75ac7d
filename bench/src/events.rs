//! Telemetry in batches of 100: validated and durable when answered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use gamepipe_tests::Start;

use crate::load::{self, MakeRequest};
use crate::machine::{cpu_seconds, describe, memory_mib, quantile, say};
use crate::peers::address;

const BATCH: usize = 100;
const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Result<()> {
    say(&format!("# events\n{}", describe()));
    let platform = Start::game("quest").up()?;
    let api = platform.api()?;
    // Built once: the generator must not be what is measured. Each connection has a body of its own.
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(
        (0..CONNECTIONS)
            .map(|connection| load::post_json("/v1/events", &batch(connection)))
            .collect(),
    );
    let bytes = batch(0).len() / BATCH;
    let make: Arc<MakeRequest> = Arc::new(move |connection, _| requests[connection].clone());
    let address = address(api.base()).context("no address")?;
    load::run(address, CONNECTIONS, WARM_UP, Arc::clone(&make))?;
    let before = cpu_seconds(platform.pid())?;
    let outcome = load::run(address, CONNECTIONS, MEASURED, make)?;
    let cpu = cpu_seconds(platform.pid())? - before;
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
    let (events, batch_size) = (outcome.ok as f64 * BATCH as f64, BATCH as f64);
    say(&format!(
        "{:.0} events/s of {bytes} bytes in batches of {batch_size} at {CONNECTIONS} connections (target: 60000), p50 {} us, p99 {} us a batch, {} failed, {:.1} us CPU an event, landing included",
        events / outcome.seconds,
        quantile(&outcome.micros, 0.5),
        quantile(&outcome.micros, 0.99),
        outcome.failed + outcome.refused,
        cpu * 1e6 / events,
    ));
    let (now, peak) = memory_mib(platform.pid())?;
    say(&format!("memory {now:.0} MiB, peak {peak:.0} MiB"));
    platform.wait_until_landed()?;
    Ok(())
}

fn batch(connection: usize) -> Vec<u8> {
    let events: Vec<_> = (0..BATCH)
        .map(|number| {
            serde_json::json!({
                "event_type": "purchase_sword", "userid": format!("user{:06}", connection * BATCH + number),
                "item_type": "sword", "description": "very sharp steel sword, forged in the old mountain",
                "amount_purchased": 1 + number % 3, "price": 100 + number,
            })
        })
        .collect();
    serde_json::Value::from(events).to_string().into_bytes()
}
