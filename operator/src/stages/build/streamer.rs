//! The streamers. A Deployment: a streamer keeps nothing of its own, for its place in the log is in the lake.

use super::role::{Role, config_map};
use super::settings::{STREAMER_PORT, of};
use super::{autoscaler, disruption};
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// The streamers' objects. Nobody connects to them but those who read metrics, and these find pods, so there is no Service.
pub(super) fn build(pipeline: &ValidatedPipeline) -> Vec<Child> {
    let (component, spec) = (Component::Streamer, &pipeline.spec.streamer);
    let settings = of(pipeline, component);
    let role = Role {
        pipeline,
        component,
        definition: &pipeline.landing,
        port: STREAMER_PORT,
        replicas: spec.replicas,
        autoscaling: spec.autoscaling.as_ref(),
        resources: &spec.resources,
        pods: &spec.pods,
        scratch: "1Gi".to_owned(),
    };
    let mut objects = vec![
        config_map(pipeline, component, &settings).into(),
        disruption::build(pipeline, component).into(),
        role.deployment(&settings).into(),
    ];
    objects.extend(autoscaler::build(
        pipeline,
        component,
        spec.autoscaling.as_ref(),
    ));
    objects
}
