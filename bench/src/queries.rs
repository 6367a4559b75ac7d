//! Analytic questions on five million landed events, beside DuckDB on the same files.

pub(crate) mod dataset;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use gamepipe_tests::{Client, Platform};
use serde_json::{Value, json};

use crate::machine::{cpu_seconds, describe, memory_mib, say};
use crate::peers::{python, script};

/// Warm runs of each query; the median counts.
const REPEATS: usize = 5;

pub(crate) fn run() -> Result<()> {
    say(&format!("# queries\n{}", describe()));
    for dataset in [dataset::eleven(), dataset::arena()] {
        let loaded = dataset.load()?;
        compare(&loaded, &dataset.questions)?;
        loaded.platform.stop()?;
    }
    Ok(())
}

/// A platform that holds a dataset.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) platform: Platform,
    pub(crate) schema: String,
}

fn compare(loaded: &Loaded, questions: &[(String, String)]) -> Result<()> {
    let sql = loaded.platform.sql()?;
    let before = cpu_seconds(loaded.platform.pid())?;
    let mut ours = Vec::new();
    for (name, text) in questions {
        ours.push((name.clone(), median(&sql, text)?));
    }
    let cpu = cpu_seconds(loaded.platform.pid())? - before;
    let theirs = duckdb(&loaded.platform.lake(), &sql, questions)?;
    let (mut sum, mut peer_sum) = (0.0, 0.0);
    say(&format!(
        "{:<28} {:>12} {:>12} {:>7}",
        "question", "gamepipe ms", "DuckDB ms", "ratio"
    ));
    for (name, millis) in &ours {
        let peer = theirs[name]["warm_ms"]
            .as_f64()
            .with_context(|| format!("DuckDB gave no time for {name}"))?;
        sum += millis;
        peer_sum += peer;
        say(&format!(
            "{name:<28} {millis:>12.1} {peer:>12.1} {:>7.2}",
            millis / peer
        ));
    }
    say(&format!(
        "{:<28} {sum:>12.1} {peer_sum:>12.1} {:>7.2}   (target: 1.5 or less)",
        "sum of warm medians",
        sum / peer_sum
    ));
    let (now, peak) = memory_mib(loaded.platform.pid())?;
    say(&format!(
        "gamepipe CPU {cpu:.1} s in all, memory {now:.0} MiB, peak {peak:.0} MiB; schema {}",
        loaded.schema
    ));
    Ok(())
}

fn median(sql: &Client, text: &str) -> Result<f64> {
    sql.rows(text)?;
    let mut millis = Vec::new();
    for _ in 0..REPEATS {
        let started = Instant::now();
        sql.rows(text)?;
        millis.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    millis.sort_by(f64::total_cmp);
    Ok(millis[REPEATS / 2])
}

/// DuckDB over the files that the tables' logs name, in a process of its own with two threads.
fn duckdb(lake: &Path, sql: &Client, questions: &[(String, String)]) -> Result<Value> {
    let tables = sql.rows("show tables")?;
    let request = json!({
        "lake": lake, "repeats": REPEATS,
        "tables": tables.iter().map(|row| row[0].clone()).collect::<Vec<_>>(),
        "questions": questions.iter().map(|(name, text)| json!({"name": name, "sql": text})).collect::<Vec<_>>(),
    });
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), request.to_string())?;
    let output = Command::new(python()?)
        .arg(script("duckdb_queries.py"))
        .arg(file.path())
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "DuckDB: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("DuckDB's script printed no JSON")
}
