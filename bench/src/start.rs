//! From exec to ready, and memory when idle.

use std::time::Instant;

use anyhow::Result;
use gamepipe_tests::Start;

use crate::machine::{describe, memory_mib, say};

/// Starts measured; the median is what counts.
const ROUNDS: usize = 5;

pub(crate) fn run() -> Result<()> {
    say(&format!("# start\n{}", describe()));
    let mut millis = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let platform = Start::game("arena").up()?;
        millis.push(u64::try_from(started.elapsed().as_millis())?);
        // One query and one action first: idle after use is what an operator sees.
        platform.api()?.get("/initialize?username=ann")?;
        platform.wait_until_landed()?;
        platform
            .sql()?
            .value("select count(*) from player_events")?;
        idle.push(memory_mib(platform.pid())?.0);
        platform.stop()?;
    }
    millis.sort_unstable();
    idle.sort_by(f64::total_cmp);
    say(&format!(
        "ready after {} ms median of {millis:?}",
        millis[ROUNDS / 2]
    ));
    say(&format!(
        "idle memory {:.0} MiB median (target: 150 or less)",
        idle[ROUNDS / 2]
    ));
    Ok(())
}
