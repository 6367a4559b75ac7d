//! Python clients: trino and PyHive against the SQL endpoint, DuckDB and deltalake on the lake's files.

use std::process::Command;

use anyhow::{Context, Result};
use gamepipe_domain::time::Timestamp;
use gamepipe_service::clock::{Clock, SystemClock};
use gamepipe_testkit::s3_server::{BUCKET, KEY_ID, S3Server, SECRET};
use gamepipe_tests::tools::tool;
use gamepipe_tests::{Platform, Start};
use serde_json::Value;

/// Runs one of the scripts beside this file; gives the JSON that it printed.
fn python(script: &str, arguments: &[&str]) -> Result<Value> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients/scripts")
        .join(script);
    let output = Command::new(tool("GAMEPIPE_TEST_PYTHON")?)
        .arg(path)
        .args(arguments)
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(
        output.status.success(),
        "{script}: {}\n{errors}",
        output.status
    );
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{script} printed no JSON:\n{errors}"))
}

fn played(game: &str) -> Result<Platform> {
    let platform = Start::game(game).up()?;
    platform.play(game, 1500)?;
    Ok(platform)
}

#[test]
fn python_trino_and_pyhive_give_the_rows_of_post_sql() -> Result<()> {
    let platform = played("arena")?;
    let sql = platform.sql()?;
    let port = sql.base().rsplit(':').next().unwrap_or_default().to_owned();
    let queries = sql.get("/queries")?.json()?;
    for query in queries.as_array().context("/queries is no list")? {
        let text = query["sql"].as_str().context("a query without SQL")?;
        let ours = Value::from(
            sql.rows(text)?
                .into_iter()
                .map(Value::from)
                .collect::<Vec<_>>(),
        );
        for client in ["trino", "pyhive"] {
            let theirs = python("query.py", &[client, &port, text])?;
            assert_eq!(theirs["rows"], ours, "{client}: {text}");
        }
    }
    Ok(())
}

#[test]
fn python_s3_deltalake_counts_the_rows_of_a_lake_in_a_bucket() -> Result<()> {
    let server = S3Server::start();
    let lake = format!("s3://{BUCKET}/arena");
    let settings = [
        ("GAMEPIPE_LAKE_PATH", lake.as_str()),
        ("GAMEPIPE_LAKE_S3_ENDPOINT", &server.endpoint()),
        ("GAMEPIPE_LAKE_S3_ACCESS_KEY_ID", KEY_ID),
        ("GAMEPIPE_LAKE_S3_SECRET_ACCESS_KEY", SECRET),
        ("GAMEPIPE_LAKE_S3_ALLOW_HTTP", "true"),
    ];
    let start = settings
        .iter()
        .fold(Start::game("arena"), |start, (name, value)| {
            start.setting(name, value)
        });
    let platform = start.up()?;
    platform.play("arena", 1500)?;
    let sql = platform.sql()?;
    let schema = platform.raw_schema()?;
    let options = serde_json::json!({
        "AWS_ENDPOINT_URL": server.endpoint(),
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    });
    for table in sql.rows(&format!("show tables from {schema}"))? {
        let table = table[0].as_str().context("a table without a name")?;
        let ours = sql.value(&format!("select count(*) from {schema}.\"{table}\""))?;
        let theirs = python(
            "count.py",
            &[&format!("{lake}/{table}"), &options.to_string()],
        )?;
        assert_eq!(theirs["deltalake"], ours, "{table} counted by its log");
        assert_eq!(theirs["duckdb"], ours, "{table} counted by its rows");
    }
    let (clean, text) = platform.verify()?;
    assert!(clean, "{text}");
    platform.stop()?;
    let (clean, text) = gamepipe_tests::platform::verify_stopped_with(platform.data(), &settings)?;
    assert!(clean && text.contains("rows"), "{text}");
    assert!(
        !platform.output().contains(SECRET),
        "the secret was printed"
    );
    assert!(
        !platform.data().join("lake").exists(),
        "nothing of the lake is on this machine"
    );
    Ok(())
}

#[test]
fn python_duckdb_and_deltalake_count_the_same_rows() -> Result<()> {
    for game in ["arena", "trade"] {
        let platform = played(game)?;
        let sql = platform.sql()?;
        let schema = platform.raw_schema()?;
        for table in sql.rows(&format!("show tables from {schema}"))? {
            let table = table[0].as_str().context("a table without a name")?;
            let ours = sql.value(&format!("select count(*) from {schema}.\"{table}\""))?;
            let path = platform.lake().join(table);
            let theirs = python("count.py", &[&path.display().to_string()])?;
            assert_eq!(
                theirs["deltalake"], ours,
                "{game}.{table} read by deltalake"
            );
            assert_eq!(theirs["duckdb"], ours, "{game}.{table} read by DuckDB");
        }
    }
    Ok(())
}

/// Three days of events, so that there are partitions to leave out.
#[test]
fn spark_reads_every_table_with_equal_counts_and_leaves_out_days() -> Result<()> {
    let platform = Start::game("quest").up()?;
    let api = platform.api()?;
    let now = SystemClock.now_micros();
    for days_ago in 0..3 {
        let micros = now - days_ago * 24 * 3600 * 1_000_000;
        let time = String::from_utf8(Timestamp::from_micros(micros).rfc3339_bytes().to_vec())?;
        for number in 0..40 {
            let event = serde_json::json!({
                "event_type": "take_potion", "userid": format!("u{number}"), "event_time": time, "health": 3,
            });
            let reply = api.post_json("/v1/events", &event)?;
            anyhow::ensure!(reply.text().contains("accepted"), "{}", reply.text());
        }
    }
    platform.play("quest", 300)?;
    let sql = platform.sql()?;
    let tables = sql.rows("show tables from quest_raw")?;
    let names: Vec<&str> = tables.iter().filter_map(|row| row[0].as_str()).collect();
    let script =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/scripts/spark_tables.py");
    let output = Command::new(tool("GAMEPIPE_TEST_SPARK")?)
        .arg(script)
        .arg(tool("GAMEPIPE_TEST_SPARK_JARS")?)
        .arg(platform.lake())
        .args(&names)
        .output()?;
    let found: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    for name in &names {
        let ours = sql.value(&format!("select count(*) from quest_raw.\"{name}\""))?;
        assert_eq!(found[*name]["rows"], ours, "{name} read by Spark: {found}");
    }
    let potions = &found["character_stats"];
    assert_eq!(potions["days"], 3, "{found}");
    assert!(
        potions["files_of_first_day"].as_u64() < potions["files"].as_u64(),
        "{potions}"
    );
    assert_eq!(potions["rows_of_first_day"], 40, "{potions}");
    Ok(())
}
