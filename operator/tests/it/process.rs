//! The whole process: watches, turns, probes.

use std::time::Duration;

use gamepipe_operator::controller::health::Pulse;
use gamepipe_operator::controller::leader::LeaseSettings;
use gamepipe_operator::controller::{OperatorError, Settings, run_with};
use gamepipe_operator::stages::validated::Platform;
use gamepipe_service::Shutdown;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::api::call::{Call, Place};
use crate::api::{FakeApi, NAMESPACE};
use crate::scene::{Scene, game_place, place};

/// The longest that anything here may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process of the operator that works on a scene.
pub(crate) struct Process {
    pub(crate) scene: Scene,
    address: std::net::SocketAddr,
    shutdown: Shutdown,
    running: JoinHandle<Result<(), OperatorError>>,
}

impl Process {
    pub(crate) async fn start(scene: Scene, change: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = Settings {
            namespaces: vec![NAMESPACE.to_owned()],
            resync: Duration::from_secs(600),
            concurrency: 4,
            lease: Some(LeaseSettings {
                namespace: NAMESPACE.to_owned(),
                name: "gamepipe-operator".to_owned(),
                identity: "operator-0".to_owned(),
            }),
            listen: address,
            instance: "operator-0".to_owned(),
            platform: Platform::default(),
        };
        change(&mut settings);
        let shutdown = Shutdown::new();
        let run = run_with(
            scene.api.client(),
            Pulse::default(),
            listener,
            settings,
            scene.clock.clone(),
            shutdown.clone(),
        );
        let running = tokio::spawn(run);
        Self {
            scene,
            address,
            shutdown,
            running,
        }
    }

    /// What the process answers to GET `path`: the code and the body.
    async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// Pods start, and passes are made, until the pipeline is ready.
    pub(crate) async fn until_ready(&self) {
        self.until("the pipeline to be ready", |scene| {
            scene.run_pods();
            ready(scene, "arena") == json!("True")
        })
        .await;
    }

    /// The pipeline that can't be read says so.
    pub(crate) async fn until_broken_says_so(&self) {
        self.until("the broken one to say so", |scene| {
            ready(scene, "broken") == json!("False")
        })
        .await;
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&Scene) -> bool) {
        let began = Instant::now();
        while !holds(&self.scene) {
            assert!(began.elapsed() < DEADLINE, "waited for {what}");
            assert!(
                !self.running.is_finished(),
                "the process ended while {what} was waited for"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn stop(self) -> FakeApi {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        self.scene.api
    }
}

/// The status of a pipeline's condition `Ready`.
fn ready(scene: &Scene, name: &str) -> Value {
    let Some(object) = scene.get("gamepipe.dev", "gamepipelines", name) else {
        return Value::Null;
    };
    let conditions = object["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let found = conditions
        .into_iter()
        .find(|condition| condition["type"] == "Ready");
    found.map_or(Value::Null, |condition| condition["status"].clone())
}

#[tokio::test]
async fn a_process_brings_a_pipeline_up_and_puts_right_what_is_deleted_and_what_changes() {
    let process = Process::start(Scene::new(), |_| ()).await;
    process.until_ready().await;
    let game = process
        .scene
        .api
        .with(|store| store.get(&game_place()))
        .unwrap();
    assert_eq!(
        game["status"]["conditions"][0]["status"], "True",
        "{game:#}"
    );
    let service = place("", "services", "arena-api");
    process
        .scene
        .api
        .with(|store| store.delete(&service, &Value::Null))
        .unwrap();
    process
        .until("the Service to be made again", |scene| {
            scene.get("", "services", "arena-api").is_some()
        })
        .await;
    process
        .scene
        .edit(&json!({"spec": {"api": {"replicas": 5}}}));
    process
        .until("the Deployment to grow", |scene| {
            scene.get("apps", "deployments", "arena-api").unwrap()["spec"]["replicas"] == 5
        })
        .await;
    process.until_ready().await;
    let field = json!({"spec": {"entities": {"player": {"state": {"medals": {"type": "integer", "default": 0}}}}}});
    process
        .scene
        .api
        .with(|store| store.merge(&game_place(), &field))
        .unwrap();
    let versions = |scene: &Scene| scene.pipeline().status.unwrap().game;
    let old = versions(&process.scene);
    process
        .until("the new definition to be everywhere", |scene| {
            scene.run_pods();
            let new = versions(scene);
            new.streamer != old.streamer && new.streamer == new.serving
        })
        .await;
    everything_is_counted(&process).await;
    assert_eq!(process.get("/livez").await.0, 200);
    assert_eq!(process.get("/readyz").await.0, 200);
    let api = process.stop().await;
    let lease = api
        .with(|store| {
            store.get(&Place::new(
                "coordination.k8s.io",
                "leases",
                NAMESPACE,
                "gamepipe-operator",
            ))
        })
        .unwrap();
    assert_eq!(
        lease["spec"]["holderIdentity"], "",
        "given back on the way out"
    );
}

async fn everything_is_counted(process: &Process) {
    let (code, metrics) = process.get("/metrics").await;
    assert_eq!(code, 200);
    for metric in [
        "gamepipe_operator_reconcile_total{result=\"ok\",reason=\"AllReady\"}",
        "gamepipe_operator_reconcile_duration_seconds_bucket",
        "gamepipe_operator_reconcile_in_progress_since_seconds",
        "gamepipe_operator_queue 0",
        "gamepipe_operator_pipelines{condition=\"Ready\"}",
        "gamepipe_operator_leader 1",
        "gamepipe_operator_build_info",
    ] {
        assert!(metrics.contains(metric), "{metric} in {metrics}");
    }
}

#[tokio::test]
async fn a_watch_that_always_fails_is_counted_and_the_others_go_on() {
    let scene = Scene::new();
    scene.api.fail(|call: &Call| {
        let broken =
            ["horizontalpodautoscalers", "services"].contains(&call.place.resource.as_str());
        (broken
            && matches!(call.verb, "list" | "watch")
            && call.metadata_only
            && call
                .query("labelSelector")
                .is_some_and(|labels| !labels.contains(',')))
        .then_some(403)
    });
    let process = Process::start(scene, |settings| settings.lease = None).await;
    process.until_ready().await;
    process
        .scene
        .edit(&json!({"spec": {"api": {"replicas": 3}}}));
    process
        .until("the Deployment to grow", |scene| {
            scene.get("apps", "deployments", "arena-api").unwrap()["spec"]["replicas"] == 3
        })
        .await;
    let at = place("", "configmaps", "arena-api");
    process
        .scene
        .api
        .with(|store| store.delete(&at, &Value::Null))
        .unwrap();
    process
        .until("the ConfigMap to be made again", |scene| {
            scene.get("", "configmaps", "arena-api").is_some()
        })
        .await;
    let (_, metrics) = process.get("/metrics").await;
    assert!(
        metrics.contains("gamepipe_operator_watch_errors_total{kind=\"HorizontalPodAutoscaler\"}"),
        "{metrics}"
    );
    process.stop().await;
}

#[tokio::test]
async fn an_object_that_can_not_be_read_says_so_and_stops_nobody() {
    let scene = Scene::new();
    scene.add_broken();
    let process = Process::start(scene, |settings| settings.lease = None).await;
    process.until_ready().await;
    process.until_broken_says_so().await;
    let object = process
        .scene
        .get("gamepipe.dev", "gamepipelines", "broken")
        .unwrap();
    assert_eq!(
        object["status"]["conditions"][0]["reason"], "SpecInvalid",
        "{object:#}"
    );
    process.stop().await;
}

#[tokio::test]
async fn a_process_without_crds_waits_and_says_what_is_missing() {
    let scene = Scene::new();
    scene
        .api
        .fail(|call: &Call| (call.place.group == "gamepipe.dev").then_some(404));
    let process = Process::start(scene, |_| ()).await;
    let began = Instant::now();
    loop {
        let (code, body) = process.get("/readyz").await;
        assert_eq!(code, 503);
        if body.contains("gamepipe operator crd") {
            break;
        }
        assert!(began.elapsed() < DEADLINE, "{body}");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        process.get("/livez").await.0,
        200,
        "waiting is no reason to be restarted"
    );
    process.scene.api.heal();
    process.until_ready().await;
    process.stop().await;
}

#[tokio::test]
async fn when_nothing_changes_the_api_server_is_left_in_peace() {
    let process = Process::start(Scene::new(), |settings| settings.lease = None).await;
    process.until_ready().await;
    // The passes that its own last writes caused come to an end.
    let mut quiet = 0;
    let began = Instant::now();
    while quiet < 20 {
        assert!(began.elapsed() < DEADLINE, "never quiet");
        sleep(Duration::from_millis(100)).await;
        let calls = process.scene.api.calls();
        quiet = if calls.is_empty() { quiet + 1 } else { 0 };
    }
    process.stop().await;
}
