//! Where things stand in Redis. All keys of a store share one hash tag, so a cluster keeps them in one slot and a script
//! may touch any of them.
//!
//! Persisted: keep stable. `docs/decisions/0032-redis.md` has the table.

use gamepipe_domain::entity::EntityId;

use crate::encode::{Expected, invalid};
use crate::format::{entity, idempotency};
use crate::store::{IdempotencyKey, StateError};

/// The longest store name, in bytes: a resource's name in Kubernetes has at most 253.
const MAX_NAME_BYTES: usize = 253;

/// The keys of one store.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
    /// Text, see [`super::head::Head`].
    pub(super) head: String,
    /// Hash: incarnation -> `<run id> <commit number at its begin>`.
    pub(super) runs: String,
    /// Text: what was lost; only while the head's status is `lost`.
    pub(super) lost: String,
    /// Stream: entry `<sequence>-0` with the fields `k` and `v`.
    pub(super) outbox: String,
    /// Three keys that exist only within one run of the script `open`.
    pub(super) probes: [String; 3],
}

impl Keys {
    /// The keys of the store `name`.
    pub(super) fn new(name: &str) -> Result<Self, StateError> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/".contains(letter);
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(is_plain) {
            return Err(StateError::Invalid(format!(
                "state.redis.name must have 1 to {MAX_NAME_BYTES} letters, digits or -_.:/, got {name:?}"
            )));
        }
        let prefix = format!("{{gamepipe:{name}}}");
        let key = |rest: &str| format!("{prefix}{rest}");
        Ok(Self {
            head: key("head"),
            runs: key("runs"),
            lost: key("lost"),
            outbox: key("outbox"),
            probes: [key("probe:1"), key("probe:2"), key("probe:3")],
            prefix,
        })
    }

    /// What all keys of the store begin with. No other store's keys do: the hash tag ends in it.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// String: an entity's stored form.
    pub(super) fn entity(&self, id: &EntityId) -> Result<Vec<u8>, StateError> {
        Ok(self.join("e:", &entity::encode_key(id).map_err(invalid)?))
    }

    /// The same, of an entity whose stored key is known.
    pub(super) fn expected(&self, expected: &Expected) -> Vec<u8> {
        self.join("e:", &expected.key)
    }

    /// Sorted set, all scores 0: the keys of a type's entities, in order.
    pub(super) fn index(&self, entity_type: &str) -> Result<Vec<u8>, StateError> {
        entity::type_prefix(entity_type).map_err(invalid)?;
        Ok(self.join("k:", entity_type.as_bytes()))
    }

    /// String with a lifetime: an idempotency record's stored form.
    pub(super) fn record(&self, key: &IdempotencyKey) -> Result<Vec<u8>, StateError> {
        Ok(self.join("i:", &idempotency::encode_key(key).map_err(invalid)?))
    }

    fn join(&self, kind: &str, rest: &[u8]) -> Vec<u8> {
        [self.prefix.as_bytes(), kind.as_bytes(), rest].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(entity_type: &str, key: &str) -> EntityId {
        EntityId {
            entity_type: entity_type.into(),
            key: key.into(),
        }
    }

    #[test]
    fn all_keys_of_a_store_share_its_hash_tag() {
        let keys = Keys::new("arena").unwrap();
        let record = IdempotencyKey {
            action: "buy".into(),
            key: "}{".into(),
        };
        for key in [
            keys.head.clone().into_bytes(),
            keys.outbox.clone().into_bytes(),
            keys.entity(&id("player", "a}b{c")).unwrap(),
            keys.index("player").unwrap(),
            keys.record(&record).unwrap(),
        ] {
            assert!(key.starts_with(b"{gamepipe:arena}"), "{key:?}");
        }
    }

    #[test]
    fn names_that_would_break_the_hash_tag_are_refused() {
        for name in ["", "a}b", "a b", "{", "é", "x\n"] {
            assert!(Keys::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn entities_records_and_indexes_never_share_a_key() {
        let keys = Keys::new("x").unwrap();
        assert_ne!(
            keys.entity(&id("a", "b")).unwrap(),
            keys.index("a\u{1}b").unwrap()
        );
        assert!(keys.index("a\0b").is_err());
    }
}
