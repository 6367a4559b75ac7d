//! `X-Trino-*` and, for older clients, `X-Presto-*`: a session in a request, its changes in a reply.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::engine::SessionChange;
use crate::session::Session;
use crate::{DEFAULT_CATALOG, DEFAULT_SCHEMA};

/// Which names a client's headers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    Trino,
    Presto,
}

impl Prefix {
    /// The one that a request uses; `None` when it uses both, which no client does.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let has = |prefix: &str| headers.keys().any(|name| name.as_str().starts_with(prefix));
        match (has("x-trino-"), has("x-presto-")) {
            (true, true) => None,
            (false, true) => Some(Self::Presto),
            _ => Some(Self::Trino),
        }
    }

    fn name(self, suffix: &str) -> String {
        match self {
            Self::Trino => format!("x-trino-{suffix}"),
            Self::Presto => format!("x-presto-{suffix}"),
        }
    }
}

/// What a request's headers say.
#[derive(Debug, Clone)]
pub(crate) struct ClientHeaders {
    pub(crate) session: Session,
    pub(crate) timeout: Option<Duration>,
    /// The client knows times with a precision of their own.
    pub(crate) knows_precision: bool,
}

/// Reads a session; the error says which header is wrong.
pub(crate) fn read(headers: &HeaderMap, prefix: Prefix) -> Result<ClientHeaders, String> {
    let one = |suffix: &str| {
        let value = headers
            .get(prefix.name(suffix))
            .and_then(|value| value.to_str().ok());
        value
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let properties = pairs(headers, &prefix.name("session"))?;
    let prepared = pairs(headers, &prefix.name("prepared-statement"))?;
    let zone = properties
        .get("time_zone_id")
        .cloned()
        .or_else(|| one("time-zone"));
    let zone = zone.filter(|zone| zone.parse::<arrow::array::timezone::Tz>().is_ok());
    let lower = |name: String| name.to_lowercase();
    let session = Session {
        catalog: one("catalog").map_or_else(|| DEFAULT_CATALOG.to_owned(), lower),
        schema: one("schema").map_or_else(|| DEFAULT_SCHEMA.to_owned(), lower),
        user: one("user").unwrap_or_else(|| "anonymous".to_owned()),
        source: one("source").unwrap_or_default(),
        time_zone: zone.unwrap_or_else(|| "UTC".to_owned()),
        properties,
        prepared,
    };
    let timeout = session
        .properties
        .get("query_max_run_time")
        .map(|text| duration(text))
        .transpose()?;
    let capabilities = one("client-capabilities").unwrap_or_default();
    let knows_precision = capabilities
        .split(',')
        .any(|one| one.trim() == "PARAMETRIC_DATETIME");
    Ok(ClientHeaders {
        session,
        timeout,
        knows_precision,
    })
}

/// `name=value` pairs, percent-encoded, in one or several headers.
fn pairs(headers: &HeaderMap, name: &str) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| format!("{name} is not ASCII"))?;
        for pair in text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("{name}: {pair:?} is not name=value"))?;
            all.insert(decode(key).to_lowercase(), decode(value));
        }
    }
    Ok(all)
}

/// Undoes percent-encoding; `+` is a space, as Java's encoder writes it.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                let digits = String::from_utf8_lossy(&digits).into_owned();
                out.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encodes all but letters, digits and `-_.`.
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A duration such as `1.50m`, as Trino writes them.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 10s or 5.00m");
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .ok_or_else(wrong)?;
    let (number, unit) = (
        text.get(..split).unwrap_or_default(),
        text.get(split..).unwrap_or_default(),
    );
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

/// Says in a reply what the client should remember.
pub(crate) fn write(changes: &[SessionChange], prefix: Prefix, headers: &mut HeaderMap) {
    for change in changes {
        let (suffix, value) = match change {
            SessionChange::Catalog(name) => ("set-catalog", encode(name)),
            SessionChange::Schema(name) => ("set-schema", encode(name)),
            SessionChange::SetProperty(name, value) => {
                ("set-session", format!("{}={}", encode(name), encode(value)))
            }
            SessionChange::ClearProperty(name) => ("clear-session", encode(name)),
            SessionChange::AddPrepared(name, sql) => {
                ("added-prepare", format!("{}={}", encode(name), encode(sql)))
            }
            SessionChange::RemovePrepared(name) => ("deallocated-prepare", encode(name)),
            SessionChange::StartTransaction(id) => ("started-transaction-id", encode(id)),
            SessionChange::ClearTransaction => ("clear-transaction-id", "true".to_owned()),
        };
        let name = HeaderName::try_from(prefix.name(suffix));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::{HeaderMap, HeaderValue};

    use super::{Prefix, decode, duration, encode, read};

    #[test]
    fn sessions_are_read_from_either_kind_of_header() {
        let mut headers = HeaderMap::new();
        headers.insert("x-presto-user", HeaderValue::from_static("ann"));
        headers.insert("x-presto-schema", HeaderValue::from_static("Arena"));
        headers.append(
            "x-presto-session",
            HeaderValue::from_static("query_max_run_time=10s,a=b%3Dc"),
        );
        let prefix = Prefix::of(&headers).unwrap();
        let read = read(&headers, prefix).unwrap();
        assert_eq!(
            (read.session.user.as_str(), read.session.schema.as_str()),
            ("ann", "arena")
        );
        assert_eq!(read.session.properties["a"], "b=c");
        assert_eq!(read.timeout, Some(Duration::from_secs(10)));
        headers.insert("x-trino-user", HeaderValue::from_static("ann"));
        assert_eq!(Prefix::of(&headers), None);
    }

    #[test]
    fn values_survive_their_encoding() {
        let text = "SELECT 'é' || \"a\" FROM t WHERE x = ? -- 100%";
        assert_eq!(decode(&encode(text)), text);
        assert_eq!(duration("1.50m"), Ok(Duration::from_secs(90)));
        assert!(duration("soon").is_err());
    }
}
