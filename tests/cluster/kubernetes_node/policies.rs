//! `NetworkPolicies` hold: who is named gets through, and nobody else.

use anyhow::{Context, Result, ensure};

use super::{Space, in_namespace};

const PEERS: &str = include_str!("policies.yaml");

/// How often somebody who must not get through is asked to try once it has been refused.
const TRIES: usize = 3;

/// Waits until `from` reaches `url`.
fn gets_through(space: &Space<'_>, from: &str, url: &str) -> Result<()> {
    space.wait_for_answer(from, &format!("/get?url={url}"), "")
}

/// Waits until `from` no longer reaches `url`, and sees that it stays so.
fn is_kept_out(space: &Space<'_>, from: &str, url: &str) -> Result<()> {
    let path = format!("/get?url={url}");
    space
        .cluster
        .wait(&format!("{from} to be kept out of {url}"), |_| {
            for _ in 0..TRIES {
                // The guest itself answers, and says that it had no answer.
                let said = format!(
                    "{:#}",
                    space.ask(from, &path).err().context("it got through")?
                );
                ensure!(said.contains(": 502:"), "{said}");
            }
            Ok(())
        })
}

#[test]
fn network_policies_let_only_the_named_through() -> Result<()> {
    in_namespace("policies", |space| {
        space.apply(PEERS)?;
        for pod in ["vault", "friend", "stranger"] {
            space.wait_for_pod(pod, "Ready")?;
        }
        let vault = format!("http://{}:8080/", space.address("vault")?);
        let by_service = "http://vault/";
        gets_through(space, "stranger", &vault)?;

        space.apply(VAULT)?;
        is_kept_out(space, "stranger", &vault)?;
        is_kept_out(space, "stranger", by_service)?;
        gets_through(space, "friend", &vault)?;
        gets_through(space, "friend", by_service)?;
        // The node's probes arrive, and a label makes a friend.
        space.wait_for_pod("vault", "Ready")?;
        space.kubectl(&["label", "pod", "stranger", "role=friend", "--overwrite"])?;
        gets_through(space, "stranger", &vault)?;

        let friend = format!("http://{}:8080/", space.address("friend")?);
        let stranger = format!("http://{}:8080/", space.address("stranger")?);
        gets_through(space, "vault", &friend)?;
        space.apply(OUT_OF_VAULT)?;
        is_kept_out(space, "vault", &friend)?;
        gets_through(space, "vault", &stranger)?;
        // What it answers to others is no way out of its own.
        gets_through(space, "friend", &vault)?;

        space.kubectl(&["delete", "networkpolicy", "--all"])?;
        gets_through(space, "vault", &friend)
    })
}

const VAULT: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: into-vault, namespace: '@NAMESPACE@'}
spec:
  podSelector: {matchLabels: {app: vault}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {role: friend}}}]
    ports: [{port: http}]
";

const OUT_OF_VAULT: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out-of-vault, namespace: '@NAMESPACE@'}
spec:
  podSelector: {matchLabels: {app: vault}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: '@NAMESPACE@'}}
      podSelector: {matchLabels: {app: stranger}}
    ports: [{port: 8080, endPort: 8081}]
";
