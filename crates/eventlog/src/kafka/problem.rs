//! From what librdkafka says to what a person can act on.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::context::Context;
use super::place::Place;
use crate::log::LogError;

/// An error of a call; `doing` says what failed ("read partition 3").
pub(super) fn explain(
    place: &Place,
    context: &Context,
    doing: &str,
    error: &KafkaError,
) -> LogError {
    let code = code_of(error);
    let known = match code {
        // These say that nobody answered; why is in what the client said before.
        None
        | Some(
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::BrokerNotAvailable,
        ) => context.problem(),
        Some(_) => None,
    };
    let (code, reason) =
        known.unwrap_or_else(|| (code.unwrap_or(Code::Unknown), error.to_string()));
    if code == Code::MessageSizeTooLarge {
        return LogError::Invalid(format!(
            "failed to {doing}: a record is larger than topic {} at {} takes: raise its max.message.bytes",
            place.topic,
            place.name()
        ));
    }
    let advice = advice(place, code);
    LogError::Unavailable(format!(
        "failed to {doing}: {} {advice} ({reason})",
        place.name()
    ))
}

/// The code of an error, also of a request that makes topics or removes records.
pub(super) fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// What happened and what to change.
fn advice(place: &Place, code: Code) -> String {
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "refuses the user, the password or the mechanism: correct log.kafka.username, log.kafka.password and log.kafka.saslMechanism".to_owned()
        }
        Code::UnsupportedSASLMechanism => {
            "does not know the mechanism: correct log.kafka.saslMechanism".to_owned()
        }
        Code::SSL => "and this client find no common TLS: set log.kafka.caFile to the authority that signed the brokers' \
             certificates, use the host name that is in them, or correct log.kafka.securityProtocol"
            .to_owned(),
        Code::Resolve => "is at a host that is not known: correct log.kafka.bootstrapServers or the DNS".to_owned(),
        Code::TopicAuthorizationFailed => format!(
            "does not let this user at topic {} or {}: grant it read, write, create, describe and delete on both",
            place.topic, place.meta
        ),
        Code::GroupAuthorizationFailed => format!(
            "does not let this user into group {} or the relay's: grant it read on groups that begin with {}",
            place.group, place.topic
        ),
        Code::TransactionalIdAuthorizationFailed => format!(
            "does not let this user use transactional ids: grant it write and describe on those that begin with {}",
            place.topic
        ),
        Code::ClusterAuthorizationFailed => {
            "does not let this user write with idempotence: grant it IdempotentWrite on the cluster".to_owned()
        }
        Code::UnsupportedVersion | Code::UnsupportedFeature => {
            "is too old: use Kafka 2.4 or newer".to_owned()
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => format!(
            "has no topic {} or {} any more, or too few partitions: was it deleted?",
            place.topic, place.meta
        ),
        Code::InvalidTimestamp => format!(
            "refuses records of this machine's time: set its clock, or raise message.timestamp.after.max.ms of topics {} and {}",
            place.topic, place.meta
        ),
        Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend => {
            "has too few replicas in sync for its min.insync.replicas and acknowledges nothing".to_owned()
        }
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
            "has given this relay's place to another process".to_owned()
        }
        Code::BrokerTransportFailure | Code::AllBrokersDown => {
            "can't be reached: are the brokers running, is log.kafka.bootstrapServers right, and log.kafka.securityProtocol, and is it Kafka 2.4 or newer?"
                .to_owned()
        }
        Code::OperationTimedOut | Code::MessageTimedOut | Code::TimedOutQueue | Code::RequestTimedOut => format!(
            "did not answer within {} ms (log.kafka.timeoutMs): is it stopped or overloaded?",
            place.timeout.as_millis()
        ),
        _ => "answered with an error".to_owned(),
    }
}

/// True when another producer has taken this one's place.
pub(super) fn is_fenced(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch
    )
}

/// True for what a consumer gets over by itself: connections come back, leaders move.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::Resolve
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
        )
    )
}
