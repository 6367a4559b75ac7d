//! HorizontalPodAutoscalers, where the spec asks for one of the operator's.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

use super::labels::meta;
use crate::crd::pods::Autoscaling;
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// An autoscaler by CPU; none when the number of pods is fixed, or somebody else's.
pub(super) fn build(
    pipeline: &ValidatedPipeline,
    component: Component,
    autoscaling: Option<&Autoscaling>,
) -> Option<Child> {
    let autoscaling = autoscaling.filter(|autoscaling| !autoscaling.external)?;
    let target = MetricTarget {
        average_utilization: Some(autoscaling.cpu_percent),
        type_: "Utilization".to_owned(),
        ..MetricTarget::default()
    };
    let autoscaler = HorizontalPodAutoscaler {
        metadata: meta(pipeline, component, component.as_str()),
        spec: HorizontalPodAutoscalerSpec {
            max_replicas: autoscaling.max_replicas?,
            metrics: Some(vec![MetricSpec {
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target,
                }),
                type_: "Resource".to_owned(),
                ..MetricSpec::default()
            }]),
            min_replicas: Some(autoscaling.min_replicas),
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: pipeline.child(component.as_str()),
            },
            ..HorizontalPodAutoscalerSpec::default()
        },
        ..HorizontalPodAutoscaler::default()
    };
    Some(autoscaler.into())
}
