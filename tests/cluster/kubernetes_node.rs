//! What gamepipe needs of a node: containers, volumes, names, services, probes, policies.

mod images;
mod pipeline;
mod policies;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::Client;
use gamepipe_tests::cluster::Cluster;

const GUESTS: &str = include_str!("kubernetes_node/guests.yaml");

/// Longer than a pod takes to answer, and short enough to ask again: a request that meets a pod as it ends gets no answer.
const LIMIT: Duration = Duration::from_secs(4);

/// A namespace of one test on the shared node; what fails in it is explained.
fn in_namespace(name: &str, test: impl FnOnce(&Space<'_>) -> Result<()>) -> Result<()> {
    Cluster::shared()?.explained(|cluster| {
        cluster.kubectl(&["create", "namespace", name])?;
        test(&Space { cluster, name })?;
        cluster.kubectl(&["delete", "namespace", name, "--timeout=120s"])?;
        Ok(())
    })
}

struct Space<'a> {
    cluster: &'a Cluster,
    name: &'a str,
}

impl Space<'_> {
    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.cluster
            .kubectl(&[&["--namespace", self.name], arguments].concat())
    }

    fn apply(&self, yaml: &str) -> Result<()> {
        self.cluster
            .apply(&yaml.replace("@NAMESPACE@", self.name))?;
        Ok(())
    }

    fn address(&self, pod: &str) -> Result<String> {
        let address = self.kubectl(&["get", "pod", pod, "-o", "jsonpath={.status.podIP}"])?;
        ensure!(!address.is_empty(), "{pod} has no address yet");
        Ok(address)
    }

    /// What the guest in a pod answers; an error unless it is 200.
    fn ask(&self, pod: &str, path: &str) -> Result<String> {
        self.ask_at(&format!("{}:8080", self.address(pod)?), path)
    }

    fn ask_at(&self, target: &str, path: &str) -> Result<String> {
        let base = format!("http://{}", self.cluster.reach(target)?);
        let reply = Client::impatient(&base, LIMIT).get(path)?;
        ensure!(
            reply.status == 200,
            "{target}{path}: {}: {}",
            reply.status,
            reply.text()
        );
        Ok(reply.text().trim().to_owned())
    }

    /// Waits until a pod's guest answers with something that contains `wanted`.
    fn wait_for_answer(&self, pod: &str, path: &str, wanted: &str) -> Result<()> {
        self.cluster
            .wait(&format!("{wanted:?} as {pod}'s answer to {path}"), |_| {
                let answer = self.ask(pod, path)?;
                ensure!(answer.contains(wanted), "{answer}");
                Ok(())
            })
    }

    fn wait_for_pod(&self, pod: &str, condition: &str) -> Result<()> {
        self.cluster
            .wait(&format!("{pod} to be {condition}"), |_| {
                self.kubectl(&[
                    "wait",
                    &format!("--for=condition={condition}"),
                    "--timeout=5s",
                    &format!("pod/{pod}"),
                ])
            })?;
        Ok(())
    }
}

#[test]
fn pods_find_one_another_and_their_volumes_again() -> Result<()> {
    in_namespace("guests", |space| {
        space.apply(GUESTS)?;
        space.kubectl(&["rollout", "status", "statefulset/keeper", "--timeout=120s"])?;
        space.kubectl(&["rollout", "status", "deployment/greeter", "--timeout=120s"])?;

        // Names, services, and a service that leads a pod to itself.
        let second = space.address("keeper-1")?;
        space.wait_for_answer("keeper-0", "/lookup?name=keeper-1.keeper", &second)?;
        space.wait_for_answer(
            "keeper-0",
            "/get?url=http://keeper-1.keeper:8080/",
            "keeper-1",
        )?;
        space.wait_for_answer(
            "keeper-0",
            "/get?url=http://greeter.guests.svc.cluster.local/",
            "hello",
        )?;
        space.wait_for_answer("keeper-0", "/get?url=http://itself:8080/", "keeper-0")?;
        let answer = space.ask("keeper-0", "/lookup?name=example.com");
        ensure!(
            answer.is_err(),
            "a name of the world was answered: {answer:?}"
        );
        let outside = space.ask_at("greeter.guests.svc.cluster.local:80", "/")?;
        ensure!(outside.contains("hello"), "from outside: {outside}");
        let inside = space
            .cluster
            .run_inside("curl", &["-sf", "-m", "4", "http://greeter.guests.svc/"])?;
        ensure!(inside.contains("hello"), "from the node: {inside}");

        // What was written is there for the next pod of the same name.
        space.ask("keeper-0", "/file?path=/data/note&write=kept")?;
        space.kubectl(&["delete", "pod", "keeper-0"])?;
        space
            .cluster
            .wait("keeper-0 again", |_| space.address("keeper-0"))?;
        space.wait_for_pod("keeper-0", "Ready")?;
        space.wait_for_answer("keeper-0", "/file?path=/data/note", "kept")?;

        // A volume grows, and goes with its claim.
        let more = "{\"spec\": {\"resources\": {\"requests\": {\"storage\": \"2Mi\"}}}}";
        space.kubectl(&["patch", "pvc", "data-keeper-0", "-p", more])?;
        space.cluster.wait("a grown volume", |_| {
            let room = space.kubectl(&[
                "get",
                "pvc",
                "data-keeper-0",
                "-o",
                "jsonpath={.status.capacity.storage}",
            ])?;
            ensure!(room == "2Mi", "{room}");
            Ok(())
        })?;
        space.kubectl(&["delete", "statefulset", "keeper"])?;
        space.kubectl(&["delete", "pvc", "--all", "--timeout=60s"])?;
        space.cluster.wait("the volumes to go", |cluster| {
            let left = cluster.kubectl(&[
                "get",
                "pv",
                "-o",
                "jsonpath={.items[?(@.spec.claimRef.namespace==\"guests\")].metadata.name}",
            ])?;
            ensure!(left.is_empty(), "{left}");
            Ok(())
        })
    })
}

#[test]
fn probes_restarts_logs_exec_and_roll_outs_work() -> Result<()> {
    in_namespace("probes", |space| {
        space.apply(GUESTS)?;
        space.kubectl(&["rollout", "status", "statefulset/keeper", "--timeout=120s"])?;
        let logs = space.kubectl(&["logs", "keeper-0"])?;
        ensure!(logs.contains("keeper-0 listens"), "logs: {logs}");
        let said = space.kubectl(&["exec", "keeper-0", "--", "/guest", "say", "good", "day"])?;
        ensure!(said.trim() == "good day", "exec: {said}");

        space.ask("keeper-0", "/ready?set=false")?;
        let slices = [
            "get",
            "endpointslices",
            "-l",
            "kubernetes.io/service-name=itself",
            "-o",
        ];
        let ready = [
            &slices[..],
            &["jsonpath={.items[0].endpoints[0].conditions.ready}"],
        ]
        .concat();
        space.cluster.wait("the service to leave it out", |_| {
            let ready = space.kubectl(&ready)?;
            ensure!(ready == "false", "{ready}");
            Ok(())
        })?;
        space.ask("keeper-0", "/ready?set=true")?;
        space.wait_for_pod("keeper-0", "Ready")?;

        // It ends by itself, and is ended when it no longer seems to be alive.
        let _ = space.ask("keeper-0", "/exit?code=3");
        wait_for_restarts(space, "keeper-0", 1)?;
        space.wait_for_pod("keeper-0", "Ready")?;
        space.ask("keeper-1", "/live?set=false")?;
        wait_for_restarts(space, "keeper-1", 1)?;

        space.kubectl(&["rollout", "status", "deployment/greeter", "--timeout=120s"])?;
        space.kubectl(&["set", "env", "deployment/greeter", "GREETING=welcome"])?;
        space.kubectl(&["rollout", "status", "deployment/greeter", "--timeout=120s"])?;
        space.wait_for_answer("keeper-0", "/get?url=http://greeter/", "welcome")
    })
}

fn wait_for_restarts(space: &Space<'_>, pod: &str, at_least: u32) -> Result<()> {
    space
        .cluster
        .wait(&format!("{at_least} restarts of {pod}"), |_| {
            let path = "jsonpath={.status.containerStatuses[0].restartCount}";
            let count: u32 = space
                .kubectl(&["get", "pod", pod, "-o", path])?
                .parse()
                .context("no count yet")?;
            ensure!(count >= at_least, "{count}");
            Ok(())
        })
}
