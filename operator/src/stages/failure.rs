//! What a stage that speaks to the API server could not do, and what to do about it.

use std::fmt;

use kube::Error;

use crate::crd::status::Reason;

/// The longest text of the API server that is passed on, in bytes: a refusal can quote a whole object.
const MAX_TEXT: usize = 600;

/// Something that was not done. The rest of the pass went on, or ended here, as the stage says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The reason that stands in conditions, events and metrics.
    pub reason: Reason,
    /// Who or what has to change before it can work.
    pub remedy: Remedy,
    /// What was being done to which object, and why it failed.
    pub message: String,
}

/// Who or what has to change before a failed action can work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Time: the action is under way and ends by itself.
    Wait,
    /// The API server: the same action works when it is well again, or when a conflict is over.
    Retry,
    /// Somebody: the same action fails again until the spec, the rights or another object change.
    Change,
}

impl Failure {
    /// A failure.
    pub fn new(reason: Reason, remedy: Remedy, message: impl Into<String>) -> Self {
        Self {
            reason,
            remedy,
            message: message.into(),
        }
    }

    /// What the API server answered to an action such as `apply Service arena-api`.
    pub fn api(action: impl fmt::Display, error: &Error) -> Self {
        let Error::Api(status) = error else {
            // Texts of broken connections have ports and times in them, which would make each status another one.
            tracing::warn!(%error, %action, "the API server did not answer");
            let message =
                format!("could not {action}: the API server does not answer; it is tried again");
            return Self::new(Reason::ApiUnavailable, Remedy::Retry, message);
        };
        let (reason, remedy) = match status.code {
            403 => (Reason::Forbidden, Remedy::Change),
            400 | 404 | 405 | 413 | 422 => (Reason::Refused, Remedy::Change),
            _ => (Reason::ApiUnavailable, Remedy::Retry),
        };
        let text = if status.message.is_empty() {
            &status.reason
        } else {
            &status.message
        };
        Self::new(
            reason,
            remedy,
            format!("could not {action}: {}", shortened(text)),
        )
    }
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::{Failure, Remedy};
    use crate::crd::status::Reason;

    fn answered(code: u16) -> Failure {
        let status = Status::failure("it says why", "Because").with_code(code);
        Failure::api("apply Service a", &kube::Error::Api(status.boxed()))
    }

    #[test]
    fn what_only_somebody_can_change_is_told_from_what_passes() {
        for (code, reason, remedy) in [
            (403, Reason::Forbidden, Remedy::Change),
            (422, Reason::Refused, Remedy::Change),
            (409, Reason::ApiUnavailable, Remedy::Retry),
            (429, Reason::ApiUnavailable, Remedy::Retry),
            (500, Reason::ApiUnavailable, Remedy::Retry),
        ] {
            let failure = answered(code);
            assert_eq!((failure.reason, failure.remedy), (reason, remedy), "{code}");
            assert_eq!(failure.message, "could not apply Service a: it says why");
        }
    }

    #[test]
    fn a_broken_connection_gives_the_same_text_each_time() {
        let error = kube::Error::Service("reset by peer, port 12345".into());
        let failure = Failure::api("read Game a", &error);
        assert_eq!(failure.remedy, Remedy::Retry);
        assert!(!failure.message.contains("12345"), "{failure}");
    }
}
