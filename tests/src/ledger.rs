//! What the tables of arena say about the players, compared with what the state store says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use crate::http::Client;
use crate::load::Acknowledged;
use crate::platform::Platform;

/// Checks, for a platform whose log has landed: every acknowledged event is in exactly one row of one table, nothing is there twice,
/// nothing is there that nobody asked for, and every balance equals its ledger.
pub fn check_arena(platform: &Platform, acknowledged: &Acknowledged) -> Result<()> {
    check_arena_at(&platform.api()?, &platform.sql()?, acknowledged)
}

/// As [`check_arena`], for a pipeline that is wherever it is.
pub fn check_arena_at(api: &Client, sql: &Client, acknowledged: &Acknowledged) -> Result<()> {
    check_events(sql, acknowledged)?;
    check_balances(api, sql)
}

/// The ids of all events in arena's tables; an error when one is there twice.
pub fn landed(sql: &Client) -> Result<BTreeSet<String>> {
    let mut landed = BTreeSet::new();
    for table in sql.rows("show tables from arena_raw")? {
        let table = table[0].as_str().context("a table without a name")?;
        if table == "_epochs" {
            continue;
        }
        for row in sql.rows(&format!("select \"_event_id\" from arena_raw.\"{table}\""))? {
            let id = row[0]
                .as_str()
                .with_context(|| format!("a row of {table} without an event id"))?;
            if !landed.insert(id.to_owned()) {
                bail!("event {id} has landed twice, the second time in {table}");
            }
        }
    }
    Ok(landed)
}

fn check_events(sql: &Client, acknowledged: &Acknowledged) -> Result<()> {
    let landed = landed(sql)?;
    let lost: Vec<_> = acknowledged.event_ids.difference(&landed).collect();
    if !lost.is_empty() {
        bail!(
            "{} of {} acknowledged events are in no table: {lost:?}",
            lost.len(),
            acknowledged.event_ids.len()
        );
    }
    let unasked = landed.difference(&acknowledged.event_ids).count();
    // A request that got no reply may have happened: one action of arena records one event.
    if unasked > acknowledged.unanswered {
        bail!(
            "{unasked} landed events were never acknowledged, and only {} requests went unanswered",
            acknowledged.unanswered
        );
    }
    Ok(())
}

/// Every change of a wallet is in an event: start, purchases, digs, and the loot of a kill, which moves all of it.
const LEDGER: &str = "
select name, sum(amount) from (
  select username as name, 100 as amount from player_events
  union all select username, wallet_after - wallet_before from purchase_weapon_events
  union all select username, wallet_after - wallet_before from purchase_shield_events
  union all select username, wallet_after - wallet_before from dig_for_gold_events
  union all select attacker, money_looted from successful_attack_events where defender_killed
  union all select defender, -money_looted from successful_attack_events where defender_killed
) entries group by name";

fn check_balances(api: &Client, sql: &Client) -> Result<()> {
    let ledger: BTreeMap<String, i64> = sql
        .rows(LEDGER)?
        .into_iter()
        .map(|row| {
            Ok((
                row[0].as_str().context("no name")?.to_owned(),
                row[1].as_i64().context("no sum")?,
            ))
        })
        .collect::<Result<_>>()?;
    for (name, sum) in &ledger {
        let player = api.get(&format!("/v1/entities/player/{name}"))?;
        anyhow::ensure!(
            player.status == 200,
            "{name} is in the ledger and not in the state store: {}",
            player.text()
        );
        let money = player.json()?["state"]["money"]
            .as_i64()
            .context("no money")?;
        anyhow::ensure!(money == *sum, "{name} has {money}, the ledger says {sum}");
        anyhow::ensure!(money >= 0, "{name} has overspent: {money}");
    }
    Ok(())
}
