//! Why a bucket did not do what was asked: what a store and a network answer, as a cause that somebody can change.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

/// How much of a store's own message is passed on.
const MAX_MESSAGE: usize = 200;

/// Why a bucket did not do what was asked. No text of it holds a key's secret, a signature or a whole answer of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// Nothing listens there, or the name is not known.
    #[error(
        "{endpoint} can't be reached ({detail}); check lake.s3.endpoint, the network, and that the store is running"
    )]
    Unreachable {
        /// The store's address.
        endpoint: String,
        /// What the network said.
        detail: String,
    },
    /// It was reached, and did not answer in time.
    #[error(
        "{endpoint} did not answer in time; the store is overloaded or something on the way holds its answers back (lake.s3.timeoutMs is how long a request may take)"
    )]
    NoAnswer {
        /// The store's address.
        endpoint: String,
    },
    /// There is no such bucket.
    #[error("{endpoint} has no bucket {bucket}; make it, or correct lake.path")]
    NoBucket {
        /// The store's address.
        endpoint: String,
        /// The bucket's name.
        bucket: String,
    },
    /// The bucket is in another region.
    #[error(
        "the bucket is not in region {region} ({message}); set lake.s3.region to the region of the bucket"
    )]
    OtherRegion {
        /// The region of the settings.
        region: String,
        /// What the store said.
        message: String,
    },
    /// The store does not know the access key.
    #[error("{endpoint} does not know the access key; check lake.s3.accessKeyId")]
    UnknownKey {
        /// The store's address.
        endpoint: String,
    },
    /// The store computes another signature.
    #[error(
        "{endpoint} does not accept the signature; check lake.s3.secretAccessKey, and that nothing on the way changes requests"
    )]
    WrongSecret {
        /// The store's address.
        endpoint: String,
    },
    /// There is no key to sign with.
    #[error(
        "there are no credentials ({detail}); set lake.s3.accessKeyId and lake.s3.secretAccessKey, or run where the workload has an identity (its token file, container or instance)"
    )]
    NoCredentials {
        /// Where they were looked for.
        detail: String,
    },
    /// The credentials were good once.
    #[error("the credentials have expired; renew what gives them to this process")]
    ExpiredCredentials,
    /// This machine's clock and the store's differ too much.
    #[error(
        "the clocks of this machine and of {endpoint} differ by more than the store allows; set this machine's clock (NTP)"
    )]
    ClockSkew {
        /// The store's address.
        endpoint: String,
    },
    /// The key may not do this.
    #[error(
        "the access key may not do this ({code}); grant s3:GetObject, s3:PutObject and s3:DeleteObject on the lake's objects and s3:ListBucket on the bucket"
    )]
    Forbidden {
        /// The store's code.
        code: String,
    },
    /// Of two writers of one new object both would succeed.
    #[error(
        "the store does not honour conditional puts (If-None-Match: *): {detail}. Two streamers could both take one version of a table, and rows would be lost; use a store that honours them, such as AWS S3, MinIO or versitygw"
    )]
    NoConditionalPut {
        /// How it was seen.
        detail: String,
    },
    /// Another writer of the same object is under way, or was a moment ago.
    #[error("the store is busy with another request for the same object")]
    Conflict,
    /// The store asks for less.
    #[error("{endpoint} asks to slow down or is unavailable ({code})")]
    Busy {
        /// The store's address.
        endpoint: String,
        /// The store's code, or its status.
        code: String,
    },
    /// Anything else.
    #[error("{endpoint} answered: {detail}")]
    Other {
        /// The store's address.
        endpoint: String,
        /// What it said.
        detail: String,
    },
}

impl BucketError {
    /// True when the same request may succeed a moment later.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::Conflict | Self::Busy { .. }
        )
    }
}

/// Whose answer it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The store's address, without anything secret.
    pub(crate) endpoint: &'a str,
    pub(crate) region: &'a str,
    pub(crate) bucket: &'a str,
}

/// The cause behind an error of the client. `None`: there is no such object, which only the caller can judge.
pub(crate) fn explain(error: &object_store::Error, asked: Asked<'_>) -> Option<BucketError> {
    use object_store::Error::{Generic, NotFound, PermissionDenied, Unauthenticated};
    let text = error.to_string();
    let code = between(&text, "<Code>", "</Code>").unwrap_or_default();
    let message = shortened(between(&text, "<Message>", "</Message>").unwrap_or_default());
    if let Some(cause) = of_code(code, &message, asked) {
        return Some(cause);
    }
    if let Some(failed) = transport(error) {
        return Some(of_transport(failed, &text, asked));
    }
    if text.contains("normally indicates an incorrectly configured region") {
        return Some(BucketError::OtherRegion {
            region: asked.region.to_owned(),
            message: "it sends the request elsewhere".to_owned(),
        });
    }
    let endpoint = asked.endpoint.to_owned();
    let status = between(&text, "status code: ", " ").and_then(|status| status.parse::<u16>().ok());
    Some(match (error, status) {
        (NotFound { .. }, _) if matches!(code, "" | "NoSuchKey") => return None,
        // Some of what the store itself refuses comes as this kind, too. The codes are for tokens of a role:
        // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
        (Generic { .. }, Some(401 | 403)) if message.contains("AssumeRole") => {
            no_credentials(code, &message)
        }
        _ if matches!(
            code,
            "InvalidIdentityToken" | "ExpiredTokenException" | "IDPCommunicationError"
        ) =>
        {
            no_credentials(code, &message)
        }
        (PermissionDenied { .. } | Unauthenticated { .. }, _) | (_, Some(401 | 403)) => {
            let code = if code.is_empty() { "403" } else { code };
            BucketError::Forbidden {
                code: code.to_owned(),
            }
        }
        (_, Some(409)) => BucketError::Conflict,
        (_, Some(status @ (429 | 500..=599))) => BucketError::Busy {
            endpoint,
            code: status.to_string(),
        },
        (_, Some(status)) => BucketError::Other {
            endpoint,
            detail: format!("{status} {code} {message}").trim().to_owned(),
        },
        (_, None) => BucketError::Other {
            endpoint,
            detail: shortened(&deepest(error)),
        },
    })
}

/// What gives keys for the workload's identity has refused.
fn no_credentials(code: &str, message: &str) -> BucketError {
    BucketError::NoCredentials {
        detail: format!("what gives them has refused: {code} {message}")
            .trim()
            .to_owned(),
    }
}

/// The cause behind a code of S3's.
fn of_code(code: &str, message: &str, asked: Asked<'_>) -> Option<BucketError> {
    let endpoint = asked.endpoint.to_owned();
    Some(match code {
        "NoSuchBucket" => BucketError::NoBucket {
            endpoint,
            bucket: asked.bucket.to_owned(),
        },
        // The second is what versitygw says, and it says it with the status of an object that is absent.
        "InvalidAccessKeyId" | "XAdminUserNotFound" => BucketError::UnknownKey { endpoint },
        "SignatureDoesNotMatch" => BucketError::WrongSecret { endpoint },
        "RequestTimeTooSkewed" => BucketError::ClockSkew { endpoint },
        "ExpiredToken" | "TokenRefreshRequired" => BucketError::ExpiredCredentials,
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException" => BucketError::OtherRegion {
            region: asked.region.to_owned(),
            message: message.to_owned(),
        },
        "NotImplemented" => BucketError::NoConditionalPut {
            detail: format!("it said {code}"),
        },
        "ConditionalRequestConflict" | "OperationAborted" => BucketError::Conflict,
        "SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" => {
            BucketError::Busy {
                endpoint,
                code: code.to_owned(),
            }
        }
        _ => return None,
    })
}

fn of_transport(failed: &HttpError, text: &str, asked: Asked<'_>) -> BucketError {
    let endpoint = asked.endpoint.to_owned();
    let detail = shortened(&deepest(failed));
    // What gives credentials is asked over HTTP, too.
    if ["169.254.", "metadata", "sts."]
        .iter()
        .any(|part| text.contains(part))
    {
        return BucketError::NoCredentials { detail };
    }
    match failed.kind() {
        HttpErrorKind::Timeout => BucketError::NoAnswer { endpoint },
        _ => BucketError::Unreachable { endpoint, detail },
    }
}

/// The failed exchange over HTTP below an error, if that is what it is.
fn transport<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a HttpError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The words of the innermost cause: those above it repeat it, and name the address.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use object_store::Error;

    use super::{Asked, BucketError, explain};

    fn explained(text: &str) -> Option<BucketError> {
        let error = Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        };
        let asked = Asked {
            endpoint: "http://store",
            region: "us-east-1",
            bucket: "games",
        };
        explain(&error, asked)
    }

    #[test]
    fn signatures_and_answers_of_a_store_are_not_repeated() {
        let answer = "Server returned non-2xx status code: 403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code>\
                      <StringToSign>AWS4</StringToSign><SignatureProvided>0123abcd</SignatureProvided></Error>";
        let text = explained(answer).unwrap().to_string();
        assert!(text.contains("lake.s3.secretAccessKey"), "{text}");
        assert!(
            !text.contains("0123abcd") && !text.contains("AWS4"),
            "{text}"
        );
    }

    #[test]
    fn what_may_pass_is_told_from_what_somebody_must_change() {
        let busy = explained("status code: 503 Service Unavailable: ").unwrap();
        assert!(busy.may_pass(), "{busy}");
        let conflict = explained("status code: 409 Conflict: ").unwrap();
        assert_eq!(conflict, BucketError::Conflict);
        let refused = explained("status code: 403 Forbidden: <Code>AccessDenied</Code>").unwrap();
        assert!(!refused.may_pass(), "{refused}");
        let other =
            explained("status code: 400 Bad Request: <Code>Odd</Code><Message>no</Message>");
        assert_eq!(
            other.unwrap().to_string(),
            "http://store answered: 400 Odd no"
        );
    }
}
