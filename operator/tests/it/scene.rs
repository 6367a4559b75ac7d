//! A pipeline on the fake API server, and the words for what tests do to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gamepipe_domain::definition::Game as Definition;
use gamepipe_operator::controller::context::Context;
use gamepipe_operator::controller::metrics::Metrics;
use gamepipe_operator::crd::{GamePipeline, crds, schema_of};
use gamepipe_operator::reconcile::{Outcome, reconcile};
use gamepipe_operator::stages::validated::Platform;
use gamepipe_service::clock::Clock;
use serde_json::{Value, json};

use crate::api::call::Place;
use crate::api::{FakeApi, NAMESPACE};

/// A clock that tests turn.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000_000_000)))
    }

    pub(crate) fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn seed(&self) -> u64 {
        7
    }
}

/// The server, and an operator that works on it.
pub(crate) struct Scene {
    pub(crate) api: FakeApi,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) context: Context,
}

/// The pipeline's own place.
pub(crate) fn pipeline_place() -> Place {
    Place::new("gamepipe.dev", "gamepipelines", NAMESPACE, "arena")
}

pub(crate) fn game_place() -> Place {
    Place::new("gamepipe.dev", "games", NAMESPACE, "arena")
}

pub(crate) fn place(group: &str, resource: &str, name: &str) -> Place {
    Place::new(group, resource, NAMESPACE, name)
}

impl Scene {
    /// A namespace with the Game, the bucket's Secret and a pipeline of everything managed.
    pub(crate) fn new() -> Self {
        let scene = Self::empty();
        scene.add_game();
        scene.add_secret();
        scene.add_pipeline(managed());
        scene
    }

    /// A namespace with nothing in it.
    pub(crate) fn empty() -> Self {
        let (api, clock) = (FakeApi::new(), TestClock::new());
        let context = context(&api, &clock);
        Self {
            api,
            clock,
            context,
        }
    }

    /// An operator that has just been started in place of the one before.
    pub(crate) fn restart(&mut self) {
        self.context = context(&self.api, &self.clock);
    }

    pub(crate) fn add_game(&self) {
        let object = json!({
            "apiVersion": "gamepipe.dev/v1alpha1", "kind": "Game",
            "metadata": {"name": "arena", "namespace": NAMESPACE},
            "spec": game_spec(),
        });
        self.api
            .with(|store| store.create(&game_place(), object))
            .unwrap();
    }

    pub(crate) fn add_secret(&self) {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "lake", "namespace": NAMESPACE},
            "data": {"accessKeyId": "YQ==", "secretAccessKey": "Yg=="},
        });
        self.api
            .with(|store| store.create(&place("", "secrets", "lake"), object))
            .unwrap();
    }

    /// Adds the pipeline as the API server stores it: with the defaults of the schema.
    pub(crate) fn add_pipeline(&self, spec: Value) {
        let mut object = json!({
            "apiVersion": "gamepipe.dev/v1alpha1", "kind": "GamePipeline",
            "metadata": {"name": "arena", "namespace": NAMESPACE},
            "spec": spec,
        });
        let crds = crds();
        let crd = crds
            .iter()
            .find(|crd| crd.spec.names.kind == "GamePipeline")
            .unwrap();
        object = kube::core::cel::apply_defaults(&schema_of(crd), &object);
        self.api
            .with(|store| store.create(&pipeline_place(), object))
            .unwrap();
    }

    /// Adds an object that is called a pipeline and has not its form.
    pub(crate) fn add_broken(&self) {
        let object = json!({
            "apiVersion": "gamepipe.dev/v1alpha1", "kind": "GamePipeline",
            "metadata": {"name": "broken", "namespace": NAMESPACE},
            "spec": {"game": "not an object"},
        });
        let at = place("gamepipe.dev", "gamepipelines", "broken");
        self.api.with(|store| store.create(&at, object)).unwrap();
    }

    /// Changes the pipeline as a user does.
    pub(crate) fn edit(&self, patch: &Value) {
        self.api
            .with(|store| store.merge(&pipeline_place(), patch))
            .unwrap();
    }

    pub(crate) fn pipeline(&self) -> GamePipeline {
        let object = self.api.with(|store| store.get(&pipeline_place())).unwrap();
        serde_json::from_value(object).unwrap()
    }

    pub(crate) fn get(&self, group: &str, resource: &str, name: &str) -> Option<Value> {
        self.api
            .with(|store| store.get(&place(group, resource, name)))
            .ok()
    }

    pub(crate) fn names(&self, group: &str, resource: &str) -> Vec<String> {
        let listed = self
            .api
            .with(|store| store.list(&place(group, resource, ""), &[]));
        listed
            .iter()
            .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// One pass; the time goes on.
    pub(crate) async fn pass(&self) -> Outcome {
        self.clock.turn(1);
        reconcile(&self.pipeline(), &self.context).await
    }

    /// Passes and pods until the pipeline is ready.
    pub(crate) async fn settle(&self) -> Outcome {
        for _ in 0..10 {
            let outcome = self.pass().await;
            if condition(&outcome, "Ready").0 == "True" {
                self.api.calls();
                return outcome;
            }
            self.run_pods();
        }
        panic!("never ready: {:#?}", self.pass().await.status);
    }

    /// What kubelet and the controllers of workloads do: every pod starts and is ready.
    pub(crate) fn run_pods(&self) {
        for resource in ["deployments", "statefulsets"] {
            for name in self.names("apps", resource) {
                self.run(resource, &name);
            }
        }
    }

    /// The pods of one workload are ready.
    pub(crate) fn run(&self, resource: &str, name: &str) {
        let object = self.get("apps", resource, name).unwrap();
        let count = object["spec"]["replicas"].clone();
        let status = json!({"status": {
            "observedGeneration": object["metadata"]["generation"],
            "replicas": count, "updatedReplicas": count, "readyReplicas": count, "availableReplicas": count,
        }});
        self.api
            .with(|store| store.merge_status(&place("apps", resource, name), &status))
            .unwrap();
    }
}

fn context(api: &FakeApi, clock: &Arc<TestClock>) -> Context {
    let clock = Arc::clone(clock);
    Context::new(
        api.client(),
        Platform::default(),
        clock,
        "operator-0",
        Metrics::default(),
    )
}

/// A condition's status and reason.
pub(crate) fn condition(outcome: &Outcome, kind: &str) -> (String, String) {
    let found = outcome
        .status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .unwrap();
    (found.status.clone(), found.reason.clone())
}

/// The pairs as `condition` gives them.
pub(crate) fn is(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

/// Everything that the operator can run, with the lake in a bucket.
pub(crate) fn managed() -> Value {
    json!({
        "game": {"name": "arena"},
        "kafka": {"managed": {"brokers": 3, "storage": {"size": "20Gi"}}},
        "redis": {"managed": {"storage": {"size": "2Gi"}}},
        "lake": {"s3": {"bucket": "games", "prefix": "arena", "credentialsSecret": "lake"}},
        "api": {"replicas": 2},
    })
}

/// The spec of the game arena, its queries inlined.
pub(crate) fn game_spec() -> Value {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../games/arena"));
    let text = std::fs::read_to_string(folder.join("game.yaml")).unwrap();
    let file =
        |path: &str| std::fs::read_to_string(folder.join(path)).map_err(|error| error.to_string());
    let definition = Definition::load("game.yaml", &text, &file).unwrap();
    serde_json::to_value(definition.document()).unwrap()["spec"].take()
}
