//! Pressure turns into refusals, not into memory (ME-1).

use std::io::Write;
use std::thread;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use gamepipe_tests::process::peak_mib;
use gamepipe_tests::{Client, Platform, Start};

/// What the process may hold at its peak: the query pool and the stores' caches at their defaults, and room for one request per client.
const PEAK_MIB: u64 = 1200;

/// Clients that send bombs at once.
const CLIENTS: usize = 24;

#[test]
fn decompression_bombs_are_refused_and_memory_stays_bounded() -> Result<()> {
    let platform = Start::game("quest").up()?;
    let api = platform.api()?;
    // 256 MiB of blanks in a quarter of a megabyte.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..256 {
        encoder.write_all(&vec![b' '; 1 << 20])?;
    }
    let bomb = encoder.finish()?;
    let threads: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (api, bomb) = (Client::new(api.base()), bomb.clone());
            thread::spawn(move || {
                let headers = [
                    ("content-type", "application/json"),
                    ("content-encoding", "gzip"),
                ];
                api.send("POST", "/v1/events", &headers, &bomb)
            })
        })
        .collect();
    for thread in threads {
        let reply = thread
            .join()
            .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        assert!(
            reply.status == 413 || reply.status == 503,
            "{}: {}",
            reply.status,
            reply.text()
        );
    }
    assert_peak(&platform)?;
    assert_eq!(api.get("/readyz")?.status, 200);
    Ok(())
}

#[test]
fn a_query_beyond_its_memory_is_refused_by_name_and_the_endpoint_lives() -> Result<()> {
    // A set that grows holds the old table beside the new one: the peak is a multiple of the pool.
    let platform = Start::game("arena")
        .setting("GAMEPIPE_SQL_MEMORY_BYTES", "268435456")
        .up()?;
    let sql = platform.sql()?;
    // A list of a thousand million numbers, and a set of as many: neither fits the pool, nor goes to disk.
    let pairs = "generate_series(1, 100000) a, generate_series(1, 10000) b";
    for hungry in [
        format!("select cardinality(array_agg(a.value)) from {pairs}"),
        format!("select count(distinct a.value * 10000 + b.value) from {pairs}"),
    ] {
        let body = serde_json::json!({"sql": hungry, "timeout_ms": 60_000});
        let reply = sql.post_json("/sql", &body)?;
        let code = reply.json()?["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(
            code,
            "EXCEEDED_LOCAL_MEMORY_LIMIT",
            "{hungry}: {}",
            reply.text()
        );
    }
    assert_eq!(sql.value("select 40 + 2")?, 42);
    assert_peak(&platform)
}

#[test]
fn functions_that_make_much_out_of_little_are_refused_by_name_and_memory_stays_bounded()
-> Result<()> {
    let platform = Start::game("arena")
        .setting("GAMEPIPE_SQL_MEMORY_BYTES", "268435456")
        .up()?;
    let sql = platform.sql()?;
    let many = |part: &str, count: usize| vec![part; count].join(", ");
    for hungry in [
        "select repeat('x', 500000000)".to_owned(),
        "select value, repeat('x', 1000000) from generate_series(1, 4000)".to_owned(),
        "select lpad('x', 2000000000, 'y')".to_owned(),
        "select cardinality(sequence(0, 300000000))".to_owned(),
        format!(
            "with a as (select repeat('x', 100000) as v) select cardinality(array[{}]) from a",
            many("v", 50_000)
        ),
        "with recursive r(v, n) as (select 'x', 1 union all select v || v, n + 1 from r where n < 60) select max(length(v)) from r"
            .to_owned(),
    ] {
        let shown = hungry.get(..60).unwrap_or(&hungry);
        let reply = sql.post("/sql", "text/plain", hungry.as_bytes())?;
        let code = reply.json()?["code"].as_str().unwrap_or_default().to_owned();
        assert!(
            code == "EXCEEDED_LOCAL_MEMORY_LIMIT" || code == "INVALID_FUNCTION_ARGUMENT",
            "{shown}: {} {}",
            reply.status,
            reply.text()
        );
    }
    assert_eq!(sql.value("select 40 + 2")?, 42);
    assert_peak(&platform)
}

fn assert_peak(platform: &Platform) -> Result<()> {
    let peak = peak_mib(platform.pid())?;
    assert!(peak < PEAK_MIB, "peak memory of {peak} MiB");
    Ok(())
}
