//! What a request brings to a decision besides its parameters.

use serde::{Deserialize, Serialize};

/// The allow-list of request context that rules may read and events record. Never cookies or credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestContext {
    /// The `Host` header as sent, with its port.
    pub host: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The `Accept` header.
    pub accept: Option<String>,
}

/// A host without its port: `user1.att.com:8000` is `user1.att.com`; `[::1]:5000` is `[::1]`.
pub fn hostname(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::hostname;

    #[test]
    fn hostname_drops_only_the_port() {
        assert_eq!(hostname("user1.att.com:8000"), "user1.att.com");
        assert_eq!(hostname("user1.att.com"), "user1.att.com");
        assert_eq!(hostname("[::1]:5000"), "[::1]");
        assert_eq!(hostname("[::1]"), "[::1]");
    }
}
