//! One cut for all tables of a query (CU-1).

use anyhow::{Context, Result};
use gamepipe_tests::{Backends, Client, Start};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

gamepipe_tests::on_both_backends! {
    tables_of_one_query_agree_while_events_land
}

/// Every purchase and every deposit is a row of its own table and of `transactions`: in one cut the counts agree.
const DIFFERENCE: &str = "
select (select count(*) from transactions) - (select count(*) from purchases) - (select count(*) from add_money),
       (select count(*) from transactions)";

/// How many different cuts must be seen before the test believes it.
const CUTS: usize = 6;

fn tables_of_one_query_agree_while_events_land(backends: Backends) -> Result<()> {
    let platform = Start::game("market").on(backends).up()?;
    let (api, sql) = (platform.api()?, platform.sql()?);
    let stop = Arc::new(AtomicBool::new(false));
    let players: Vec<_> = ["user1.att.com", "user2.comcast.com"]
        .into_iter()
        .map(|host| {
            let (api, stop) = (Client::new(api.base()), Arc::clone(&stop));
            thread::spawn(move || -> Result<()> {
                while !stop.load(Ordering::Relaxed) {
                    api.get_with("/purchase_a_sword?sword_type=long", &[("host", host)])?;
                    api.get_with("/add_money?amount=5", &[("host", host)])?;
                }
                Ok(())
            })
        })
        .collect();
    let mut cuts = std::collections::BTreeSet::new();
    let watched =
        gamepipe_tests::wait::wait_for("enough cuts", gamepipe_tests::wait::PATIENCE, || {
            let row = sql.rows(DIFFERENCE)?.pop().context("no row")?;
            assert_eq!(row[0], 0, "the tables of one query disagree: {row:?}");
            cuts.insert(row[1].as_u64().context("no count")?);
            Ok((cuts.len() >= CUTS).then_some(()))
        });
    stop.store(true, Ordering::Relaxed);
    for player in players {
        player
            .join()
            .map_err(|_| anyhow::anyhow!("a player panicked"))??;
    }
    watched
}
