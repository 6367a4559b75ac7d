//! Races for one wallet (OV-1) and for one idempotency key (ID-1).

use std::thread;

use anyhow::{Context, Result};
use gamepipe_tests::ledger::check_arena;
use gamepipe_tests::load::Acknowledged;
use gamepipe_tests::{Backends, Client, Start};
use serde_json::json;

gamepipe_tests::on_both_backends! {
    racing_purchases_never_overspend
    one_idempotency_key_has_one_effect_however_often_it_is_sent
}

fn racing_purchases_never_overspend(backends: Backends) -> Result<()> {
    let platform = Start::game("arena").on(backends).up()?;
    let api = platform.api()?;
    let mut acknowledged = Acknowledged::default();
    acknowledged
        .event_ids
        .extend(api.get("/initialize?username=ann")?.event_ids());
    // 16 clients race to spend 100 coins on knives at 5 coins each: exactly 20 may succeed.
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let api = Client::new(api.base());
            thread::spawn(move || -> Result<(usize, Vec<String>)> {
                let (mut bought, mut ids) = (0, Vec::new());
                for _ in 0..10 {
                    let reply = api.get("/purchase_weapon?username=ann&weapon=knife")?;
                    anyhow::ensure!(
                        reply.status == 200 || reply.status == 409,
                        "{}: {}",
                        reply.status,
                        reply.text()
                    );
                    bought += usize::from(reply.status == 200);
                    ids.extend(reply.event_ids());
                }
                Ok((bought, ids))
            })
        })
        .collect();
    let mut bought = 0;
    for thread in threads {
        let (count, ids) = thread
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        bought += count;
        acknowledged.event_ids.extend(ids);
    }
    assert_eq!(bought, 20, "100 coins buy exactly 20 knives");
    platform.wait_until_landed()?;
    check_arena(&platform, &acknowledged)
}

fn one_idempotency_key_has_one_effect_however_often_it_is_sent(backends: Backends) -> Result<()> {
    let platform = Start::game("arena").on(backends).up()?;
    let api = platform.api()?;
    api.get("/initialize?username=ann")?;
    let body = json!({"username": "ann", "weapon": "knife"}).to_string();
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (api, body) = (Client::new(api.base()), body.clone());
            thread::spawn(move || {
                let headers = [
                    ("content-type", "application/json"),
                    ("idempotency-key", "one-purchase"),
                ];
                api.send(
                    "POST",
                    "/v1/actions/purchase_weapon",
                    &headers,
                    body.as_bytes(),
                )
            })
        })
        .collect();
    let mut bodies = Vec::new();
    for thread in threads {
        let reply = thread
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        match reply.status {
            200 => bodies.push(reply.text()),
            409 => assert_eq!(reply.json()?["code"], "in_flight"),
            other => anyhow::bail!("{other}: {}", reply.text()),
        }
    }
    assert!(!bodies.is_empty());
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "replays differ: {bodies:?}"
    );
    let money = api.get("/v1/entities/player/ann")?.json()?["state"]["money"]
        .as_i64()
        .context("no money")?;
    assert_eq!(money, 95, "one purchase of 5 coins");
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "one-purchase"),
    ];
    let other = api.send(
        "POST",
        "/v1/actions/purchase_weapon",
        &headers,
        br#"{"username":"ann","weapon":"sword"}"#,
    )?;
    assert_eq!(other.status, 422, "{}", other.text());
    Ok(())
}
