//! Entities: keyspace `entities`, key `<type> 0x00 <key>`, so that a type's entities lie together in key order.

use gamepipe_domain::JsonMap;
use gamepipe_domain::entity::{Entity, EntityId, Version};

use super::FormatError;
use super::bytes::Reader;
use super::value::{decode_map, encode_map};

/// Persisted: keep stable. Tag, version (8 bytes, little end first), state.
const TAG: u8 = 1;

/// The longest entity type, in bytes: a name of a definition.
const MAX_TYPE_BYTES: usize = 256;

/// The longest entity key, in bytes: four times what rules allow, far below what the storage engine can take (64 KiB).
const MAX_KEY_BYTES: usize = 1024;

/// The stored key of an entity. Types hold no zero byte; keys may.
pub(crate) fn encode_key(id: &EntityId) -> Result<Vec<u8>, FormatError> {
    let mut key = type_prefix(&id.entity_type)?;
    if id.key.is_empty() || id.key.len() > MAX_KEY_BYTES {
        return Err(key_error("an entity's key", MAX_KEY_BYTES, "", &id.key));
    }
    key.extend_from_slice(id.key.as_bytes());
    Ok(key)
}

/// What all keys of a type begin with.
pub(crate) fn type_prefix(entity_type: &str) -> Result<Vec<u8>, FormatError> {
    if entity_type.is_empty() || entity_type.len() > MAX_TYPE_BYTES || entity_type.contains('\0') {
        let rule = " and no zero byte";
        return Err(key_error(
            "an entity's type",
            MAX_TYPE_BYTES,
            rule,
            entity_type,
        ));
    }
    let mut prefix = Vec::with_capacity(entity_type.len() + 33);
    prefix.extend_from_slice(entity_type.as_bytes());
    prefix.push(0);
    Ok(prefix)
}

fn key_error(what: &'static str, max: usize, rule: &'static str, got: &str) -> FormatError {
    FormatError::Key {
        what,
        max,
        rule,
        got: got.chars().take(40).collect(),
    }
}

/// The entity behind a stored key.
pub(crate) fn decode_key(key: &[u8]) -> Result<EntityId, FormatError> {
    const WHAT: &str = "an entity's key";
    let separator = key
        .iter()
        .position(|byte| *byte == 0)
        .ok_or(FormatError::Malformed(WHAT))?;
    let (entity_type, rest) = key.split_at(separator);
    let text = |bytes: &[u8]| {
        str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| FormatError::Malformed(WHAT))
    };
    Ok(EntityId {
        entity_type: text(entity_type)?,
        key: text(rest.get(1..).unwrap_or_default())?,
    })
}

/// The stored form of an entity.
pub(crate) fn encode_entity(version: Version, state: &JsonMap) -> Result<Vec<u8>, FormatError> {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(&encode_header(version));
    encode_map(&mut out, state)?;
    Ok(out)
}

/// What the stored form of an entity of this version begins with, and no other: enough to compare versions.
pub(crate) fn encode_header(version: Version) -> [u8; 9] {
    let mut header = [TAG; 9];
    if let Some(place) = header.last_chunk_mut() {
        *place = version.to_le_bytes();
    }
    header
}

/// The entity that [`encode_entity`] stored.
pub(crate) fn decode_entity(bytes: &[u8]) -> Result<Entity, FormatError> {
    let mut reader = Reader::new(bytes, "an entity");
    reader.expect_tag(TAG)?;
    let version = u64::from_le_bytes(reader.array()?);
    let state = decode_map(&mut reader)?;
    reader.end()?;
    Ok(Entity { version, state })
}

/// Only the version: what a commit has to know of an entity.
pub(crate) fn decode_version(bytes: &[u8]) -> Result<Version, FormatError> {
    let mut reader = Reader::new(bytes, "an entity");
    reader.expect_tag(TAG)?;
    Ok(u64::from_le_bytes(reader.array()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::value::tests::any_map;
    use super::{
        Entity, EntityId, decode_entity, decode_key, decode_version, encode_entity, encode_header,
        encode_key,
    };

    fn id(entity_type: &str, key: &str) -> EntityId {
        EntityId {
            entity_type: entity_type.into(),
            key: key.into(),
        }
    }

    proptest! {
        #[test]
        fn entities_round_trip(version: u64, state in any_map()) {
            let bytes = encode_entity(version, &state).unwrap();
            prop_assert_eq!(decode_version(&bytes).unwrap(), version);
            prop_assert!(bytes.starts_with(&encode_header(version)));
            prop_assert_eq!(decode_entity(&bytes).unwrap(), Entity { version, state });
        }

        #[test]
        fn keys_round_trip(entity_type in "[^\0]{1,20}", key in "(?s).{1,20}") {
            let id = id(&entity_type, &key);
            prop_assert_eq!(decode_key(&encode_key(&id).unwrap()).unwrap(), id);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = decode_entity(&bytes);
            let _ = decode_key(&bytes);
        }
    }

    #[test]
    fn keys_that_could_be_mistaken_for_another_are_refused() {
        assert!(encode_key(&id("a\0b", "c")).is_err());
        assert!(encode_key(&id("", "c")).is_err());
        assert!(encode_key(&id("a", "")).is_err());
        assert!(encode_key(&id("a", &"k".repeat(1025))).is_err());
        assert_ne!(
            encode_key(&id("a", "b\0c")).unwrap(),
            encode_key(&id("ab", "c")).unwrap()
        );
    }
}
