//! One API on a port of its own, with embedded stores in a folder of its own, and faults that can be switched on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gamepipe_api::{Api, ApiError};
use gamepipe_config::api::ApiConfig;
use gamepipe_config::log::LogConfig;
use gamepipe_config::state::StateConfig;
use gamepipe_domain::definition::Game;
use gamepipe_eventlog::EventLog;
use gamepipe_eventlog::embedded::EmbeddedLog;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::{SharedClock, SystemClock};
use gamepipe_service::probes::Probes;
use gamepipe_state::StateStore;
use gamepipe_state::embedded::EmbeddedStore;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

mod faults;

pub(crate) use faults::{FaultyLog, FaultyStore};

/// How long a test waits for something that must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A game with everything that tests need and no chance in it.
pub(crate) const BANK: &str = r#"
apiVersion: gamepipe.dev/v1alpha1
kind: Game
metadata: {name: bank}
spec:
  entities:
    account:
      state:
        balance: {type: integer, default: 100, minimum: 0}
  actions:
    open:
      routes: [{method: POST, path: /open}]
      params: {name: {type: string, maxLength: 64}}
      entities: {account: {account: params.name, exists: mustNot}}
      cases:
        - emit: [{event: opened, data: {name: params.name}}]
          reply: "'welcome ' + params.name"
    spend:
      routes: [{method: GET, path: /spend}, {method: POST, path: /spend}, {method: PUT, path: /spend}]
      params:
        name: {type: string, maxLength: 64}
        amount: {type: integer, minimum: 1, default: 5}
        note: {type: string, nullable: true}
      entities: {account: {account: params.name}}
      require:
        - {rule: account.balance >= params.amount, code: poor, message: "params.name + ' is poor'"}
      cases:
        - add: {account: {balance: "-params.amount"}}
          emit: [{event: spent, data: {name: params.name, amount: params.amount, left: after.account.balance}}]
          reply: "{'left': after.account.balance}"
    whoami:
      routes: [{method: GET, path: /whoami}]
      entities: {account: {account: "hostname(orElse(context.host, 'nobody'))", exists: any}}
      cases:
        - emit: [{event: seen, data: {}}]
          reply: "hostname(orElse(context.host, 'nobody'))"
  events:
    opened: {properties: {name: {type: string}}}
    spent: {properties: {name: {type: string}, amount: {type: integer}, left: {type: integer}}}
    seen: {}
    clicked:
      from: [client]
      key: name
      properties:
        name: {type: string, maxLength: 64}
        times: {type: integer, minimum: 0, default: 1}
  tables:
    clicks: {from: [clicked], columns: [{name: name}, {name: times, type: integer}]}
"#;

/// Loads a definition that needs no other files.
pub(crate) fn game(text: &str) -> Arc<Game> {
    let no_files = |name: &str| Err(format!("no file {name}"));
    Arc::new(
        Game::load("game.yaml", text, &no_files).unwrap_or_else(|problems| panic!("{problems}")),
    )
}

/// Loads one of the reference games.
pub(crate) fn reference_game(name: &str) -> Arc<Game> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../games")
        .join(name);
    let text = std::fs::read_to_string(folder.join("game.yaml")).unwrap();
    let read =
        |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|error| error.to_string());
    Arc::new(Game::load("game.yaml", &text, &read).unwrap_or_else(|problems| panic!("{problems}")))
}

/// Both embedded stores, in folders of their own below `folder`.
pub(crate) fn embedded_stores(
    folder: &Path,
    log_config: LogConfig,
    clock: &SharedClock,
) -> (Arc<dyn StateStore>, Arc<dyn EventLog>) {
    let path = |name: &str| folder.join(name).display().to_string();
    let state_config = StateConfig {
        path: path("state"),
        ..StateConfig::default()
    };
    let log_config = LogConfig {
        path: path("log"),
        ..log_config
    };
    (
        EmbeddedStore::open(&state_config, Arc::clone(clock)).unwrap(),
        EmbeddedLog::open(&log_config, Arc::clone(clock)).unwrap(),
    )
}

/// A running API. Dropping it ends it at once; [`Self::stop`] drains it.
pub(crate) struct TestApi {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) state: Arc<FaultyStore>,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) shutdown: Shutdown,
    pub(crate) probes: Probes,
    serving: Option<JoinHandle<Result<(), ApiError>>>,
    relaying: Option<JoinHandle<Result<(), ApiError>>>,
    _folder: TempDir,
}

impl TestApi {
    pub(crate) async fn bank() -> Self {
        Self::start(game(BANK), ApiConfig::default()).await
    }

    pub(crate) async fn start(game: Arc<Game>, config: ApiConfig) -> Self {
        Self::start_all(game, config, LogConfig::default()).await
    }

    /// The bank with other settings of its log.
    pub(crate) async fn start_with_log(config: LogConfig) -> Self {
        Self::start_all(game(BANK), ApiConfig::default(), config).await
    }

    async fn start_all(game: Arc<Game>, config: ApiConfig, log_config: LogConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: SharedClock = Arc::new(SystemClock);
        let (state, log) = embedded_stores(folder.path(), log_config, &clock);
        let (state, log) = (
            Arc::new(FaultyStore::new(state)),
            Arc::new(FaultyLog::new(log)),
        );
        let probes = Probes::default();
        let api = Api::build(
            config,
            game,
            Arc::clone(&state) as Arc<dyn StateStore>,
            Arc::clone(&log) as Arc<dyn EventLog>,
            clock,
            probes.clone(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(Arc::clone(&api).serve(listener, shutdown.clone()));
        let relaying = tokio::spawn(api.run_relay(shutdown.clone()));
        Self {
            address,
            state,
            log,
            shutdown,
            probes,
            serving: Some(serving),
            relaying: Some(relaying),
            _folder: folder,
        }
    }

    /// Drains, and fails when that fails.
    pub(crate) async fn stop(&mut self) {
        self.shutdown.cancel();
        for handle in [self.serving.take(), self.relaying.take()]
            .into_iter()
            .flatten()
        {
            tokio::time::timeout(DEADLINE, handle)
                .await
                .expect("drains in time")
                .unwrap()
                .unwrap();
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Reply {
        self.try_send(method, target, headers, body)
            .await
            .expect("a reply")
    }

    /// `None` when the connection ends without a reply.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Option<Reply> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .ok()?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(target);
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request = request.header("host", "test.example:80");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender
            .send_request(
                request
                    .body(Full::new(bytes::Bytes::from(body.into())))
                    .unwrap(),
            )
            .await
            .ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes().to_vec();
        Some(Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], "").await
    }

    pub(crate) async fn post_json(&self, target: &str, body: &Value) -> Reply {
        self.send(
            "POST",
            target,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    /// All records of the log as `(key, event)`, partition by partition.
    pub(crate) async fn logged(&self) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        for offsets in self.log.offsets().await.unwrap() {
            let mut from = offsets.low;
            while from < offsets.high {
                let batch = self
                    .log
                    .read(offsets.partition, from, 1 << 20)
                    .await
                    .unwrap();
                for record in &batch.records {
                    let key = String::from_utf8(record.key.to_vec()).unwrap();
                    found.push((key, serde_json::from_slice(&record.value).unwrap()));
                }
                from = batch.next;
            }
        }
        found
    }

    /// Waits until the outbox is empty, then gives the log's events of that type.
    pub(crate) async fn landed_on_log(&self, event_type: &str) -> Vec<Value> {
        until("the outbox is empty", async || {
            self.state.outbox_depth().await.unwrap() == 0
        })
        .await;
        self.logged()
            .await
            .into_iter()
            .map(|(_, event)| event)
            .filter(|event| event["event_type"] == event_type)
            .collect()
    }

    pub(crate) async fn balance(&self, name: &str) -> i64 {
        self.get(&format!("/v1/entities/account/{name}"))
            .await
            .json()["state"]["balance"]
            .as_i64()
            .unwrap()
    }
}

/// Waits for a condition, and fails when it does not come true.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = std::time::Instant::now();
    while !condition().await {
        assert!(started.elapsed() < DEADLINE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts a problem of this status and code, in the form that every problem has.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail"] {
            assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{member}: {problem}"
            );
        }
        if status == 503 {
            assert_eq!(self.header("retry-after"), Some("1"));
        }
        problem
    }

    #[track_caller]
    pub(crate) fn event_ids(&self) -> Vec<String> {
        let ids = self
            .header("gamepipe-event-ids")
            .expect("the header with the event ids");
        ids.split(',')
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect()
    }
}
