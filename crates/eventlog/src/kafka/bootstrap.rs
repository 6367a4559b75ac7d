//! Finding brokers again. A client forgets every broker that an answer does not name, and a broker that has just started may name none. It does not go
//! back to the addresses that it began with then, and asks nobody any more (librdkafka 2.12.1, its issue 5301); so somebody else has to tell it.

use std::collections::HashMap;
use std::ffi::CString;

use rdkafka::client::Client;
use rdkafka::{ClientContext, bindings};
use serde::Deserialize;

use super::context::Context;
use super::place::Place;

/// How often a client tells what it knows, in milliseconds: a client without brokers goes on this much later.
pub(super) const TELLS_EVERY_MS: &str = "3000";

/// The part of a client's statistics that matters here: <https://github.com/confluentinc/librdkafka/blob/v2.12.1/STATISTICS.md>.
#[derive(Deserialize)]
struct Statistics {
    brokers: HashMap<String, Broker>,
}

#[derive(Deserialize)]
struct Broker {
    source: String,
}

/// True when these statistics name no broker that could be asked: neither one of the settings nor one that another has named. `None` when they can't be read.
pub(super) fn knows_none(statistics: &[u8]) -> Option<bool> {
    let Statistics { brokers } = serde_json::from_slice(statistics).ok()?;
    let is_real = |broker: &Broker| matches!(broker.source.as_str(), "configured" | "learned");
    Some(!brokers.values().any(is_real))
}

/// Tells a client where it began when it has said that it knows no broker; to be called at times.
pub(super) fn find_again<C: ClientContext>(client: &Client<C>, context: &Context, place: &Place) {
    if !context.take_lost() {
        return;
    }
    // Settings with a zero byte have made no client.
    let Ok(servers) = CString::new(place.servers.as_str()) else {
        return;
    };
    let added = add(client, &servers);
    tracing::warn!(
        kafka.servers = place.servers,
        kafka.added = added,
        "a client was told that there are no brokers, and begins with those of the settings again"
    );
}

/// How many of the servers the client has taken.
#[expect(unsafe_code, reason = "rdkafka has no safe name for this function")]
fn add<C: ClientContext>(client: &Client<C>, servers: &CString) -> i32 {
    // SAFETY: the client lives as long as the borrow, so its handle is valid; the string ends with a zero byte and is copied before the call returns; the
    // function locks what it changes and may be called from any thread (rdkafka.h).
    unsafe { bindings::rd_kafka_brokers_add(client.native_ptr(), servers.as_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::knows_none;

    #[test]
    fn only_brokers_of_the_settings_and_named_ones_can_be_asked() {
        let told = |brokers: &str| {
            knows_none(format!(r#"{{"type": "consumer", "brokers": {{{brokers}}}}}"#).as_bytes())
        };
        let broker = |source: &str| format!(r#""{source}": {{"nodeid": 1, "source": "{source}"}}"#);
        assert_eq!(told(""), Some(true));
        let inner = [broker("internal"), broker("logical")].join(",");
        assert_eq!(told(&inner), Some(true));
        for source in ["configured", "learned"] {
            assert_eq!(
                told(&[inner.as_str(), &broker(source)].join(",")),
                Some(false)
            );
        }
        assert_eq!(knows_none(b"{}"), None);
    }
}
