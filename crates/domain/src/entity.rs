//! Entities: keyed, versioned pieces of state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::JsonMap;

/// Which entity: its type (`player`) and its key (`alice`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityId {
    /// The entity type as the definition names it, or [`COUNTER_TYPE`].
    pub entity_type: String,
    /// The key within its type.
    pub key: String,
}

/// The reserved entity type that holds one counter per entity type, for `nextId("player")`.
/// Its state is `{"next": <integer>}`: the id that the next call returns.
pub const COUNTER_TYPE: &str = "_counter";

/// How often an entity has changed: 0 means that it does not exist, 1 is its creation.
pub type Version = u64;

/// An entity as a store holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// How often it has changed, from 1.
    pub version: Version,
    /// Its fields, as declared.
    pub state: JsonMap,
}

/// The entities that a decision may look at. An entity that was looked up and does not exist is present
/// with `None`, so that a commit can check that it still does not exist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    entities: BTreeMap<EntityId, Option<Entity>>,
}

impl Snapshot {
    /// Adds what a store answered for `id`.
    pub fn insert(&mut self, id: EntityId, entity: Option<Entity>) {
        self.entities.insert(id, entity);
    }

    /// The entity, if it was looked up and exists.
    pub fn get(&self, id: &EntityId) -> Option<&Entity> {
        self.entities.get(id)?.as_ref()
    }

    /// True when `id` was looked up, whether it exists or not.
    pub fn contains(&self, id: &EntityId) -> bool {
        self.entities.contains_key(id)
    }

    /// Everything that was looked up with its version (0: does not exist), for the version check of a commit.
    pub fn versions(&self) -> impl Iterator<Item = (&EntityId, Version)> {
        self.entities
            .iter()
            .map(|(id, entity)| (id, entity.as_ref().map_or(0, |found| found.version)))
    }
}
