//! The custom resources on a real API server: definitions, rules, samples, and what kubectl makes of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::cluster::Cluster;
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::operator::{GAMES, gamepipe_says, root};
use super::refused;

/// What each rule refuses and takes: the file that the offline test of the rules reads.
const CASES: &str = "operator/src/crd/tests/cases.yaml";

/// Fewer cases than this are not all of them.
const CASES_AT_LEAST: usize = 40;

/// The samples: each is stored in a namespace of its name.
const SAMPLES: [&str; 4] = ["smallest", "bucket", "external", "production"];

/// A control plane with the definitions, and a folder for manifests.
struct Scene<'a> {
    cluster: &'a Cluster,
    folder: TempDir,
}

impl<'a> Scene<'a> {
    fn on(cluster: &'a Cluster) -> Result<Self> {
        let scene = Self {
            cluster,
            folder: tempfile::tempdir()?,
        };
        scene.apply_definitions()?;
        for crd in ["games", "gamepipelines"] {
            let name = format!("crd/{crd}.gamepipe.dev");
            cluster.kubectl(&["wait", "--for=condition=Established", &name])?;
        }
        for namespace in SAMPLES.iter().chain(&["empty"]) {
            cluster.kubectl(&["create", "namespace", namespace])?;
        }
        Ok(scene)
    }

    fn apply_definitions(&self) -> Result<()> {
        let path = self.written(&gamepipe_says(&["operator", "crd"])?)?;
        self.with_file(&["apply", "--server-side"], &path)?;
        Ok(())
    }

    /// A file with this text; the next text replaces it.
    fn written(&self, text: &str) -> Result<PathBuf> {
        let path = self.folder.path().join("manifest.yaml");
        std::fs::write(&path, text)?;
        Ok(path)
    }

    fn with_file(&self, arguments: &[&str], path: &std::path::Path) -> Result<String> {
        let path = path.display().to_string();
        self.cluster.kubectl(&[arguments, &["-f", &path]].concat())
    }

    /// What the API server says of an object that is to be new.
    fn creating(&self, object: &Value) -> Result<String> {
        let path = self.written(&object.to_string())?;
        let create = ["create", "--dry-run=server", "--namespace=empty"];
        self.with_file(&create, &path)
    }

    /// What it says of an object in place of the sample that is stored.
    fn replacing(&self, sample: &str, object: &Value) -> Result<String> {
        let path = self.written(&object.to_string())?;
        let namespace = format!("--namespace={sample}");
        self.with_file(&["replace", "--dry-run=server", &namespace], &path)
    }

    /// Stores the samples, each in its namespace.
    fn store_samples(&self) -> Result<()> {
        for sample in SAMPLES {
            let path = self.written(&sample_of(sample)?.to_string())?;
            let namespace = format!("--namespace={sample}");
            self.with_file(&["create", &namespace], &path)?;
        }
        Ok(())
    }
}

fn sample_of(name: &str) -> Result<Value> {
    let path = root().join(format!("manifests/samples/{name}.yaml"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_saphyr::from_str(&text)?)
}

/// A sample with the values at these paths set, or taken out where they are null.
fn edited(sample: &str, edits: &Value) -> Result<Value> {
    let mut manifest = sample_of(sample)?;
    for (path, value) in edits.as_object().into_iter().flatten() {
        let (parents, name) = path.rsplit_once('.').context("a path has a parent")?;
        let mut place = &mut manifest;
        for parent in parents.split('.') {
            if !place[parent].is_object() {
                place[parent] = Value::Object(Map::new());
            }
            place = &mut place[parent];
        }
        let fields = place.as_object_mut().context("the parent is no object")?;
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    Ok(manifest)
}

/// The cases of `creating` or `changing`: message, sample, what breaks the rule and what holds.
fn cases(which: &str) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(root().join(CASES)).context(CASES)?;
    let all: Value = serde_saphyr::from_str(&text)?;
    let cases = all[which].as_array().context("no cases")?;
    Ok(cases.clone())
}

#[test]
fn every_rule_refuses_what_it_is_about_and_takes_its_neighbour_on_a_real_api_server() -> Result<()>
{
    Cluster::control_plane()?.explained(|cluster| {
        let scene = Scene::on(cluster)?;
        scene.store_samples()?;
        let mut count = 0;
        for which in ["creating", "changing"] {
            for case in cases(which)? {
                let text = |name: &str| case[name].as_str().context("a field of a case");
                let (message, sample) = (text("message")?, text("sample")?);
                let ask = |edits: &Value| {
                    let object = edited(sample, edits)?;
                    match which {
                        "creating" => scene.creating(&object),
                        _ => scene.replacing(sample, &object),
                    }
                };
                let (breaks, holds) = (&case["breaks"], &case["holds"]);
                refused(ask(breaks), message).with_context(|| format!("{which}: {breaks}"))?;
                ask(holds).with_context(|| format!("{message}: {holds} was refused"))?;
                count += 1;
            }
        }
        ensure!(count >= CASES_AT_LEAST, "{count} cases");
        Ok(())
    })
}

#[test]
fn an_api_server_takes_the_samples_and_the_games_and_refuses_games_that_can_not_be() -> Result<()> {
    Cluster::control_plane()?.explained(|cluster| {
        let scene = Scene::on(cluster)?;
        for sample in SAMPLES {
            scene.creating(&sample_of(sample)?).context(sample)?;
        }
        for game in GAMES {
            let document = gamepipe_says(&["game", "render", game])?;
            scene
                .creating(&serde_saphyr::from_str(&document)?)
                .context(game)?;
        }
        let arena = gamepipe_says(&["game", "render", "arena"])?;
        let mut with_file: Value = serde_saphyr::from_str(&arena)?;
        let mut with_long_name = with_file.clone();
        with_file["spec"]["queries"]["players_killed"]["file"] = "queries/x.sql".into();
        refused(scene.creating(&with_file), "gamepipe game render")?;
        with_long_name["metadata"]["name"] = "a".repeat(41).into();
        refused(scene.creating(&with_long_name), "at most 40 characters")?;
        with_long_name["metadata"]["name"] = "a".repeat(40).into();
        scene.creating(&with_long_name)?;
        Ok(())
    })
}

#[test]
fn definitions_that_are_applied_again_change_nothing() -> Result<()> {
    Cluster::control_plane()?.explained(|cluster| {
        let scene = Scene::on(cluster)?;
        let versions = || {
            let what = "jsonpath={range .items[*]}{.metadata.name} {.metadata.generation} \
                        {.metadata.resourceVersion} {.status.conditions}{\"\\n\"}{end}";
            cluster.kubectl(&["get", "crds", "-o", what])
        };
        // The API server's own controllers write their findings into the status.
        let before = cluster.wait("the definitions to be served", |cluster| {
            let served = versions()?;
            cluster.kubectl(&["get", "gp,games", "--all-namespaces"])?;
            ensure!(served == versions()?, "still being written");
            Ok(served)
        })?;
        ensure!(before.lines().count() == 2, "{before}");
        ensure!(
            !before.contains("NonStructuralSchema") && !before.contains("Violations"),
            "{before}"
        );
        scene.apply_definitions()?;
        let after = versions()?;
        ensure!(before == after, "before:\n{before}after:\n{after}");
        Ok(())
    })
}

#[test]
fn kubectl_explains_shows_and_scales_pipelines() -> Result<()> {
    Cluster::control_plane()?.explained(|cluster| {
        let scene = Scene::on(cluster)?;
        scene.store_samples()?;
        let explained = cluster.wait("kubectl explain", |cluster| {
            cluster.kubectl(&["explain", "gp.spec.kafka"])
        })?;
        for word in ["managed", "external", "topic", "DESCRIPTION"] {
            ensure!(explained.contains(word), "no {word} in:\n{explained}");
        }
        shows_columns(cluster)?;
        let all = cluster.kubectl(&["get", "gamepipe", "-A", "-o", "name"])?;
        ensure!(
            all.matches("gamepipeline.gamepipe.dev/arena").count() == SAMPLES.len(),
            "the category:\n{all}"
        );
        scales(cluster)
    })
}

/// The columns of `kubectl get gp`, empty and filled.
fn shows_columns(cluster: &Cluster) -> Result<()> {
    let status = r#"{"status": {
        "conditions": [{"type": "Ready", "status": "True", "reason": "AllReady", "message": "every component is ready",
                        "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        "endpoints": {"api": "http://arena-api:5000", "sql": "http://arena-sql:8080"},
        "lag": "<100", "apiReplicas": 1, "selector": "app=arena"}}"#;
    let patch = ["patch", "gp", "arena", "--namespace=smallest"];
    let how = ["--subresource=status", "--type=merge", "-p", status];
    cluster.kubectl(&[&patch[..], &how].concat())?;
    let table = cluster.kubectl(&["get", "gp", "--namespace=smallest"])?;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [head, row] = rows.as_slice() else {
        anyhow::bail!("{table}");
    };
    let columns = ["NAME", "READY", "REASON", "API", "SQL", "LAG", "AGE"];
    ensure!(*head == columns, "{table}");
    let (api, sql) = ("http://arena-api:5000", "http://arena-sql:8080");
    ensure!(
        row[..6] == ["arena", "True", "AllReady", api, sql, "<100"],
        "{table}"
    );
    let wide = cluster.kubectl(&["get", "gp", "--namespace=smallest", "-o", "wide"])?;
    ensure!(wide.contains("every component is ready"), "{wide}");
    Ok(())
}

/// `kubectl scale` sets the number of API pods and sees what the status says of it.
fn scales(cluster: &Cluster) -> Result<()> {
    let namespace = "--namespace=smallest";
    let scale = ["scale", "gp", "arena", namespace];
    cluster.kubectl(&[&scale[..], &["--current-replicas=1", "--replicas=3"]].concat())?;
    let path = "/apis/gamepipe.dev/v1alpha1/namespaces/smallest/gamepipelines/arena/scale";
    let text = cluster.kubectl(&["get", "--raw", path])?;
    let found: Value = serde_json::from_str(&text)?;
    let seen: BTreeMap<&str, &Value> = BTreeMap::from([
        ("spec", &found["spec"]["replicas"]),
        ("status", &found["status"]["replicas"]),
        ("selector", &found["status"]["selector"]),
    ]);
    ensure!(
        *seen["spec"] == 3 && *seen["status"] == 1 && *seen["selector"] == "app=arena",
        "{seen:?}"
    );
    refused(
        cluster.kubectl(&[&scale[..], &["--replicas=100000"]].concat()),
        "spec.api.replicas",
    )
}
