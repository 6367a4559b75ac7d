//! The two datasets: made from a seed, posted to `/v1/events` in batches, landed and compacted before a question is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result};
use gamepipe_tests::random::Random;
use gamepipe_tests::tools::gamepipe;
use gamepipe_tests::{Client, Start};
use serde_json::{Value, json};

use super::Loaded;
use crate::machine::say;

/// Events in each dataset.
const EVENTS: u64 = 5_000_000;
const BATCH: u64 = 1000;
const THREADS: u64 = 3;
const PLAYERS: u64 = 10_000;
const SEED: u64 = 42;

const WEAPONS: [&str; 8] = [
    "sword", "knife", "axe", "bow", "spear", "halberd", "mace", "crossbow",
];
const GUILDS: [&str; 5] = [
    "red_keep",
    "night_watch",
    "iron_bank",
    "free_folk",
    "storm_end",
];
const ARENA_WEAPONS: [&str; 7] = [
    "stick", "knife", "sword", "grenade", "gun", "bazooka", "nuke",
];

/// A dataset: a definition, a maker of events, and questions.
pub(crate) struct Dataset {
    name: &'static str,
    definition: fn() -> Result<String>,
    event: fn(u64, &mut Random) -> Value,
    pub(crate) questions: Vec<(String, String)>,
}

impl Dataset {
    /// Its definition as a file that goes away with the result.
    pub(crate) fn definition_file(&self) -> Result<tempfile::NamedTempFile> {
        let definition = tempfile::Builder::new().suffix(".yaml").tempfile()?;
        std::fs::write(definition.path(), (self.definition)()?)?;
        Ok(definition)
    }

    /// Starts a platform and puts the dataset into its lake.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let definition = self.definition_file()?;
        let path = definition
            .path()
            .to_str()
            .context("a temporary file's name is not UTF-8")?;
        let platform = Start::game(path).up()?;
        say(&format!(
            "loading {EVENTS} events of dataset {} (some minutes)",
            self.name
        ));
        post_all(platform.api()?.base(), self.event)?;
        gamepipe_tests::wait::wait_for("landing", std::time::Duration::from_secs(600), || {
            platform.wait_until_landed().map(Some)
        })?;
        let schema = platform.raw_schema()?;
        Ok(Loaded { platform, schema })
    }
}

fn post_all(base: &str, event: fn(u64, &mut Random) -> Value) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (next, api) = (Arc::clone(&next), Client::new(base));
            thread::spawn(move || -> Result<()> {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= EVENTS {
                        return Ok(());
                    }
                    // A batch depends on its number alone, so the dataset is the same on every run.
                    let mut random = Random::from_seed(SEED ^ first);
                    let batch: Vec<Value> = (first..first + BATCH)
                        .map(|number| event(number, &mut random))
                        .collect();
                    let reply = api.post_json("/v1/events", &Value::from(batch))?;
                    anyhow::ensure!(
                        reply.status == 200 && !reply.text().contains("rejected"),
                        "{}",
                        reply.text()
                    );
                }
            })
        })
        .collect();
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a loader panicked"))??;
    }
    Ok(())
}

/// Skewed: the square of a uniform number, so that low players are busier.
fn player(random: &mut Random) -> String {
    let unit = random.below(1 << 20);
    format!("p{:06}", (((unit * unit) >> 20) * PLAYERS) >> 20)
}

/// 1,000 events a simulated second.
fn time(number: u64) -> String {
    let (seconds, millis) = (number / 1000, number % 1000);
    format!(
        "2026-11-{:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        1 + seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Events of the second dataset by their number, each with its key and as the log holds it: for a log that is filled directly.
pub(crate) fn logged() -> impl Fn(u64) -> (String, String) {
    let make = eleven().event;
    move |number| {
        let mut random = Random::from_seed(SEED ^ number);
        let mut event = make(number, &mut random);
        let key = event["player"].as_str().unwrap_or_default().to_owned();
        let id = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
            random.bits() >> 32,
            random.bits() >> 48,
            random.bits() >> 52,
            random.bits() >> 52
        );
        if let Some(fields) = event.as_object_mut() {
            fields.insert("event_id".to_owned(), id.into());
            fields.insert("Host".to_owned(), "user1.example.com".into());
            fields.insert("User-Agent".to_owned(), "ApacheBench/2.3".into());
            fields.insert("Accept".to_owned(), "*/*".into());
        }
        (key, event.to_string())
    }
}

/// Six kinds of event and eleven questions with joins, windows and a needle.
pub(crate) fn eleven() -> Dataset {
    Dataset {
        name: "eleven",
        definition: || Ok(include_str!("../../games/eleven.yaml").to_owned()),
        event: |number, random| {
            let (who, weapon, wallet) =
                (player(random), *random.pick(&WEAPONS), random.below(1000));
            let mut event = match random.below(100) {
                0..30 => {
                    json!({"event_type": "purchase_weapon", "weapon": weapon, "wallet_before": wallet, "wallet_after": wallet / 2})
                }
                30..60 => {
                    json!({"event_type": "attack", "attacker": who, "defender": player(random), "weapon": weapon, "defender_killed": random.below(2) == 0})
                }
                60..80 => {
                    json!({"event_type": "dig_for_gold", "gold_found": random.below(100), "wallet_before": wallet, "mine": format!("mine-{}", random.below(50))})
                }
                80..88 => {
                    json!({"event_type": "sell_weapon", "weapon": weapon, "wallet_before": wallet, "wallet_after": wallet * 2})
                }
                88..93 => {
                    json!({"event_type": "join_guild", "guild": random.pick(&GUILDS), "wallet_before": wallet})
                }
                _ => {
                    json!({"event_type": "login", "session": format!("s{:016x}", random.bits()), "level": random.below(60)})
                }
            };
            event["player"] = who.into();
            event["event_time"] = time(number).into();
            event
        },
        questions: ELEVEN
            .iter()
            .map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned()))
            .collect(),
    }
}

const ELEVEN: [(&str, &str); 11] = [
    (
        "distinct_players",
        "select count(distinct player) as n from purchase_weapon",
    ),
    (
        "weapons_bought",
        "select weapon, count(*) as n from purchase_weapon group by weapon order by n desc, weapon",
    ),
    (
        "average_wallet_where",
        "select avg(wallet_after) as a from purchase_weapon where weapon = 'sword'",
    ),
    (
        "gold_max_min_avg",
        "select max(gold_found) as mx, min(gold_found) as mn, avg(gold_found) as av from dig_for_gold",
    ),
    (
        "fails_most",
        "select weapon, count(*) as n from attack where defender_killed = false group by weapon order by n desc limit 1",
    ),
    (
        "kills_by_weapon",
        "select weapon, sum(case when defender_killed then 1 else 0 end) as kills, count(*) as n from attack group by weapon order by kills desc, weapon",
    ),
    (
        "killed_defenders",
        "select count(*) as n, count(distinct defender) as d from attack where defender_killed = true",
    ),
    (
        "join_attack_purchase",
        "select a.weapon, count(*) as n, count(distinct a.attacker) as d from attack a join (select player, weapon, min(ts) as first_buy from purchase_weapon group by player, weapon) p on a.attacker = p.player and a.weapon = p.weapon where a.ts >= p.first_buy group by a.weapon order by a.weapon",
    ),
    (
        "per_minute",
        "select date_trunc('minute', ts) as m, count(*) as n, count(distinct player) as d from attack group by date_trunc('minute', ts) order by m",
    ),
    (
        "top10_window",
        "select * from (select weapon, player, n, row_number() over (partition by weapon order by n desc, player) as r from (select weapon, player, count(*) as n from purchase_weapon group by weapon, player) t) u where r <= 10 order by weapon, r",
    ),
    (
        "needle",
        "select event_id, ts, wallet_after from purchase_weapon where player = 'p004242' and weapon = 'bow' order by ts limit 5",
    ),
];

/// Arena's own tables and questions; its events come from here instead of from actions, so that five million are made in minutes.
pub(crate) fn arena() -> Dataset {
    let questions = arena_document()
        .map(|document| {
            let queries = document["spec"]["queries"]
                .as_object()
                .cloned()
                .unwrap_or_default();
            queries
                .into_iter()
                .filter_map(|(name, query)| Some((name, query["sql"].as_str()?.to_owned())))
                .collect()
        })
        .unwrap_or_default();
    Dataset {
        name: "arena",
        definition: || {
            let mut document = arena_document()?;
            let events = document["spec"]["events"]
                .as_object_mut()
                .context("arena declares no events")?;
            for event in events.values_mut() {
                event["from"] = json!(["client"]);
            }
            Ok(document.to_string())
        },
        event: arena_event,
        questions,
    }
}

fn arena_event(number: u64, random: &mut Random) -> Value {
    let (who, weapon, wallet) = (
        player(random),
        *random.pick(&ARENA_WEAPONS),
        random.below(500) + 20,
    );
    let mut event = match random.below(100) {
        0..2 => json!({"event_type": "initialize_player", "username": who}),
        2..30 => {
            json!({"event_type": "purchase_weapon", "username": who, "weapon": weapon, "wallet_before": wallet, "wallet_after": wallet - 5})
        }
        30..35 => {
            json!({"event_type": "purchase_shield", "username": who, "wallet_before": wallet, "wallet_after": wallet - 20})
        }
        35..70 => {
            let found = random.below(21);
            json!({"event_type": "dig_for_gold", "username": who, "gold_found": found, "fee": 5, "wallet_before": wallet, "wallet_after": wallet - 5 + found})
        }
        70..88 => {
            let killed = random.below(4) == 0;
            json!({
                "event_type": "successful_attack", "attacker": who, "defender": player(random), "weapon_used": weapon,
                "defender_has_shield": random.below(3) == 0, "defender_health_before": 20,
                "defender_health_after": if killed { 0 } else { 11 }, "defender_killed": killed, "money_looted": if killed { wallet } else { 0 },
            })
        }
        _ => {
            json!({"event_type": "failed_attack", "attacker": who, "defender": player(random), "weapon_used": weapon})
        }
    };
    event["event_time"] = time(number).into();
    event
}

fn arena_document() -> Result<Value> {
    let output = std::process::Command::new(gamepipe()?)
        .args(["game", "render", "arena", "--format", "json"])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout)
        .context("`gamepipe game render arena --format json` printed no JSON")
}
