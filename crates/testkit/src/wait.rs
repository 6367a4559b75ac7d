//! Waiting for something to become true, never for a length of time.

use std::time::{Duration, Instant};

/// How long a condition may take. Far more than it takes on a slow, busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks `condition` again and again until it is true.
///
/// # Panics
/// When it is not true after [`DEADLINE`]; the message says `what` did not happen.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < DEADLINE, "did not happen in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits for a future.
///
/// # Panics
/// When it is not ready after [`DEADLINE`]; the message says `what` did not happen.
pub async fn ready<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen in time: {what}"),
    }
}
