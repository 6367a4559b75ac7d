//! A GamePipeline, seen from outside its cluster.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::Client;
use gamepipe_tests::cluster::Cluster;
use gamepipe_tests::load::StubbornCrowd;
use serde_json::Value;

use super::super::{LIMIT, Space};

/// How many more requests must be answered for players to count as served.
const SERVED: u64 = 20;

/// A GamePipeline of a namespace.
pub(super) struct Pipeline<'a> {
    space: &'a Space<'a>,
    name: &'a str,
}

impl<'a> Pipeline<'a> {
    pub(super) fn of(space: &'a Space<'a>, name: &'a str) -> Self {
        Self { space, name }
    }

    pub(super) fn space(&self) -> &'a Space<'a> {
        self.space
    }

    pub(super) fn cluster(&self) -> &'a Cluster {
        self.space.cluster
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.space.kubectl(arguments)
    }

    /// A child of it as JSON, `deployment/api` for the Deployment `arena-api`.
    pub(super) fn child(&self, kind: &str, component: &str) -> Result<Value> {
        let name = format!("{}-{component}", self.name);
        Ok(serde_json::from_str(
            &self.kubectl(&["get", kind, &name, "-o", "json"])?,
        )?)
    }

    /// Merges a patch into it.
    pub(super) fn patch(&self, patch: &str) -> Result<()> {
        self.kubectl(&["patch", "gp", self.name, "--type=merge", "-p", patch])?;
        Ok(())
    }

    fn seen(&self) -> Result<Value> {
        let text = self.kubectl(&["get", "gp", self.name, "-o", "json"])?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Waits until it says that everything is ready for the generation that it has, and its Services lead there: nodes hear of pods that are ready a second or two
    /// after everybody else.
    pub(super) fn wait_until_ready(&self) -> Result<()> {
        self.cluster()
            .wait(&format!("{} to be ready", self.name), |_| self.is_ready())?;
        for (component, port) in [("api", 5000), ("sql", 8080)] {
            let service = Client::impatient(&self.address(component, port)?, LIMIT);
            self.cluster()
                .wait(&format!("{component} to be reached"), |_| {
                    service.get("/livez")
                })?;
        }
        Ok(())
    }

    fn is_ready(&self) -> Result<()> {
        let found = self.seen()?;
        let ready = conditions(&found)
            .find(|condition| condition["type"] == "Ready")
            .with_context(|| format!("no condition yet: {}", found["status"]))?;
        ensure!(
            ready["status"] == "True"
                && ready["observedGeneration"] == found["metadata"]["generation"],
            "{ready}"
        );
        Ok(())
    }

    /// Waits until a condition has this reason, and gives its message.
    pub(super) fn wait_for_reason(&self, reason: &str) -> Result<String> {
        self.cluster()
            .wait(&format!("{} to say {reason}", self.name), |_| {
                let found = self.seen()?;
                let condition = conditions(&found)
                    .find(|condition| condition["reason"] == reason)
                    .with_context(|| {
                        format!("another reason: {}", found["status"]["conditions"])
                    })?;
                Ok(condition["message"].as_str().unwrap_or_default().to_owned())
            })
    }

    /// Where a Service of it is to be reached from outside.
    pub(super) fn address(&self, component: &str, port: u16) -> Result<String> {
        let target = format!(
            "{}-{component}.{}.svc.cluster.local:{port}",
            self.name, self.space.name
        );
        Ok(format!("http://{}", self.cluster().reach(&target)?))
    }

    pub(super) fn api(&self) -> Result<Client> {
        Ok(Client::impatient(&self.address("api", 5000)?, LIMIT))
    }

    pub(super) fn sql(&self) -> Result<Client> {
        Ok(Client::new(&self.address("sql", 8080)?))
    }

    /// Does something while players play: it must be ready again afterwards, and serve them.
    pub(super) fn through(
        &self,
        what: &str,
        crowd: &StubbornCrowd,
        act: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let (began, before) = (Instant::now(), crowd.answered());
        act().with_context(|| what.to_owned())?;
        self.wait_until_ready().with_context(|| what.to_owned())?;
        let ready = crowd.answered();
        self.cluster()
            .wait("players to be served", |_| {
                ensure!(crowd.answered() >= ready + SERVED);
                Ok(())
            })
            .with_context(|| what.to_owned())?;
        eprintln!(
            "{what}: ready after {:.1} s, {} requests answered meanwhile",
            began.elapsed().as_secs_f32(),
            ready - before
        );
        Ok(())
    }
}

fn conditions(pipeline: &Value) -> impl Iterator<Item = &Value> {
    pipeline["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
}
