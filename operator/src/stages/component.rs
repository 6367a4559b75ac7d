//! The components of a pipeline, and the names of what belongs to them.

use std::fmt;

use sha2::{Digest, Sha256};

/// What runs. In the order in which they need one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The nodes that keep the Kafka cluster's own data.
    KafkaController,
    /// The brokers.
    Kafka,
    /// The state store.
    Redis,
    /// What lands the log in the lake.
    Streamer,
    /// The game's API.
    Api,
    /// What answers SQL.
    Sql,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::KafkaController,
        Self::Kafka,
        Self::Redis,
        Self::Streamer,
        Self::Api,
        Self::Sql,
    ];

    /// Its name: the label `app.kubernetes.io/component`, and the end of its objects' names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KafkaController => "kafka-controller",
            Self::Kafka => "kafka",
            Self::Redis => "redis",
            Self::Streamer => "streamer",
            Self::Api => "api",
            Self::Sql => "sql",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The longest name of a child. A StatefulSet puts `-` and a hash of ten digits behind its own to label its pods, and labels have 63.
pub const MAX_NAME: usize = 52;

/// How many digits of a hash stand for what was cut off a long name.
const HASH_DIGITS: usize = 6;

/// The name of a child: `<pipeline>-<suffix>`, or with the pipeline's name cut and a hash of it when that is too long.
pub fn child_name(pipeline: &str, suffix: &str) -> String {
    let whole = format!("{pipeline}-{suffix}");
    if whole.len() <= MAX_NAME {
        return whole;
    }
    let mut hash = sha256_hex(pipeline.as_bytes());
    hash.truncate(HASH_DIGITS);
    let room = MAX_NAME.saturating_sub(suffix.len() + HASH_DIGITS + 2);
    let kept: String = pipeline.chars().take(room).collect();
    format!("{}-{hash}-{suffix}", kept.trim_end_matches('-'))
}

/// SHA-256 in hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Component, MAX_NAME, child_name};

    /// Every suffix in use; a definition's has its version in it.
    fn suffixes() -> Vec<String> {
        let others = ["kafka-nodes", "lake", "game-0123456789ab"];
        let components = Component::ALL.iter().map(|component| component.as_str());
        components.chain(others).map(str::to_owned).collect()
    }

    fn pipeline() -> impl Strategy<Value = String> {
        "[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
    }

    proptest! {
        #[test]
        fn names_are_labels_of_dns_that_fit_whatever_the_pipeline_is_called(name in pipeline()) {
            for suffix in suffixes() {
                let child = child_name(&name, &suffix);
                prop_assert!(child.len() <= MAX_NAME, "{child}");
                prop_assert!(child.ends_with(&suffix));
                prop_assert!(child.starts_with(|first: char| first.is_ascii_lowercase()));
                prop_assert!(child.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
                prop_assert_eq!(&child, &child_name(&name, &suffix));
            }
        }

        #[test]
        fn no_two_children_share_a_name(one in pipeline(), other in pipeline()) {
            let all = |name: &str| suffixes().iter().map(|suffix| child_name(name, suffix)).collect::<BTreeSet<_>>();
            let (ones, others) = (all(&one), all(&other));
            prop_assert_eq!(ones.len(), suffixes().len());
            prop_assert!(one == other || ones.is_disjoint(&others));
        }

        #[test]
        fn long_names_that_differ_at_the_end_stay_apart(start in "[a-z]{60}", one in "[a-z]{3}", other in "[a-z]{3}") {
            prop_assume!(one != other);
            prop_assert_ne!(child_name(&format!("{start}{one}"), "api"), child_name(&format!("{start}{other}"), "api"));
        }
    }

    #[test]
    fn a_pipeline_named_like_a_part_of_another_gets_other_names() {
        let names: Vec<String> = ["arena", "arena-kafka"]
            .iter()
            .flat_map(|pipeline| {
                suffixes()
                    .into_iter()
                    .map(|suffix| child_name(pipeline, &suffix))
            })
            .collect();
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
}
