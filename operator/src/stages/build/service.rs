//! Services.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::labels::{meta, selector};
use crate::crd::api::ServiceOptions;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// A Service within the cluster, named like the component.
pub(super) fn of_component(
    pipeline: &ValidatedPipeline,
    component: Component,
    ports: &[(&str, i32)],
) -> Service {
    Service {
        metadata: meta(pipeline, component, component.as_str()),
        spec: Some(ServiceSpec {
            ports: Some(
                ports
                    .iter()
                    .map(|(name, port)| service_port(name, *port))
                    .collect(),
            ),
            selector: Some(selector(pipeline, component)),
            type_: Some("ClusterIP".to_owned()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// The names of a StatefulSet's pods. They are there before the pods are ready, for these find one another by them in order to become so.
pub(super) fn of_nodes(
    pipeline: &ValidatedPipeline,
    component: Component,
    suffix: &str,
    ports: &[(&str, i32)],
) -> Service {
    let mut service = of_component(pipeline, component, ports);
    service.metadata = meta(pipeline, component, suffix);
    if let Some(spec) = &mut service.spec {
        spec.cluster_ip = Some("None".to_owned());
        spec.publish_not_ready_addresses = Some(true);
    }
    service
}

/// A Service as the spec wants it to be reached.
pub(super) fn exposed(
    pipeline: &ValidatedPipeline,
    component: Component,
    options: &ServiceOptions,
    port: i32,
) -> Service {
    let mut service = of_component(pipeline, component, &[("http", port)]);
    if !options.annotations.is_empty() {
        service.metadata.annotations = Some(options.annotations.clone());
    }
    if let Some(spec) = &mut service.spec {
        spec.type_ = Some(options.kind.as_str().to_owned());
    }
    service
}

fn service_port(name: &str, port: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}
