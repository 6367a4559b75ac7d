//! The other reference games: pipelines of their own on a Kafka that is there already, with the credentials of a Secret.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::tools::gamepipe;

use super::handle::Pipeline;

const GAMES: [&str; 4] = ["quest", "guild", "market", "trade"];

/// How many requests the simulated players of each make.
const REQUESTS: &str = "500";

pub(super) fn each_other_one_shares_its_kafka(arena: &Pipeline<'_>) -> Result<()> {
    let space = arena.space();
    arena.patch("{\"spec\": {\"networkPolicy\": {\"kafkaFrom\": [{\"podSelector\": {}}]}}}")?;
    let password = arena.kubectl(&[
        "get",
        "secret",
        "arena-kafka",
        "-o",
        "go-template={{.data.password | base64decode}}",
    ])?;
    arena.kubectl(&[
        "create",
        "secret",
        "generic",
        "shared-kafka",
        "--from-literal=username=gamepipe",
        &format!("--from-literal=password={password}"),
    ])?;
    arena.wait_until_ready()?;
    for game in GAMES {
        apply(arena, game)?;
        let pipeline = Pipeline::of(space, game);
        pipeline.wait_until_ready()?;
        play(&pipeline).with_context(|| game.to_owned())?;
        pipeline.kubectl(&["delete", "gp", game])?;
    }
    Ok(())
}

fn apply(arena: &Pipeline<'_>, game: &str) -> Result<()> {
    let space = arena.space();
    let rendered = Command::new(gamepipe()?)
        .args(["game", "render", game])
        .output()?;
    ensure!(rendered.status.success(), "game render: {rendered:?}");
    space
        .cluster
        .apply_in(space.name, &String::from_utf8(rendered.stdout)?)?;
    space
        .cluster
        .apply_in(space.name, &PIPELINE.replace("@GAME@", game))?;
    Ok(())
}

/// Players, who look for what they were told of in the tables.
fn play(pipeline: &Pipeline<'_>) -> Result<()> {
    let [api, sql] = [
        pipeline.address("api", 5000)?,
        pipeline.address("sql", 8080)?,
    ];
    let played = Command::new(gamepipe()?)
        .args(["play", "--api", &api, "--sql", &sql])
        .args(["--requests", REQUESTS])
        .output()?;
    ensure!(
        played.status.success(),
        "{}{}",
        String::from_utf8_lossy(&played.stdout),
        String::from_utf8_lossy(&played.stderr)
    );
    Ok(())
}

const PIPELINE: &str = "
apiVersion: gamepipe.dev/v1alpha1
kind: GamePipeline
metadata: {name: '@GAME@'}
spec:
  game: {name: '@GAME@'}
  kafka:
    external:
      bootstrapServers: arena-kafka:9092
      securityProtocol: saslPlaintext
      saslMechanism: scramSha512
      credentialsSecret: shared-kafka
  redis: {managed: {storage: {size: 1Gi}}}
  lake: {volume: {storage: {size: 1Gi}, accessMode: ReadWriteOnce}}
  api: {replicas: 1}
  streamer: {replicas: 1, commitInterval: 1s}
";
