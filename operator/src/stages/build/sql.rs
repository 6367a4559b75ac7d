//! The SQL endpoint.

use k8s_openapi::api::core::v1::{ClientIPConfig, SessionAffinityConfig};

use super::role::{Role, config_map};
use super::settings::{SQL_PORT, of, spill_bytes};
use super::{autoscaler, disruption, service};
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// A query's pages are with the pod that runs it, so a client comes back to its pod for as long as it may take to fetch the next page.
const CLIENT_STAYS_SECONDS: i32 = 600;
/// Room for files that are no spilled rows.
const BESIDE_SPILL_BYTES: u64 = 1 << 30;

/// SQL's objects.
pub(super) fn build(pipeline: &ValidatedPipeline) -> Vec<Child> {
    let (component, spec) = (Component::Sql, &pipeline.spec.sql);
    let settings = of(pipeline, component);
    let role = Role {
        pipeline,
        component,
        definition: &pipeline.serving,
        port: SQL_PORT,
        replicas: spec.replicas,
        autoscaling: spec.autoscaling.as_ref(),
        resources: &spec.resources,
        pods: &spec.pods,
        scratch: spill_bytes(pipeline)
            .saturating_add(BESIDE_SPILL_BYTES)
            .to_string(),
    };
    let mut service = service::exposed(pipeline, component, &spec.service, SQL_PORT);
    if let Some(spec) = &mut service.spec {
        spec.session_affinity = Some("ClientIP".to_owned());
        spec.session_affinity_config = Some(SessionAffinityConfig {
            client_ip: Some(ClientIPConfig {
                timeout_seconds: Some(CLIENT_STAYS_SECONDS),
            }),
        });
    }
    let mut objects = vec![
        config_map(pipeline, component, &settings).into(),
        service.into(),
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
