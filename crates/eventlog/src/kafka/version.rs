//! Whether the brokers are new enough. Nothing in the client says which version they are.

use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::clients::Clients;
use super::problem::code_of;
use crate::log::LogError;

/// Refuses brokers that are too old. They are asked whether a topic could be made with the brokers' own number of replicas:
/// Kafka knows that since 2.4, and what else is needed for longer. Nothing is made, and any other answer will do.
pub(super) async fn check(clients: &Clients) -> Result<(), LogError> {
    let place = &clients.place;
    let options = AdminOptions::new()
        .request_timeout(Some(place.timeout))
        .validate_only(true);
    let new = NewTopic::new(&place.topic, 1, TopicReplication::Fixed(-1));
    let admin = clients.admin()?;
    let fail = |error: KafkaError| clients.explain("open the log", &error);
    let asked = admin
        .client()
        .map_err(fail)?
        .create_topics([&new], &options)
        .await;
    match asked {
        Err(error) if code_of(&error).is_some_and(is_of_old) => Err(fail(error)),
        _ => Ok(()),
    }
}

fn is_of_old(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion
    )
}
