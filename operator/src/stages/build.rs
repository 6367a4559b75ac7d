//! From a validated pipeline to its children. Pure and infallible: no client, no clock, no randomness, and the same input gives the same bytes.
//!
//! One file for each family of objects; what all pods share is in [`pod`], what the roles share in [`role`].

pub mod definition;
pub mod labels;

mod hash;
mod pod;

mod kafka;

mod redis;

mod lake;

mod api;
mod role;
mod settings;
mod sql;
mod streamer;

mod account;
mod autoscaler;
mod disruption;
mod network;
mod service;

use super::children::{Built, Children};
use super::validated::ValidatedPipeline;

/// All children of a pipeline.
pub fn build(pipeline: &ValidatedPipeline) -> Children<Built> {
    let mut objects = Vec::new();
    let mut secrets = Vec::new();
    objects.extend(definition::build(pipeline));
    objects.extend(account::build(pipeline));
    if let Some(managed) = &pipeline.spec.kafka.managed {
        secrets.push(kafka::secret::build(pipeline, managed));
        objects.extend(kafka::build(pipeline, managed));
    }
    if let Some(managed) = &pipeline.spec.redis.managed {
        secrets.push(redis::secret(pipeline, managed));
        objects.extend(redis::build(pipeline, managed));
    }
    objects.extend(lake::build(pipeline));
    objects.extend(streamer::build(pipeline));
    objects.extend(api::build(pipeline));
    objects.extend(sql::build(pipeline));
    objects.extend(network::build(pipeline));
    Children::new(secrets, objects)
}

#[cfg(test)]
mod tests;
