//! Where Redis is: the address from the settings, and a name for it that holds no secret.

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use gamepipe_config::state::RedisConfig;

use crate::store::StateError;

/// Where to connect, and with which credentials.
#[derive(Clone)]
pub(super) struct Address {
    info: ConnectionInfo,
    /// Host and port, or the socket's path: for messages.
    pub(super) shown: String,
}

impl std::fmt::Debug for Address {
    /// Without the credentials.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.shown)
    }
}

impl Address {
    /// The address in the settings.
    pub(super) fn new(config: &RedisConfig) -> Result<Self, StateError> {
        if config.url.is_empty() {
            let text = "state.redis.url is not set: where is Redis?";
            return Err(StateError::Invalid(text.to_owned()));
        }
        // The library's own message would repeat the address, password and all.
        let wrong = || {
            StateError::Invalid(
                "state.redis.url must be redis://[user[:password]@]host[:port][/db], rediss://... for TLS, or \
                 redis+unix:///path; letters such as @ and / in a password are written %40 and %2F"
                    .to_owned(),
            )
        };
        let info = config
            .url
            .as_str()
            .into_connection_info()
            .map_err(|_| wrong())?;
        let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
        if !config.password.is_empty() {
            settings = settings.set_password(&config.password);
        }
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // Two providers are compiled in, so one must be named. Fails only when that has happened already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Ok(Self::of(info.set_redis_settings(settings)))
    }

    fn of(info: ConnectionInfo) -> Self {
        let shown = match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                format!("{host}:{port}")
            }
            ConnectionAddr::Unix(path) => path.display().to_string(),
            _ => "an address of unknown kind".to_owned(),
        };
        Self { info, shown }
    }

    /// Another node of the cluster (`host:port`), reached in the same way.
    pub(super) fn of_node(&self, node: &str) -> Option<Self> {
        let (host, port) = node.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let addr = match self.info.addr() {
            // A node that does not know its own name leaves it out: the one that was asked.
            ConnectionAddr::Tcp(asked, _) => ConnectionAddr::Tcp(name_or(host, asked), port),
            ConnectionAddr::TcpTls {
                host: asked,
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host: name_or(host, asked),
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => return None,
        };
        Some(Self::of(self.info.clone().set_addr(addr)))
    }

    /// The library's client.
    pub(super) fn client(&self) -> Result<Client, redis::RedisError> {
        Client::open(self.info.clone())
    }
}

fn name_or(host: &str, asked: &str) -> String {
    if host.is_empty() { asked } else { host }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address, StateError> {
        let config = RedisConfig {
            url: url.to_owned(),
            ..RedisConfig::default()
        };
        Address::new(&config)
    }

    #[test]
    fn nothing_that_is_shown_holds_the_password() {
        let address = address("redis://ann:hunter2@example.org:7000/3").unwrap();
        assert_eq!(address.shown, "example.org:7000");
        assert_eq!(format!("{address:?}"), "example.org:7000");
        let config = RedisConfig {
            url: "redis://ann:hunter2@example.org".to_owned(),
            password: "hunter2".to_owned(),
            ..RedisConfig::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for url in [
            "",
            "example.org:6379",
            "http://a:hunter2@b",
            "redis://a:hunter2@b:x",
        ] {
            let text = address(url).unwrap_err().to_string();
            assert!(text.contains("state.redis.url"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_node_of_the_cluster_is_reached_in_the_same_way() {
        let seed = address("rediss://:secret@seed:7000").unwrap();
        assert_eq!(
            seed.of_node("10.0.0.7:7001").unwrap().shown,
            "10.0.0.7:7001"
        );
        assert_eq!(seed.of_node(":7001").unwrap().shown, "seed:7001");
        assert!(seed.of_node("nonsense").is_none());
    }
}
