//! Everything around the loop: watches, who works and who stands by, probes, metrics, events.

pub mod backoff;
pub mod context;
pub mod events;
pub mod games;
pub mod health;
pub mod leader;
pub mod memory;
pub mod metrics;

mod lag;
mod pipelines;
mod watches;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::{SharedClock, SystemClock};
use gamepipe_service::http::{HttpLimits, serve};
use gamepipe_service::probes::Probes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::api::{Api, ListParams};
use kube::client::ClientBuilder;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::Store;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::crd::status::ConditionType;
use crate::crd::{Game, GamePipeline};
use crate::stages::validated::Platform;
use context::Context;
use health::{BEAT_EVERY, Pulse};
use leader::{Elector, LeaseSettings};
use metrics::Metrics;
use pipelines::Passes;
use watches::{Guarded, Scope};

/// Probes and metrics: a few clients, and none of them slow.
const LIMITS: HttpLimits = HttpLimits {
    max_connections: 64,
    head_timeout: Duration::from_secs(10),
    max_head_bytes: 16 << 10,
    drain: Duration::from_secs(1),
};
/// How long passes that have begun may take to end when the process is to stop; Kubernetes waits 30 s.
const DRAIN: Duration = Duration::from_secs(15);
/// Between two looks for the CRDs.
const CRD_EVERY: Duration = Duration::from_secs(5);
/// Between two counts of pipelines.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// What `gamepipe operator run` is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespaces to work in; all when empty.
    pub namespaces: Vec<String>,
    /// How long at most until a pipeline is looked at again although nothing changed.
    pub resync: Duration,
    /// How many passes at once.
    pub concurrency: u16,
    /// The Lease that is needed to work; none when there is never a second process.
    pub lease: Option<LeaseSettings>,
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub listen: SocketAddr,
    /// What this process is called in events: the pod's name.
    pub instance: String,
    /// What holds for all pipelines.
    pub platform: Platform,
}

/// Why the operator ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// No cluster is configured, or its configuration can't be used.
    #[error(
        "no Kubernetes cluster can be reached: {0}; run in a pod with a service account, or set KUBECONFIG"
    )]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The address of the probes can't be used.
    #[error("could not listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// Another process may work from now on, so this one must not.
    #[error("the Lease {0} was lost; a new process stands by for it")]
    LeaseLost(String),
}

/// Runs the operator in the cluster that the environment names, until `shutdown`.
///
/// # Errors
/// When it can't be started, or when the Lease is lost: whoever runs it starts it again.
pub async fn run(settings: Settings, shutdown: Shutdown) -> Result<(), OperatorError> {
    let pulse = Pulse::default();
    let config = kube::Config::infer()
        .await
        .map_err(|error| OperatorError::Client(error.into()))?;
    let builder =
        ClientBuilder::try_from(config).map_err(|error| OperatorError::Client(error.into()))?;
    let client = builder.with_layer(&pulse).build();
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| OperatorError::Listen(settings.listen, error))?;
    run_with(
        client,
        pulse,
        listener,
        settings,
        Arc::new(SystemClock),
        shutdown,
    )
    .await
}

/// Runs the operator with everything from outside as arguments.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    client: Client,
    pulse: Pulse,
    listener: TcpListener,
    settings: Settings,
    clock: SharedClock,
    shutdown: Shutdown,
) -> Result<(), OperatorError> {
    let (probes, metrics) = (Probes::default(), Metrics::default());
    metrics.register(&probes);
    let checked = pulse.clone();
    probes.alive_while(move || checked.check());
    probes.not_ready("crds", "not looked for yet");
    probes.not_ready("caches", "not filled yet");
    let served = Shutdown::new();
    let serving = serve(listener, probes.router(), LIMITS, served.clone());
    let working = async {
        let operator = Operator {
            client,
            pulse,
            probes,
            metrics,
            settings,
            clock,
        };
        let done = operator.work(&shutdown).await;
        served.cancel();
        done
    };
    let (_, done) = tokio::join!(serving, working);
    done
}

/// A process of the operator.
struct Operator {
    client: Client,
    pulse: Pulse,
    probes: Probes,
    metrics: Metrics,
    settings: Settings,
    clock: SharedClock,
}

impl Operator {
    async fn work(&self, shutdown: &Shutdown) -> Result<(), OperatorError> {
        let heart = async {
            loop {
                self.pulse.beat();
                sleep(BEAT_EVERY).await;
            }
        };
        tokio::select! {
            () = heart => Ok(()),
            done = self.lead(shutdown) => done,
        }
    }

    /// Waits for the CRDs and for the Lease, then works until told to stop or until the Lease is lost.
    async fn lead(&self, shutdown: &Shutdown) -> Result<(), OperatorError> {
        if !self.crds_are_there(shutdown).await {
            return Ok(());
        }
        let Some(lease) = &self.settings.lease else {
            self.metrics.set_leader(true);
            self.control(shutdown).await;
            return Ok(());
        };
        // A standby is ready: it takes over at any moment.
        self.probes.ready("caches");
        let mut elector = Elector::new(
            self.client.clone(),
            lease.clone(),
            SharedClock::clone(&self.clock),
        );
        if !elector.acquire(shutdown).await {
            return Ok(());
        }
        self.metrics.set_leader(true);
        self.probes.not_ready("caches", "not filled yet");
        let lost = tokio::select! {
            // A Lease that is lost stops everything at once: passes that are under way are dropped.
            () = elector.keep() => true,
            () = self.control(shutdown) => false,
        };
        self.metrics.set_leader(false);
        self.pulse.forget_watches();
        if lost {
            return Err(OperatorError::LeaseLost(lease.name.clone()));
        }
        elector.release().await;
        Ok(())
    }

    /// Waits until both resources can be listed. A cluster without the CRDs is waited for, not crashed on. `false`: `shutdown` came first.
    async fn crds_are_there(&self, shutdown: &Shutdown) -> bool {
        loop {
            match self.look_for_crds().await {
                Ok(()) => {
                    self.probes.ready("crds");
                    self.metrics.set_crd_missing(false);
                    return true;
                }
                Err(why) => {
                    tracing::warn!(why, "waiting");
                    self.probes.not_ready("crds", why);
                    self.metrics.set_crd_missing(true);
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = sleep(CRD_EVERY) => {}
            }
        }
    }

    async fn look_for_crds(&self) -> Result<(), String> {
        let one = ListParams::default().limit(1);
        for scope in self.scopes() {
            let pipelines: Api<PartialObjectMeta<GamePipeline>> = scope.api(self.client.clone());
            let games: Api<PartialObjectMeta<Game>> = scope.api(self.client.clone());
            pipelines
                .list(&one)
                .await
                .map_err(|error| missing("gamepipelines", &error))?;
            games
                .list(&one)
                .await
                .map_err(|error| missing("games", &error))?;
        }
        Ok(())
    }

    /// Runs the controllers of all scopes until `shutdown`, and lets passes that have begun come to their end.
    async fn control(&self, shutdown: &Shutdown) {
        let settings = &self.settings;
        let context = Context::new(
            self.client.clone(),
            settings.platform.clone(),
            SharedClock::clone(&self.clock),
            &settings.instance,
            self.metrics.clone(),
        );
        let passes = Arc::new(Passes {
            context: Arc::new(context),
            turns: Semaphore::new(usize::from(settings.concurrency.max(1))),
            resync: settings.resync,
            concurrency: settings.concurrency.max(1),
        });
        let stores: Mutex<Vec<Store<Guarded>>> = Mutex::default();
        let shown = |store| {
            stores
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(store)
        };
        let controllers = self.scopes().into_iter().map(|scope| {
            let games = games::run(scope.clone(), Arc::clone(&passes.context), shutdown.clone());
            let pipelines = pipelines::run(scope, Arc::clone(&passes), shutdown.clone(), shown);
            async move { tokio::join!(games, pipelines) }
        });
        let running = join_all(controllers);
        let counting = async {
            // Each controller has shown its store when it is first run, which is before this is.
            tokio::task::yield_now().await;
            let stores = stores
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            join_all(stores.iter().map(Store::wait_until_ready)).await;
            self.probes.ready("caches");
            loop {
                self.count(&stores);
                sleep(COUNT_EVERY).await;
            }
        };
        let stopping = async {
            shutdown.cancelled().await;
            sleep(DRAIN).await;
        };
        tokio::select! {
            biased;
            _ = running => {}
            () = stopping => tracing::warn!("passes under way were given up"),
            () = counting => {}
        }
    }

    /// Counts pipelines by condition.
    fn count(&self, stores: &[Store<Guarded>]) {
        let pipelines: Vec<_> = stores.iter().flat_map(Store::state).collect();
        for kind in ConditionType::ALL {
            let holds = |condition: &Condition| {
                condition.type_ == kind.as_str() && condition.status == "True"
            };
            let of = |guarded: &&Arc<Guarded>| {
                let status = guarded
                    .0
                    .as_ref()
                    .ok()
                    .and_then(|pipeline| pipeline.status.as_ref());
                status.is_some_and(|status| status.conditions.iter().any(holds))
            };
            let count = pipelines.iter().filter(of).count();
            self.metrics
                .set_pipelines(*kind, i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn scopes(&self) -> Vec<Scope> {
        let named = self.settings.namespaces.iter().map(|namespace| Scope {
            namespace: namespace.clone(),
        });
        let scopes: Vec<Scope> = named.collect();
        if scopes.is_empty() {
            vec![Scope {
                namespace: String::new(),
            }]
        } else {
            scopes
        }
    }
}

/// Why a resource can't be listed, and what to do.
fn missing(resource: &str, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.is_not_found() => {
            format!(
                "the CRD {resource}.gamepipe.dev is not installed: `gamepipe operator crd | kubectl apply --server-side -f -`"
            )
        }
        kube::Error::Api(status) if status.is_forbidden() => {
            format!(
                "the operator may not list {resource}: {}; its Role needs get, list and watch of them",
                status.message
            )
        }
        other => format!("{resource} can't be listed: {other}"),
    }
}
