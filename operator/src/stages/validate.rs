//! From a resource and what was observed to a pipeline that can be built. Pure.
//!
//! The API server has checked types, bounds and CEL rules; here is what those can't see. What makes the whole impossible is an error; what only
//! holds back a part (fewer brokers, a definition that the data does not fit) is carried in [`ValidatedPipeline::held`], and the rest goes on.

mod game;
mod image;
mod kafka;
mod secrets;
mod settings;

use kube::Resource;
use kube::core::ResourceExt;

use super::observed::Observed;
use super::validated::{Finding, Platform, ValidatedPipeline};
use crate::crd::GamePipeline;
use crate::crd::status::Reason;

pub use game::{GameVerdict, MAX_DEFINITION_BYTES, judge};
pub use secrets::{SecretNeed, secret_needs};

/// Checks everything and gives what build needs, or everything that is wrong.
///
/// # Errors
/// Findings, never none, when the pipeline can't be carried out at all.
pub fn validate(
    pipeline: &GamePipeline,
    observed: &Observed,
    platform: &Platform,
) -> Result<ValidatedPipeline, Vec<Finding>> {
    let spec = &pipeline.spec;
    let mut findings = Vec::new();
    let mut held = Vec::new();
    image::check(spec, &mut findings);
    kafka::check(spec, &mut findings);
    let settings = settings::read(spec, &mut findings);
    let secrets = secrets::check(spec, observed, &mut findings);
    let brokers = kafka::brokers(pipeline, observed, &mut held);
    let games = game::choose(spec, observed, &mut held);
    let commit_interval_ms = spec.streamer.commit_interval_ms();
    if commit_interval_ms.is_none() {
        findings.push(Finding::new(
            Reason::SpecInvalid,
            "spec.streamer.commitInterval",
            "expected a time such as 500ms, 15s or 2m",
        ));
    }
    let Some(games) = games else {
        // With no definition in force there is nothing to go on with: what was held back is what is wrong.
        findings.append(&mut held);
        return Err(findings);
    };
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(ValidatedPipeline {
        name: pipeline.name_any(),
        namespace: pipeline.namespace().unwrap_or_else(|| "default".to_owned()),
        owner: pipeline.controller_owner_ref(&()),
        spec: spec.clone(),
        settings,
        commit_interval_ms: commit_interval_ms.unwrap_or_default(),
        landing: games.landing,
        serving: games.serving,
        definitions: games.kept,
        brokers,
        secrets,
        kafka_cluster_id: observed.kafka_cluster_id.clone(),
        platform: platform.clone(),
        held,
    })
}

#[cfg(test)]
mod tests;
