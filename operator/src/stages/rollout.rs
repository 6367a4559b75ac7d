//! How far a workload has come.

use super::children::Child;

/// What a workload says of its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// What the workload's own controller says is about the newest spec.
    pub observed: bool,
    /// How many pods there should be.
    pub desired: i32,
    /// How many there are, old ones among them.
    pub total: i32,
    /// How many have the newest template.
    pub updated: i32,
    /// How many serve.
    pub available: i32,
    /// The controller has given up waiting for new pods.
    pub stuck: bool,
}

impl Rollout {
    /// Of a Deployment or StatefulSet; none for other kinds.
    pub fn of(workload: &Child) -> Option<Self> {
        let generation = workload.metadata().generation;
        match workload {
            Child::Deployment(deployment) => {
                let status = deployment.status.clone().unwrap_or_default();
                let stuck = status.conditions.iter().flatten().any(|condition| {
                    condition.type_.as_deref() == Some("Progressing")
                        && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
                });
                Some(Self {
                    observed: status.observed_generation == generation,
                    desired: deployment.spec.replicas.unwrap_or(1),
                    total: status.replicas.unwrap_or_default(),
                    updated: status.updated_replicas.unwrap_or_default(),
                    available: status.available_replicas.unwrap_or_default(),
                    stuck,
                })
            }
            Child::StatefulSet(set) => {
                let status = set.status.clone().unwrap_or_default();
                Some(Self {
                    observed: status.observed_generation == generation,
                    desired: set.spec.replicas.unwrap_or(1),
                    total: status.replicas,
                    updated: status.updated_replicas.unwrap_or_default(),
                    available: status.available_replicas.unwrap_or_default(),
                    stuck: false,
                })
            }
            _ => None,
        }
    }

    /// Every pod is of the newest template and serves, and none of an older one is left.
    pub fn is_complete(&self) -> bool {
        self.is_rolled() && self.available == self.desired
    }

    /// Every pod is of the newest template, ready or not.
    pub fn is_rolled(&self) -> bool {
        self.observed && self.updated == self.desired && self.total == self.desired
    }

    /// How many pods are up to date and serve, as far as the counts tell.
    pub fn ready(&self) -> i32 {
        self.updated.min(self.available)
    }
}
