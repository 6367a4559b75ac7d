//! What a server must be before anything is trusted to it, read from what it says of itself.

use std::collections::HashMap;

use gamepipe_config::state::Durability;

/// The oldest Redis whose scripts are checked for memory, replicas and disk before their first write.
const OLDEST_MAJOR: u32 = 7;

/// What `INFO` answered.
#[derive(Debug)]
pub(super) struct Info<'a>(HashMap<&'a str, &'a str>);

impl<'a> Info<'a> {
    /// Reads the lines `name:value`.
    pub(super) fn parse(text: &'a str) -> Self {
        Self(
            text.lines()
                .filter_map(|line| line.split_once(':'))
                .collect(),
        )
    }

    /// A value, empty when the server does not give it.
    pub(super) fn get(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Why this server can't hold a store of this durability, with what to change; `appendfsync` as the server has it,
    /// where it would say.
    pub(super) fn objection(
        &self,
        durability: Durability,
        appendfsync: Option<&str>,
    ) -> Option<String> {
        let version = self.get("redis_version");
        let major = version.split('.').next().and_then(|text| text.parse().ok());
        if major.is_none_or(|major: u32| major < OLDEST_MAJOR) {
            return Some(format!(
                "is Redis {version}, and {OLDEST_MAJOR}.0 or newer is needed: upgrade it"
            ));
        }
        if self.get("role") == "slave" {
            return Some(format!(
                "is a read-only replica of {}:{}: point state.redis.url at the primary",
                self.get("master_host"),
                self.get("master_port")
            ));
        }
        let policy = self.get("maxmemory_policy");
        if !policy.is_empty() && policy != "noeviction" {
            return Some(format!(
                "would throw state away when its memory is full (maxmemory-policy {policy}): \
                 set maxmemory-policy noeviction"
            ));
        }
        self.durability_objection(durability, appendfsync)
    }

    fn durability_objection(
        &self,
        durability: Durability,
        appendfsync: Option<&str>,
    ) -> Option<String> {
        if durability == Durability::None {
            return None;
        }
        if self.get("aof_enabled") == "0" {
            return Some(
                "keeps no append-only file, so a restart would lose what was acknowledged: set appendonly yes \
                 (or state.redis.durability: none, if that may be)"
                    .to_owned(),
            );
        }
        if self.get("aof_last_write_status") == "err" {
            return Some(
                "can't write its append-only file: see its log; is the disk full?".to_owned(),
            );
        }
        let (accepted, wanted): (&[&str], _) = match durability {
            Durability::Always => (&["always"], "always"),
            _ => (&["always", "everysec"], "everysec"),
        };
        match appendfsync {
            Some(policy) if !accepted.contains(&policy) => Some(format!(
                "syncs its append-only file too seldom for state.redis.durability (appendfsync {policy}): \
                 set appendfsync {wanted}, or lower the setting"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n\
                        aof_enabled:1\r\naof_last_write_status:ok\r\n";

    fn objection(
        change: (&str, &str),
        durability: Durability,
        appendfsync: Option<&str>,
    ) -> String {
        let text = GOOD.replace(change.0, change.1);
        Info::parse(&text)
            .objection(durability, appendfsync)
            .unwrap_or_default()
    }

    #[test]
    fn a_good_server_is_accepted() {
        let none = ("", "");
        assert_eq!(
            objection(none, Durability::EverySecond, Some("everysec")),
            ""
        );
        assert_eq!(objection(none, Durability::EverySecond, Some("always")), "");
        assert_eq!(objection(none, Durability::Always, Some("always")), "");
        assert_eq!(objection(none, Durability::Always, None), "");
        let no_file = ("aof_enabled:1", "aof_enabled:0");
        assert_eq!(objection(no_file, Durability::None, Some("no")), "");
    }

    #[test]
    fn every_other_server_is_refused_with_what_to_change() {
        let cases = [
            ("redis_version:7.0.15", "redis_version:6.2.1", "upgrade"),
            ("redis_version:7.0.15", "x:y", "upgrade"),
            ("role:master", "role:slave", "primary"),
            ("noeviction", "volatile-lru", "maxmemory-policy noeviction"),
            ("aof_enabled:1", "aof_enabled:0", "appendonly yes"),
            ("status:ok", "status:err", "disk full"),
        ];
        for (from, to, remedy) in cases {
            let text = objection((from, to), Durability::EverySecond, Some("everysec"));
            assert!(text.contains(remedy), "{to}: {text}");
        }
        let text = objection(("", ""), Durability::Always, Some("everysec"));
        assert!(text.contains("set appendfsync always"), "{text}");
        let text = objection(("", ""), Durability::EverySecond, Some("no"));
        assert!(text.contains("set appendfsync everysec"), "{text}");
    }
}
