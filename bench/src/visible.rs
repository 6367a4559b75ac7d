//! From an acknowledged action to its row in an answer, in the default settings.

use std::time::{Duration, Instant};

use anyhow::Result;
use gamepipe_tests::Start;
use gamepipe_tests::wait::wait_for;

use crate::machine::{describe, quantile, say};

const ACTIONS: usize = 60;

pub(crate) fn run() -> Result<()> {
    say(&format!("# visible\n{}", describe()));
    let platform = Start::game("arena").up()?;
    let (api, sql) = (platform.api()?, platform.sql()?);
    let mut micros = Vec::new();
    for number in 0..ACTIONS {
        let name = format!("seen{number}");
        let reply = api.get(&format!("/initialize?username={name}"))?;
        anyhow::ensure!(reply.status == 200, "{}", reply.text());
        let acknowledged = Instant::now();
        wait_for("the row", Duration::from_secs(30), || {
            let count = sql.value(&format!(
                "select count(*) from player_events where username = '{name}'"
            ))?;
            Ok((count == 1).then_some(()))
        })?;
        micros.push(u64::try_from(acknowledged.elapsed().as_micros())?);
    }
    micros.sort_unstable();
    say(&format!(
        "visible after p50 {} ms, p95 {} ms, max {} ms over {ACTIONS} actions (target: p95 of 2000)",
        quantile(&micros, 0.5) / 1000,
        quantile(&micros, 0.95) / 1000,
        quantile(&micros, 1.0) / 1000,
    ));
    Ok(())
}
