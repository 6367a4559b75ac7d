//! `GET /`: what can be called here, as text.

use axum::extract::State;

use super::Shared;

pub(super) async fn index(State(shared): State<Shared>) -> String {
    let game = shared.engine.game();
    let schema = game.schema_name();
    let tables: Vec<&str> = game
        .tables()
        .iter()
        .map(|table| table.name.as_str())
        .collect();
    format!(
        "gamepipe SQL endpoint of the game {name}\n\
         \n\
         POST /sql                 one statement, as text or as JSON {{\"sql\", \"params\", \"format\", \"max_rows\", \"timeout_ms\"}}\n\
         GET  /sql?query=          the same\n\
         \x20                          formats: json, ndjson, csv, arrow, parquet (?format= or Accept)\n\
         GET  /queries             the game's named queries\n\
         GET  /queries/NAME        the answer of one of them\n\
         POST /v1/statement        the Trino protocol: trino --server HOST:PORT --catalog hive --schema default\n\
         GET  /livez /readyz /metrics\n\
         \n\
         schemas: lake.{schema} (also hive.default, which names without a schema mean), lake.{schema}_raw\n\
         tables:  {tables}\n",
        name = game.name(),
        tables = tables.join(", "),
    )
}
