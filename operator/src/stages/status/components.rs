//! The components as their workloads show them.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::crd::status::ComponentStatus;
use crate::stages::build::labels::{CONFIG_HASH, GAME_VERSION};
use crate::stages::children::{Applied, Child, Children};
use crate::stages::component::Component;
use crate::stages::observe::annotation;
use crate::stages::rollout::Rollout;

/// Every component that has a workload, in the order in which they need one another.
pub(super) fn all(children: &Children<Applied>) -> Vec<ComponentStatus> {
    let of = |component| component_status(component, workload(children, component)?);
    Component::ALL.into_iter().filter_map(of).collect()
}

/// The workload of a component.
pub(super) fn workload(children: &Children<Applied>, component: Component) -> Option<&Child> {
    let is_workload =
        |child: &&Child| matches!(child, Child::Deployment(_) | Child::StatefulSet(_));
    children
        .objects()
        .iter()
        .filter(is_workload)
        .find(|child| child.component() == Some(component))
}

/// The version of the definition that a role's pods have.
pub(super) fn game_version(deployment: &Deployment) -> Option<String> {
    annotation(&deployment.spec.template, GAME_VERSION)
}

fn component_status(component: Component, workload: &Child) -> Option<ComponentStatus> {
    let rollout = Rollout::of(workload)?;
    let template = template(workload)?;
    let containers = template
        .spec
        .as_ref()
        .map_or(&[][..], |pod| &pod.containers);
    let own = containers
        .iter()
        .find(|container| container.image.is_some());
    Some(ComponentStatus {
        name: component.as_str().to_owned(),
        ready: rollout.ready(),
        desired: rollout.desired,
        image: own.and_then(|container| container.image.clone()),
        config_hash: annotation(template, CONFIG_HASH),
    })
}

fn template(workload: &Child) -> Option<&PodTemplateSpec> {
    match workload {
        Child::Deployment(deployment) => Some(&deployment.spec.template),
        Child::StatefulSet(set) => Some(&set.spec.template),
        _ => None,
    }
}
