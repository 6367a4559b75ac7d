//! Who works and who stands by: one Lease, held by one process.
//!
//! Every write of the Lease is bound to the version that was read, so of two that want it one is refused. When a holder is silent is measured on
//! this process's own clock from the moment at which the Lease was last seen to change: clocks of two machines are never compared. A holder that
//! can't renew stops working well before anybody else may begin.
//!
//! No library does this: those that fit this version of kube write the Lease without its version or trust the other machine's clock.

use std::time::Duration;

use gamepipe_service::Shutdown;
use gamepipe_service::clock::SharedClock;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::{Instant, sleep, timeout};

/// How long a Lease is good without being renewed, in seconds.
const DURATION_SECONDS: i32 = 15;
/// How long a holder works on without having renewed: less than the Lease is good, by more than two tries.
const RENEW_LIMIT: Duration = Duration::from_secs(9);
/// Between two tries.
const EVERY: Duration = Duration::from_secs(2);
/// The longest that one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(3);

/// Which Lease, and who wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// The namespace of the Lease: the operator's own.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// What this process is called: the pod's name.
    pub identity: String,
}

/// Wants a Lease, and keeps it.
pub struct Elector {
    api: Api<Lease>,
    settings: LeaseSettings,
    clock: SharedClock,
    /// The version that was seen last, and when it was first seen.
    seen: Option<(String, Instant)>,
}

impl std::fmt::Debug for Elector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Elector")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    /// The Lease is ours from when the try began.
    Held,
    /// It is somebody else's.
    Theirs,
    /// It could not be found out.
    Failed,
}

impl Elector {
    /// Does not ask for anything yet.
    pub fn new(client: Client, settings: LeaseSettings, clock: SharedClock) -> Self {
        Self {
            api: Api::namespaced(client, &settings.namespace),
            settings,
            clock,
            seen: None,
        }
    }

    /// Waits until the Lease is ours. `false`: `shutdown` came first.
    pub async fn acquire(&mut self, shutdown: &Shutdown) -> bool {
        loop {
            if self.attempt().await == Try::Held {
                tracing::info!(lease = self.settings.name, "leads");
                return true;
            }
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = sleep(EVERY) => {}
            }
        }
    }

    /// Keeps the Lease; ends when it is lost.
    pub async fn keep(&mut self) {
        let mut held = Instant::now();
        loop {
            sleep(EVERY).await;
            let began = Instant::now();
            match self.attempt().await {
                Try::Held => held = began,
                Try::Theirs => return,
                Try::Failed if held.elapsed() + EVERY + TRY_LIMIT > RENEW_LIMIT => return,
                Try::Failed => {}
            }
        }
    }

    /// Gives the Lease back, so that a standby need not wait for it to run out.
    pub async fn release(&mut self) {
        let Ok(Ok(Some(mut lease))) =
            timeout(TRY_LIMIT, self.api.get_opt(&self.settings.name)).await
        else {
            return;
        };
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_ref() != Some(&self.settings.identity) {
            return;
        }
        spec.holder_identity = Some(String::new());
        let given = timeout(
            TRY_LIMIT,
            self.api
                .replace(&self.settings.name, &PostParams::default(), &lease),
        )
        .await;
        tracing::info!(
            lease = self.settings.name,
            given = matches!(given, Ok(Ok(_))),
            "no longer leads"
        );
    }

    async fn attempt(&mut self) -> Try {
        match timeout(TRY_LIMIT, self.ask()).await {
            Ok(Ok(tried)) => tried,
            Ok(Err(error)) => {
                tracing::warn!(%error, lease = self.settings.name, "the Lease can't be read or written");
                Try::Failed
            }
            Err(_) => Try::Failed,
        }
    }

    async fn ask(&mut self) -> kube::Result<Try> {
        let name = self.settings.name.clone();
        let Some(mut lease) = self.api.get_opt(&name).await? else {
            return taken(self.api.create(&PostParams::default(), &self.first()).await);
        };
        let now = self.now();
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder == self.settings.identity {
            spec.renew_time = Some(now);
        } else if holder.is_empty() || self.is_silent(&version, spec.lease_duration_seconds) {
            spec.holder_identity = Some(self.settings.identity.clone());
            spec.acquire_time = Some(now.clone());
            spec.renew_time = Some(now);
            spec.lease_duration_seconds = Some(DURATION_SECONDS);
            spec.lease_transitions =
                Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
        } else {
            return Ok(Try::Theirs);
        }
        taken(
            self.api
                .replace(&name, &PostParams::default(), &lease)
                .await,
        )
    }

    /// True when the Lease has not changed for as long as it is good, as far as this process has seen.
    fn is_silent(&mut self, version: &str, seconds: Option<i32>) -> bool {
        let good = u64::try_from(seconds.unwrap_or(DURATION_SECONDS)).unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if seen == version => since.elapsed() > Duration::from_secs(good),
            _ => {
                self.seen = Some((version.to_owned(), Instant::now()));
                false
            }
        }
    }

    fn first(&self) -> Lease {
        let now = self.now();
        Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                acquire_time: Some(now.clone()),
                holder_identity: Some(self.settings.identity.clone()),
                lease_duration_seconds: Some(DURATION_SECONDS),
                lease_transitions: Some(0),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        }
    }

    fn now(&self) -> MicroTime {
        MicroTime(Timestamp::from_microsecond(self.clock.now_micros()).unwrap_or_default())
    }
}

/// A write that another one was faster than has not been done.
fn taken(written: kube::Result<Lease>) -> kube::Result<Try> {
    match written {
        Ok(_) => Ok(Try::Held),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Try::Failed),
        Err(error) => Err(error),
    }
}
