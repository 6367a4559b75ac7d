//! A managed Kafka that takes clients over TLS alone, with a certificate of the user's.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::super::Space;
use super::games;
use super::handle::Pipeline;

/// Its pipeline.
const NAME: &str = "secure";

pub(super) fn a_managed_kafka_speaks_it(space: &Space<'_>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    certificates(folder.path(), space.name)?;
    let file = |name: &str| format!("--from-file={}", folder.path().join(name).display());
    space.kubectl(&[
        "create",
        "secret",
        "generic",
        "secure-tls",
        &file("tls.crt"),
        &file("tls.key"),
        &file("ca.crt"),
    ])?;
    games::apply_game(space, "quest")?;
    space.cluster.apply_in(space.name, PIPELINE)?;
    let pipeline = Pipeline::of(space, NAME);
    pipeline.wait_until_ready()?;
    games::play(&pipeline)?;
    let ca = folder.path().join("ca.crt").display().to_string();
    let host = format!("{NAME}-kafka.{}.svc.cluster.local:9092", space.name);
    let shake = ["s_client", "-brief", "-connect", &host, "-CAfile", &ca];
    let name = ["-verify_return_error", "-verify_hostname", "secure-kafka"];
    space
        .cluster
        .run_inside("openssl", &[&shake[..], &name].concat())?;
    Ok(())
}

/// A certificate authority, and what it has signed for the brokers.
fn certificates(folder: &Path, namespace: &str) -> Result<()> {
    let key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ];
    let own = [
        "-days",
        "2",
        "-subj",
        "/CN=tests",
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
    ];
    openssl(folder, &[&key[..], &own].concat())?;
    let names = format!("subjectAltName=DNS:{NAME}-kafka,DNS:*.{NAME}-kafka-nodes.{namespace}.svc");
    let signed = [
        "-days",
        "2",
        "-subj",
        "/CN=kafka",
        "-keyout",
        "tls.key",
        "-out",
        "tls.crt",
    ];
    let by = [
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    openssl(
        folder,
        &[&key[..], &signed, &by, &["-addext", &names]].concat(),
    )
}

fn openssl(folder: &Path, arguments: &[&str]) -> Result<()> {
    let done = Command::new("openssl")
        .args(["req", "-x509"])
        .args(arguments)
        .current_dir(folder)
        .output()?;
    ensure!(done.status.success(), "openssl: {done:?}");
    Ok(())
}

const PIPELINE: &str = "
apiVersion: gamepipe.dev/v1alpha1
kind: GamePipeline
metadata: {name: secure}
spec:
  game: {name: quest}
  kafka:
    managed:
      brokers: 1
      replicationFactor: 1
      controllers: {replicas: 1}
      storage: {size: 1Gi}
      tlsSecret: secure-tls
  redis: {managed: {storage: {size: 1Gi}}}
  lake: {volume: {storage: {size: 1Gi}, accessMode: ReadWriteOnce}}
  api: {replicas: 1}
";
