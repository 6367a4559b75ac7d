//! PodDisruptionBudgets: drains of nodes take one pod of a component at a time.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::labels::{matching, meta, selector};
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// The budget of a component. A pod that is not ready may always go: it serves nobody.
pub(super) fn build(pipeline: &ValidatedPipeline, component: Component) -> PodDisruptionBudget {
    // A broker that is not ready may hold the only other copy, so it counts as away.
    let unhealthy = match component {
        Component::Kafka | Component::KafkaController => "IfHealthyBudget",
        _ => "AlwaysAllow",
    };
    PodDisruptionBudget {
        metadata: meta(pipeline, component, component.as_str()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(matching(selector(pipeline, component))),
            unhealthy_pod_eviction_policy: Some(unhealthy.to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
