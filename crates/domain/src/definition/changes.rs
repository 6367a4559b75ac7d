//! What a change of a definition means for data that is there already.
//!
//! State is stored as JSON and read by the definition of the day: a field that is new has its default, one that is gone is
//! dropped when its entity is next written. What can't be read any more would refuse every action on the entity.

use std::collections::BTreeMap;

use super::document::{GameDocument, TableSpec, ValueKind, ValueSpec};
use super::problem::join;

/// The consequences of a change for the data of a game that has been played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What stored state can't follow: entities that have it could do nothing any more.
    pub broken: Vec<String>,
    /// What is lost or may be refused, and nothing else.
    pub lossy: Vec<String>,
}

impl Changes {
    /// What changes for data of `old` under `new`, in the order of the definition. Both must be sound.
    pub fn between(old: &GameDocument, new: &GameDocument) -> Self {
        let mut changes = Self::default();
        if old.metadata.name != new.metadata.name {
            changes.broken.push(format!(
                "metadata.name: the game was {} and is {}",
                old.metadata.name, new.metadata.name
            ));
        }
        for (name, entity) in &old.spec.entities {
            let path = join("spec.entities", name);
            match new.spec.entities.get(name) {
                None => changes.broken.push(format!(
                    "{path}: it is gone, or has another name now; nothing can reach what is stored under the old one"
                )),
                Some(now) => changes.fields(&join(&path, "state"), &entity.state, &now.state),
            }
        }
        for (name, table) in &old.spec.tables {
            let path = join("spec.tables", name);
            match new.spec.tables.get(name) {
                None => changes.lossy.push(format!(
                    "{path}: it is gone; its rows stay in its folder of the lake, and SQL shows them no more"
                )),
                Some(now) => changes.columns(&path, table, now),
            }
        }
        changes
    }

    /// True when there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.broken.is_empty() && self.lossy.is_empty()
    }

    fn fields(
        &mut self,
        path: &str,
        old: &BTreeMap<String, ValueSpec>,
        new: &BTreeMap<String, ValueSpec>,
    ) {
        for (name, was) in old {
            let path = join(path, name);
            match new.get(name) {
                None => self.lossy.push(format!(
                    "{path}: it is gone; an entity's value is dropped at its next action"
                )),
                Some(is) => self.value(&path, was, is),
            }
        }
    }

    fn value(&mut self, path: &str, old: &ValueSpec, new: &ValueSpec) {
        if !reads(new.kind, old.kind) {
            let (was, is) = (old.kind.name(), new.kind.name());
            self.broken.push(format!(
                "{path}: its type was {was} and is {is}; what is stored can't be read as that"
            ));
            return;
        }
        let narrower = narrower(old, new);
        if !narrower.is_empty() {
            self.lossy.push(format!(
                "{path}: {}; an action on an entity whose value is outside is refused",
                narrower.join(", ")
            ));
        }
        if let (Some(was), Some(is)) = (&old.items, &new.items) {
            self.value(&join(path, "items"), was, is);
        }
        if let (Some(was), Some(is)) = (&old.values, &new.values) {
            self.value(&join(path, "values"), was, is);
        }
        let path = join(path, "properties");
        self.fields(&path, &old.properties, &new.properties);
        for (name, property) in &new.properties {
            if !old.properties.contains_key(name) && property.is_required() {
                self.broken.push(format!(
                    "{}: it is new and has no default, so what is stored lacks it",
                    join(&path, name)
                ));
            }
        }
    }

    fn columns(&mut self, path: &str, old: &TableSpec, new: &TableSpec) {
        for column in &old.columns {
            let is_same = |other: &&super::document::ColumnSpec| {
                other.name.eq_ignore_ascii_case(&column.name)
            };
            if new.columns.iter().find(is_same).is_none() {
                self.lossy.push(format!(
                    "{path}.columns: {} is gone; rows that have it keep it in the raw schema",
                    column.name
                ));
            }
        }
    }
}

/// True when JSON of the one kind can be read as the other.
fn reads(new: ValueKind, old: ValueKind) -> bool {
    new == old || (new, old) == (ValueKind::Number, ValueKind::Integer)
}

/// The bounds that allow less than before.
fn narrower(old: &ValueSpec, new: &ValueSpec) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, old: Option<f64>, new: Option<f64>, least: bool| {
        let Some(now) = new else { return };
        let tighter = match old {
            None => true,
            Some(was) if least => now > was,
            Some(was) => now < was,
        };
        if tighter {
            let was = old.map_or("not set".to_owned(), |was| was.to_string());
            found.push(format!("{name} was {was} and is {now}"));
        }
    };
    let wide = |value: Option<u32>| value.map(f64::from);
    compare("minimum", old.minimum, new.minimum, true);
    compare("maximum", old.maximum, new.maximum, false);
    compare(
        "minLength",
        wide(old.min_length),
        wide(new.min_length),
        true,
    );
    compare(
        "maxLength",
        wide(old.max_length),
        wide(new.max_length),
        false,
    );
    compare("maxItems", wide(old.max_items), wide(new.max_items), false);
    if old.nullable && !new.nullable {
        found.push("null was allowed and is not".to_owned());
    }
    if let Some(now) = &new.allowed {
        let gone = |value: &&serde_json::Value| !now.contains(value);
        match &old.allowed {
            None => found.push("any value was allowed, and only those of enum are".to_owned()),
            Some(was) => found.extend(
                was.iter()
                    .filter(gone)
                    .map(|value| format!("{value} is no longer in enum")),
            ),
        }
    }
    let capacity = |spec: &ValueSpec| match &spec.capacity {
        Some(super::document::Capacity::Units(units)) => Some(*units),
        _ => None,
    };
    match (capacity(old), capacity(new)) {
        (Some(was), Some(is)) if is < was => found.push(format!("capacity was {was} and is {is}")),
        (None, Some(is)) if old.capacity.is_none() => {
            found.push(format!("capacity was not set and is {is}"));
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Changes;
    use crate::definition::document::GameDocument;

    fn game(name: &str, state: serde_json::Value, tables: serde_json::Value) -> GameDocument {
        serde_json::from_value(json!({
            "apiVersion": "gamepipe.dev/v1alpha1", "kind": "Game", "metadata": {"name": name},
            "spec": {"entities": {"angler": {"state": state}}, "tables": tables},
        }))
        .expect("a document")
    }

    #[test]
    fn what_stored_state_can_follow_is_nothing_to_tell() {
        let old = game(
            "a",
            json!({"coins": {"type": "integer", "default": 1, "maximum": 5}}),
            json!({}),
        );
        let new = json!({"coins": {"type": "number", "default": 2, "maximum": 9}, "rank": {"default": "x"}});
        let table = json!({"casts": {"from": ["cast"], "columns": [{"name": "fish"}]}});
        assert!(Changes::between(&old, &game("a", new, table)).is_empty());
    }

    #[test]
    fn what_stored_state_cannot_follow_is_broken() {
        let old = game(
            "a",
            json!({"coins": {"type": "integer"}, "home": {"type": "object"}}),
            json!({}),
        );
        let new = json!({"coins": {"type": "string"}, "home": {"type": "object", "properties": {"x": {}}}});
        let changes = Changes::between(&old, &game("b", new, json!({})));
        assert_eq!(changes.broken.len(), 3, "{changes:?}");
        assert!(
            changes.broken[1]
                .contains("spec.entities.angler.state.coins: its type was integer and is string")
        );
        assert!(changes.broken[2].contains("state.home.properties.x: it is new"));
        let mut renamed = old.clone();
        let angler = renamed.spec.entities.remove("angler").expect("an entity");
        renamed.spec.entities.insert("fisher".to_owned(), angler);
        let changes = Changes::between(&old, &renamed);
        assert!(
            changes.broken[0].starts_with("spec.entities.angler: it is gone"),
            "{changes:?}"
        );
    }

    #[test]
    fn what_is_lost_or_narrower_is_told_by_name() {
        let old = game(
            "a",
            json!({
                "coins": {"type": "integer", "maximum": 100}, "name": {"nullable": true}, "old": {},
                "mood": {"enum": ["calm", "wild"]}, "catch": {"type": "bag", "capacity": 10},
            }),
            json!({"casts": {"from": ["c"], "columns": [{"name": "Fish"}, {"name": "bait"}]}, "sales": {"from": ["s"], "columns": []}}),
        );
        let new = game(
            "a",
            json!({
                "coins": {"type": "integer", "minimum": 0, "maximum": 50}, "name": {}, "mood": {"enum": ["calm", "dull"]},
                "catch": {"type": "bag", "capacity": 5},
            }),
            json!({"casts": {"from": ["c"], "columns": [{"name": "fish"}]}}),
        );
        let changes = Changes::between(&old, &new);
        assert!(changes.broken.is_empty(), "{changes:?}");
        let told = changes.lossy.join("\n");
        for part in [
            "state.coins: minimum was not set and is 0, maximum was 100 and is 50",
            "state.name: null was allowed",
            "state.old: it is gone",
            "state.mood: \"wild\" is no longer in enum",
            "state.catch: capacity was 10 and is 5",
            "spec.tables.casts.columns: bait is gone",
            "spec.tables.sales: it is gone",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
        assert_eq!(changes.lossy.len(), 7, "{told}");
    }
}
