//! End-to-end benches: each starts the real binary and its peer in the same run, and prints figures and ratios.
//!
//! `cargo run --release -p gamepipe-bench -- <bench>`. Results with machine and dataset: `bench/README.md`.

mod actions;
mod cluster;
mod events;
mod load;
mod machine;
mod peers;
mod queries;
mod spark;
mod start;
mod visible;

use std::process::ExitCode;

const HELP: &str = "\
End-to-end benches of gamepipe. Build first: cargo build --release

Usage: cargo run --release -p gamepipe-bench -- <bench>

  start     time from exec to ready on an empty data directory, and idle memory
  actions   durable actions a second and their latency, beside a Flask server with Redis
  events    validated, durable telemetry events a second in batches of 100
  visible   time from an acknowledged action to its row in an answer
  queries   nine arena questions and eleven of a second dataset on 5 million landed events, beside DuckDB on the same files
  all       all of them

With Redis and Kafka (GAMEPIPE_TEST_KAFKA must name a folder with Kafka's jars; `cargo xtask test` installs one):

  cluster-actions   durable actions a second through three API processes on one player set
  cluster-events    single telemetry events acknowledged by Kafka, beside FastAPI with confluent-kafka
  cluster-landing   events from Kafka to landed tables, beside jobs of Spark (GAMEPIPE_TEST_SPARK, GAMEPIPE_TEST_SPARK_JARS)
";

fn main() -> ExitCode {
    let bench = std::env::args().nth(1).unwrap_or_default();
    let outcome = match bench.as_str() {
        "start" => start::run(),
        "actions" => actions::run(),
        "events" => events::run(),
        "visible" => visible::run(),
        "queries" => queries::run(),
        "all" => all(),
        "cluster-actions" => cluster::actions(),
        "cluster-events" => cluster::events(),
        "cluster-landing" => cluster::landing::run(),
        _ => {
            machine::say(HELP);
            return if bench.is_empty() || bench == "--help" {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(2)
            };
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            machine::say(&format!("bench {bench}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn all() -> anyhow::Result<()> {
    start::run()?;
    actions::run()?;
    events::run()?;
    visible::run()?;
    queries::run()
}
