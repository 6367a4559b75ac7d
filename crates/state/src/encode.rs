//! What every backend asks of a commit before it stores anything, and the stored forms of what the commit writes.

use gamepipe_domain::JsonMap;
use gamepipe_domain::entity::{EntityId, Version};
use gamepipe_service::clock::Clock;

use crate::format::{FormatError, entity};
use crate::store::StateError;

/// The largest commit, in bytes: a request body's limit with room to spare, a fraction of a memtable of the embedded
/// store, and a few milliseconds of Redis's one thread.
const MAX_COMMIT_BYTES: usize = 8 << 20;

/// An entity that a commit has looked at.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) id: EntityId,
    /// Its stored key.
    pub(crate) key: Vec<u8>,
    /// The version that was seen.
    pub(crate) version: Version,
}

/// An entity's stored key, its new version and its new stored form.
pub(crate) type EncodedWrite = (Vec<u8>, (Version, Vec<u8>));

/// The entities of `Commit::expected` with their stored keys.
pub(crate) fn expected(expected: Vec<(EntityId, Version)>) -> Result<Vec<Expected>, StateError> {
    let encode = |(id, version)| {
        let key = entity::encode_key(&id).map_err(invalid)?;
        Ok(Expected { id, key, version })
    };
    expected.into_iter().map(encode).collect()
}

/// The stored forms of `Commit::writes`; each must be expected and written once.
pub(crate) fn writes(
    expected: &[Expected],
    writes: &[(EntityId, JsonMap)],
) -> Result<Vec<EncodedWrite>, StateError> {
    let mut encoded: Vec<EncodedWrite> = Vec::with_capacity(writes.len());
    for (id, state) in writes {
        let name = || format!("{} {:?}", id.entity_type, id.key);
        let Some(found) = expected.iter().find(|expected| expected.id == *id) else {
            let text = format!("{} is written without an expected version", name());
            return Err(StateError::Invalid(text));
        };
        if encoded.iter().any(|(other, _)| *other == found.key) {
            return Err(StateError::Invalid(format!("{} is written twice", name())));
        }
        let version = found.version.saturating_add(1);
        let value = entity::encode_entity(version, state).map_err(invalid)?;
        encoded.push((found.key.clone(), (version, value)));
    }
    Ok(encoded)
}

/// Refuses a commit that stores more than [`MAX_COMMIT_BYTES`].
pub(crate) fn check_size(bytes: usize) -> Result<(), StateError> {
    if bytes <= MAX_COMMIT_BYTES {
        return Ok(());
    }
    let text = format!("a commit of {bytes} bytes is above the limit of {MAX_COMMIT_BYTES}");
    Err(StateError::Invalid(text))
}

/// A key or value that can't be stored is the caller's mistake.
pub(crate) fn invalid(error: FormatError) -> StateError {
    StateError::Invalid(error.to_string())
}

/// An id for a new store.
pub(crate) fn new_id(clock: &dyn Clock) -> String {
    let random = (u128::from(clock.seed()) << 64) | u128::from(clock.seed());
    let id = uuid::Builder::from_random_bytes(random.to_be_bytes());
    id.into_uuid().to_string()
}
