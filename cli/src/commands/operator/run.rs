//! `gamepipe operator run`: the operator as a process, in a cluster or beside it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgGroup, Args};
use gamepipe_operator::controller::leader::LeaseSettings;
use gamepipe_operator::controller::{self, Settings};
use gamepipe_service::Shutdown;

use super::Images;
use crate::commands::serve_on;
use crate::exit::Outcome;
use crate::output::remark;
use crate::signals::Signals;

/// What the process is called where no pod's name is told.
const BY_HAND: &str = "gamepipe-operator";

/// How the operator runs.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).args(["namespaces", "all_namespaces"]))]
pub(super) struct RunArgs {
    /// The namespaces to work in, with commas
    #[arg(
        long,
        env = "GAMEPIPE_OPERATOR_NAMESPACES",
        value_name = "NAME",
        value_delimiter = ','
    )]
    namespaces: Vec<String>,
    /// Work in all namespaces, those that come later too
    #[arg(long, env = "GAMEPIPE_OPERATOR_ALL_NAMESPACES")]
    all_namespaces: bool,
    /// Where /livez, /readyz and /metrics are answered
    #[arg(
        long,
        env = "GAMEPIPE_OPERATOR_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8081"
    )]
    listen: SocketAddr,
    /// How long at most until a pipeline is looked at again although nothing changed
    #[arg(
        long,
        env = "GAMEPIPE_OPERATOR_RESYNC_SECONDS",
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(10..=86_400)
    )]
    resync_seconds: u64,
    /// How many pipelines are worked on at once
    #[arg(
        long,
        env = "GAMEPIPE_OPERATOR_CONCURRENCY",
        value_name = "N",
        default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    concurrency: u16,
    /// The Lease that decides which of several processes works; without it there must be one process only
    #[arg(
        long,
        env = "GAMEPIPE_OPERATOR_LEASE",
        value_name = "NAME",
        requires = "pod_namespace"
    )]
    lease: Option<String>,
    /// The pod's name, for the Lease and for events
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pod_name: Option<String>,
    /// The pod's namespace, where the Lease is
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pod_namespace: Option<String>,
    #[command(flatten)]
    images: Images,
}

impl RunArgs {
    fn settings(self) -> Settings {
        let instance = self.pod_name.unwrap_or_else(|| BY_HAND.to_owned());
        let lease = self.lease.zip(self.pod_namespace);
        Settings {
            namespaces: self.namespaces,
            resync: Duration::from_secs(self.resync_seconds),
            concurrency: self.concurrency,
            lease: lease.map(|(name, namespace)| LeaseSettings {
                namespace,
                name,
                identity: instance.clone(),
            }),
            listen: self.listen,
            instance,
            platform: self.images.platform(),
        }
    }
}

/// Works until SIGINT or SIGTERM; passes that have begun are ended first.
pub(super) fn run(args: RunArgs) -> anyhow::Result<Outcome> {
    let settings = args.settings();
    let places = match settings.namespaces.as_slice() {
        [] => "all namespaces".to_owned(),
        some => format!("namespaces {}", some.join(", ")),
    };
    remark(&format!(
        "operator  http://{}   {places}; /readyz says when it is ready",
        settings.listen
    ));
    serve_on(async {
        let mut signals = Signals::new()?;
        let shutdown = Shutdown::new();
        let told = shutdown.clone();
        let asked = async move {
            signals.first().await;
            remark("stopping: what has begun is ended first");
            told.cancel();
            // The operator ends by itself now.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            done = controller::run(settings, shutdown) => done.context("the operator has ended")?,
            () = asked => {}
        }
        Ok(Outcome::Done)
    })
}
