//! The whole platform on a node: the chart, a Game, the smallest GamePipeline, players, and rows.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::Client;
use gamepipe_tests::tools::{gamepipe, tool};
use serde_json::Value;

use super::{LIMIT, Space, in_namespace};

/// What runs is what was built: images of the tests in place of those of registries.
const VALUES: &str = "\
image: {repository: localhost/gamepipe, tag: test, pullPolicy: Never}
defaultImages:
  kafka: {repository: localhost/kafka, tag: test}
  redis: {repository: localhost/redis, tag: test}
";

/// Pods of each kind that are deleted under load, one after another: what keeps state, what lands it, what serves it.
const VICTIMS: [&str; 5] = ["redis", "kafka", "streamer", "api", "sql"];

fn root() -> &'static Path {
    // The crate lies one folder below.
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Installs the operator with the project's chart.
fn install(space: &Space<'_>) -> Result<()> {
    let beside = tool("GAMEPIPE_TEST_IMAGES")?;
    space.cluster.load_image(&tool("GAMEPIPE_TEST_IMAGE")?)?;
    for image in ["kafka.tar", "redis.tar"] {
        space.cluster.load_image(&beside.join(image))?;
    }
    let folder = tempfile::tempdir()?;
    let values = folder.path().join("values.yaml");
    std::fs::write(&values, VALUES)?;
    let chart = root().join("charts/gamepipe").display().to_string();
    let values = values.display().to_string();
    let name = ["--namespace", space.name, "--values", &values];
    let wait = ["--wait", "--timeout", "120s"];
    let all = [&["install", "gamepipe", &chart][..], &name, &wait].concat();
    space.cluster.helm(&all).map(|_| ())
}

/// Applies a reference game and a sample, as the guide has it.
fn apply(space: &Space<'_>, game: &str, sample: &str) -> Result<()> {
    let rendered = Command::new(gamepipe()?)
        .args(["game", "render", game])
        .output()?;
    ensure!(rendered.status.success(), "game render: {rendered:?}");
    let document = String::from_utf8(rendered.stdout)?;
    let sample = std::fs::read_to_string(root().join("manifests/samples").join(sample))?;
    for yaml in [document, sample] {
        space.cluster.apply_in(space.name, &yaml)?;
    }
    Ok(())
}

/// Waits until the pipeline says that all is ready for the generation that it has.
fn wait_until_ready(space: &Space<'_>, pipeline: &str) -> Result<()> {
    space.cluster.wait(&format!("{pipeline} to be ready"), |_| {
        let text = space.kubectl(&["get", "gp", pipeline, "-o", "json"])?;
        let found: Value = serde_json::from_str(&text)?;
        let ready = found["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == "Ready")
            .with_context(|| format!("no condition yet: {}", found["status"]))?;
        ensure!(
            ready["status"] == "True"
                && found["status"]["observedGeneration"] == found["metadata"]["generation"],
            "{ready}"
        );
        Ok(())
    })
}

/// Addresses outside the cluster of the pipeline's API and SQL.
fn endpoints(space: &Space<'_>, pipeline: &str) -> Result<[String; 2]> {
    let reach = |service: &str, port: u16| {
        let target = format!(
            "{pipeline}-{service}.{}.svc.cluster.local:{port}",
            space.name
        );
        Ok::<_, anyhow::Error>(format!("http://{}", space.cluster.reach(&target)?))
    };
    Ok([reach("api", 5000)?, reach("sql", 8080)?])
}

/// Players whose acknowledged events are looked for in the tables afterwards.
fn play([api, sql]: &[String; 2], requests: u32) -> Result<()> {
    let played = Command::new(gamepipe()?)
        .args(["play", "--api", api, "--sql", sql])
        .args(["--requests", &requests.to_string()])
        .output()?;
    ensure!(
        played.status.success(),
        "{}{}",
        String::from_utf8_lossy(&played.stdout),
        String::from_utf8_lossy(&played.stderr)
    );
    Ok(())
}

#[test]
fn a_pipeline_serves_players_and_outlives_its_pods() -> Result<()> {
    in_namespace("pipeline", |space| {
        install(space)?;
        apply(space, "arena", "smallest.yaml")?;
        wait_until_ready(space, "arena")?;
        let at = endpoints(space, "arena")?;
        play(&at, 2000)?;
        for victim in VICTIMS {
            let of =
                format!("app.kubernetes.io/instance=arena,app.kubernetes.io/component={victim}");
            space.kubectl(&[
                "delete",
                "pod",
                "--selector",
                &of,
                "--grace-period=0",
                "--force",
            ])?;
            wait_until_ready(space, "arena")?;
        }
        play(&at, 2000)?;
        let sql = Client::impatient(&at[1], LIMIT);
        let rows = space.cluster.wait("an answer in SQL", |_| {
            let reply = sql
                .get("/sql?query=select%20count(*)%20from%20arena_raw.player_events&format=json")?;
            ensure!(reply.status == 200, "{}", reply.text());
            reply.json()?["rows"][0][0].as_u64().context("no count")
        })?;
        ensure!(rows > 0, "nobody has joined");
        Ok(())
    })
}
