//! From what Redis or the connection says to what a person can act on.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// An error of one request.
#[derive(Debug)]
pub(super) struct Problem {
    /// What happened and what to change.
    pub(super) text: String,
    /// True when nothing more can be asked over this connection before the server is looked at again.
    pub(super) breaks: bool,
}

/// Explains an error of the server at `place`.
pub(super) fn explain(error: &RedisError, place: &str) -> Problem {
    let (breaks, text) = match (error.kind(), error.code().unwrap_or_default()) {
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
            (true, "is a read-only replica: point state.redis.url at the primary".to_owned())
        }
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => {
            (true, "is still reading its data from disk; this ends by itself".to_owned())
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => (false, too_few_rights(error)),
        // What a script meets has no code of its own.
        (ErrorKind::Server(ServerErrorKind::ResponseError), _)
            if error.detail().is_some_and(|detail| detail.contains("user executing the script can't")) =>
        {
            (false, too_few_rights(error))
        }
        (_, "OOM") => (
            false,
            "is out of memory and took nothing: raise maxmemory, or let the relay drain the outbox".to_owned(),
        ),
        (_, "MISCONF") => (false, format!("can't write to its disk and took nothing: {error}")),
        (_, "NOREPLICAS") => {
            (false, "has too few replicas for its min-replicas-to-write and took nothing".to_owned())
        }
        (_, "BUSY") => (false, "is busy with another script and took nothing".to_owned()),
        (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS" | "NOAUTH") => (
            true,
            "refuses the user or password: correct state.redis.url or state.redis.password".to_owned(),
        ),
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => (
            true,
            "does not speak Redis's protocol: is state.redis.url the address of a Redis, and redis:// or rediss:// \
             (TLS) right?"
                .to_owned(),
        ),
        (ErrorKind::Io, _) if error.is_connection_refusal() => (
            true,
            "can't be reached: connection refused; is Redis running there, and is state.redis.url right?".to_owned(),
        ),
        (ErrorKind::Io, _) if error.to_string().contains("certificate") => (
            true,
            format!(
                "shows a TLS certificate that is not trusted here: {error}; add its authority to the system's \
                 certificates (or SSL_CERT_FILE), or correct the host's name in state.redis.url"
            ),
        ),
        (ErrorKind::Io, _) => (
            true,
            format!(
                "can't be reached, or the connection broke: {error}; is Redis running there, and is state.redis.url \
                 right (rediss:// for TLS)?"
            ),
        ),
        (ErrorKind::Server(ServerErrorKind::ResponseError), _) => (false, format!("answered: {error}")),
        _ => (true, format!("answered: {error}")),
    };
    Problem {
        text: format!("Redis at {place} {text}"),
        breaks,
    }
}

fn too_few_rights(error: &RedisError) -> String {
    let needed = "the keys {gamepipe:*, scripting, and reading and writing strings, streams, hashes and sorted sets";
    format!("refuses a command: give the user more rights (needed: {needed}): {error}")
}
