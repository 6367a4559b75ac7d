//! How many brokers there may be. Partitions live on brokers, and nothing moves them off one that goes: fewer brokers need somebody's word.

use kube::core::ResourceExt;

use crate::crd::status::Reason;
use crate::crd::{ALLOW_BROKER_REMOVAL, GamePipeline};
use crate::stages::observed::Observed;
use crate::stages::validated::Finding;

/// As many as the spec says, or as there are when fewer were not allowed.
pub(super) fn count(pipeline: &GamePipeline, observed: &Observed, held: &mut Vec<Finding>) -> i32 {
    let Some(managed) = &pipeline.spec.kafka.managed else {
        return 0;
    };
    let (wanted, there) = (managed.brokers, observed.brokers.unwrap_or_default());
    let allowed = pipeline
        .annotations()
        .get(ALLOW_BROKER_REMOVAL)
        .is_some_and(|number| *number == wanted.to_string());
    if wanted >= there || allowed {
        return wanted;
    }
    held.push(Finding::new(
        Reason::BrokerRemovalBlocked,
        "spec.kafka.managed.brokers",
        format!(
            "there are {there} brokers, and events on those above {wanted} would be lost: move their partitions away \
             (kafka-reassign-partitions.sh), then set the annotation {ALLOW_BROKER_REMOVAL}: \"{wanted}\"; until then all {there} stay"
        ),
    ));
    there
}
