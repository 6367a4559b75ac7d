//! What clients ask about catalogs, schemas, tables and columns.

use serde_json::json;

use crate::support::Endpoint;

#[tokio::test]
async fn the_default_schema_shows_declared_tables_and_columns_only() {
    let endpoint = Endpoint::start().await;
    let tables = endpoint.rows("show tables").await;
    let declared: Vec<_> = crate::support::arena()
        .tables()
        .iter()
        .map(|table| json!([table.name]))
        .collect();
    assert_eq!(tables, json!(declared));
    let columns = endpoint.rows("describe player_events").await;
    let names: Vec<_> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[0].as_str().unwrap().to_owned())
        .collect();
    assert!(names.iter().all(|name| !name.starts_with('_')), "{names:?}");
    assert_eq!(
        (&columns[1][0], &columns[1][1]),
        (&json!("timestamp"), &json!("timestamp(6)"))
    );
    let raw = endpoint
        .rows("show tables from lake.arena_raw")
        .await
        .to_string();
    assert!(
        raw.contains("_epochs") && raw.contains("bad_events") && raw.contains("other_events"),
        "{raw}"
    );
    let raw = endpoint
        .rows("show columns from arena_raw.player_events")
        .await
        .to_string();
    assert!(
        raw.contains("_event_id") && raw.contains("_event_date"),
        "{raw}"
    );
    endpoint.stop().await;
}

#[tokio::test]
async fn what_clients_send_on_their_own_is_answered() {
    let endpoint = Endpoint::start().await;
    for sql in [
        "SHOW FUNCTIONS",
        "SHOW FUNCTIONS LIKE 'approx%'",
        "SHOW SESSION",
        "SHOW CREATE TABLE player_events",
        "SHOW STATS FOR player_events",
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'default'",
        "SELECT schema_name FROM information_schema.schemata",
        "SELECT column_name, data_type, column_default, UPPER(is_nullable) AS is_nullable, comment FROM information_schema.columns WHERE table_schema = 'default' AND table_name = 'player_events' ORDER BY ordinal_position ASC",
        "SELECT table_name, view_definition FROM information_schema.views",
        "SELECT \"table_cat\" FROM \"system\".\"jdbc\".\"catalogs\"",
        "SELECT TABLE_CAT, TABLE_SCHEM, TABLE_NAME, TABLE_TYPE FROM system.jdbc.tables WHERE TABLE_CAT = 'hive' AND TABLE_SCHEM LIKE 'def%' ESCAPE '\\' AND TABLE_TYPE IN ('TABLE','VIEW') ORDER BY TABLE_TYPE, TABLE_CAT",
        "SELECT * FROM system.jdbc.columns WHERE table_name = 'player_events'",
        "SELECT * FROM system.jdbc.types",
        "SELECT comment FROM system.metadata.table_comments WHERE catalog_name = 'hive' AND schema_name = 'default' AND table_name = 'player_events'",
        "SELECT * FROM system.runtime.queries",
        "SELECT * FROM system.runtime.nodes",
        "SHOW SCHEMAS FROM \"lake\" LIKE 'arena%'",
        "DESCRIBE \"hive\".\"default\".\"player_events\"",
    ] {
        let reply = endpoint.sql(sql).await;
        assert_eq!(reply.status, 200, "{sql}: {}", reply.text());
    }
    endpoint.stop().await;
}

#[tokio::test]
async fn probes_metrics_and_the_first_page_are_there() {
    let endpoint = Endpoint::start().await;
    endpoint.rows("select 1").await;
    for (path, part) in [
        ("/livez", "ok"),
        ("/readyz", "ok"),
        ("/", "POST /sql"),
        (
            "/metrics",
            "gamepipe_sql_queries_total{outcome=\"FINISHED\"} 1",
        ),
        ("/v1/info", "\"coordinator\":true"),
    ] {
        let reply = endpoint.get(path).await;
        assert!(
            reply.status == 200 && reply.text().contains(part),
            "{path}: {}",
            reply.text()
        );
    }
    endpoint.stop().await;
}
