//! The other reference games: pipelines of their own on a Kafka that is there already, with the credentials of a Secret, and their lakes on volumes
//! or in a bucket.

use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context, Result, ensure};
use gamepipe_tests::cluster::NODE;
use gamepipe_tests::tools::{gamepipe, tool};

use super::super::Space;
use super::handle::Pipeline;

const ON_VOLUMES: [&str; 3] = ["quest", "guild", "market"];
const IN_A_BUCKET: &str = "trade";

/// The bucket's keys.
const KEYS: [&str; 2] = ["gamepipe", "a-secret-of-tests"];
/// Where its server listens on the node.
const PORT: u16 = 7070;

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
    for game in ON_VOLUMES {
        is_played(space, game, VOLUME).with_context(|| game.to_owned())?;
    }
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("games"))?;
    let mut server = bucket(space, folder.path())?;
    let played = is_played(
        space,
        IN_A_BUCKET,
        &BUCKET.replace("@NODE@", &format!("{NODE}:{PORT}")),
    );
    // It ends with the cluster otherwise.
    let _ = server.kill();
    let _ = server.wait();
    played.context(IN_A_BUCKET)?;
    ensure!(
        folder.path().join("games/trade").is_dir(),
        "the lake is not in the bucket"
    );
    Ok(())
}

/// An S3 server beside the node, and the Secret with its keys.
fn bucket(space: &Space<'_>, folder: &Path) -> Result<Child> {
    let [id, secret] = KEYS;
    space.kubectl(&[
        "create",
        "secret",
        "generic",
        "lake",
        &format!("--from-literal=accessKeyId={id}"),
        &format!("--from-literal=secretAccessKey={secret}"),
    ])?;
    let address = format!("{NODE}:{PORT}");
    let folder = folder.display().to_string();
    space.cluster.start_beside(
        &tool("GAMEPIPE_TEST_S3")?,
        &[
            "--port",
            &address,
            "--region",
            "us-east-1",
            "--quiet",
            "posix",
            &folder,
        ],
        &[("ROOT_ACCESS_KEY", id), ("ROOT_SECRET_KEY", secret)],
    )
}

fn is_played(space: &Space<'_>, game: &str, lake: &str) -> Result<()> {
    apply(space, game, lake)?;
    let pipeline = Pipeline::of(space, game);
    pipeline.wait_until_ready()?;
    play(&pipeline)?;
    pipeline.kubectl(&["delete", "gp", game])?;
    Ok(())
}

fn apply(space: &Space<'_>, game: &str, lake: &str) -> Result<()> {
    apply_game(space, game)?;
    let pipeline = PIPELINE.replace("@GAME@", game).replace("@LAKE@", lake);
    space.cluster.apply_in(space.name, &pipeline)?;
    Ok(())
}

/// Applies a reference game as a resource.
pub(super) fn apply_game(space: &Space<'_>, game: &str) -> Result<()> {
    let rendered = Command::new(gamepipe()?)
        .args(["game", "render", game])
        .output()?;
    ensure!(rendered.status.success(), "game render: {rendered:?}");
    let yaml = String::from_utf8(rendered.stdout)?;
    space.cluster.apply_in(space.name, &yaml)?;
    Ok(())
}

/// Players, who look for what they were told of in the tables.
pub(super) fn play(pipeline: &Pipeline<'_>) -> Result<()> {
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
  lake: @LAKE@
  api: {replicas: 1}
  streamer: {replicas: 1, commitInterval: 1s}
";

const VOLUME: &str = "{volume: {storage: {size: 1Gi}, accessMode: ReadWriteOnce}}";

const BUCKET: &str = "{s3: {bucket: games, prefix: trade, endpoint: 'http://@NODE@', allowHttp: true, credentialsSecret: lake}}";
