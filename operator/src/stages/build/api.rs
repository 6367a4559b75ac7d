//! The game's API.

use super::role::{Role, config_map};
use super::settings::{API_PORT, of};
use super::{autoscaler, disruption, service};
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// The API's objects.
pub(super) fn build(pipeline: &ValidatedPipeline) -> Vec<Child> {
    let (component, spec) = (Component::Api, &pipeline.spec.api);
    let settings = of(pipeline, component);
    let role = Role {
        pipeline,
        component,
        definition: &pipeline.serving,
        port: API_PORT,
        replicas: spec.replicas,
        autoscaling: spec.autoscaling.as_ref(),
        resources: &spec.resources,
        pods: &spec.pods,
        scratch: "64Mi".to_owned(),
    };
    let mut objects = vec![
        config_map(pipeline, component, &settings).into(),
        service::exposed(pipeline, component, &spec.service, API_PORT).into(),
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
