//! The objects, their versions, and what writing does to them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::Place;
use super::{defaults, merge};

/// An answer that is no object: a code, a reason, a message.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) &'static str, pub(crate) String);

/// What a watch is told.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) kind: &'static str,
    pub(crate) place: Place,
    pub(crate) object: Value,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    objects: BTreeMap<Place, Value>,
    /// What each manager applied last.
    applied: BTreeMap<(Place, String), Value>,
    version: u64,
    changes: Vec<Change>,
    /// How many of the changes have been told to watches.
    told: usize,
}

type Answer = Result<Value, Refusal>;

impl Store {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The changes that watches have not been told.
    pub(crate) fn news(&mut self) -> Vec<Change> {
        let news = self.changes[self.told..].to_vec();
        self.told = self.changes.len();
        news
    }

    pub(crate) fn since(&self, version: u64) -> Vec<Change> {
        self.changes
            .iter()
            .filter(|change| change.version > version)
            .cloned()
            .collect()
    }

    pub(crate) fn get(&self, place: &Place) -> Answer {
        self.objects
            .get(place)
            .cloned()
            .ok_or_else(|| missing(place))
    }

    pub(crate) fn list(&self, collection: &Place, labels: &[(String, String)]) -> Vec<Value> {
        let is_in = |place: &Place| {
            place.group == collection.group
                && place.resource == collection.resource
                && (collection.namespace.is_empty() || place.namespace == collection.namespace)
        };
        let fits = |object: &Value| {
            labels
                .iter()
                .all(|(name, value)| object["metadata"]["labels"][name] == **value)
        };
        let found = self
            .objects
            .iter()
            .filter(|(place, object)| is_in(place) && fits(object));
        found.map(|(_, object)| object.clone()).collect()
    }

    pub(crate) fn create(&mut self, place: &Place, mut object: Value) -> Answer {
        if self.objects.contains_key(place) {
            return Err(Refusal(
                409,
                "AlreadyExists",
                format!("{} {:?} already exists", place.resource, place.name),
            ));
        }
        object["metadata"]["uid"] = json!(format!("uid-{}", self.version + 1));
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        object["metadata"]["namespace"] = json!(place.namespace);
        defaults::fill(&mut object);
        Ok(self.put(place, object, "ADDED"))
    }

    pub(crate) fn apply(&mut self, place: &Place, manager: &str, intent: Value) -> Answer {
        let owner = (place.clone(), manager.to_owned());
        let before = self
            .applied
            .insert(owner, intent.clone())
            .unwrap_or(Value::Null);
        let Some(live) = self.objects.get(place) else {
            return self.create(place, intent);
        };
        let mut object = live.clone();
        merge::apply(&mut object, &before, &intent);
        fixed(live, &object)?;
        self.update(place, object, Part::Spec)
    }

    pub(crate) fn apply_status(&mut self, place: &Place, manager: &str, intent: &Value) -> Answer {
        let mut object = self.get(place)?;
        let owner = (place.clone(), format!("{manager}/status"));
        let status = json!({"status": intent["status"]});
        let before = self
            .applied
            .insert(owner, status.clone())
            .unwrap_or(Value::Null);
        merge::apply(&mut object, &before, &status);
        self.update(place, object, Part::Status)
    }

    pub(crate) fn merge(&mut self, place: &Place, patch: &Value) -> Answer {
        let mut object = self.get(place)?;
        merge::merge(&mut object, patch);
        self.update(place, object, Part::Spec)
    }

    pub(crate) fn merge_status(&mut self, place: &Place, patch: &Value) -> Answer {
        let mut object = self.get(place)?;
        merge::merge(&mut object, patch);
        self.update(place, object, Part::Status)
    }

    pub(crate) fn replace(&mut self, place: &Place, object: Value) -> Answer {
        let live = self.get(place)?;
        if live["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
            let message =
                "the object has been modified; please apply your changes to the latest version"
                    .to_owned();
            return Err(Refusal(409, "Conflict", message));
        }
        self.update(place, object, Part::Spec)
    }

    pub(crate) fn delete(&mut self, place: &Place, options: &Value) -> Answer {
        let object = self.get(place)?;
        let wanted = &options["preconditions"]["uid"];
        if wanted.is_string() && *wanted != object["metadata"]["uid"] {
            return Err(Refusal(
                409,
                "Conflict",
                "the UID in the precondition is another one".to_owned(),
            ));
        }
        self.objects.remove(place);
        self.applied.retain(|(of, _), _| of != place);
        self.version += 1;
        self.changes.push(Change {
            version: self.version,
            kind: "DELETED",
            place: place.clone(),
            object: object.clone(),
        });
        let orphan = options["propagationPolicy"] == "Orphan";
        for child in self.owned_by(&object["metadata"]["uid"]) {
            if orphan {
                self.objects.get_mut(&child).unwrap()["metadata"]["ownerReferences"] = json!([]);
            } else {
                let _ = self.delete(&child, &Value::Null);
            }
        }
        Ok(object)
    }

    fn owned_by(&self, uid: &Value) -> Vec<Place> {
        let is_owned = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid))
        };
        let owned = self.objects.iter().filter(|(_, object)| is_owned(object));
        owned.map(|(place, _)| place.clone()).collect()
    }

    /// A write that changes nothing makes no version.
    fn update(&mut self, place: &Place, mut object: Value, part: Part) -> Answer {
        let live = &self.objects[place];
        if part == Part::Status {
            let status = object["status"].take();
            object = live.clone();
            object["status"] = status;
        } else {
            defaults::fill(&mut object);
        }
        if object == *live {
            return Ok(object);
        }
        if object["spec"] != live["spec"] {
            let generation = live["metadata"]["generation"].as_i64().unwrap_or(1);
            object["metadata"]["generation"] = json!(generation + 1);
        }
        Ok(self.put(place, object, "MODIFIED"))
    }

    fn put(&mut self, place: &Place, mut object: Value, kind: &'static str) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(place.clone(), object.clone());
        self.changes.push(Change {
            version: self.version,
            kind,
            place: place.clone(),
            object: object.clone(),
        });
        object
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Spec,
    Status,
}

fn missing(place: &Place) -> Refusal {
    Refusal(
        404,
        "NotFound",
        format!("{} {:?} not found", place.resource, place.name),
    )
}

/// What can't be changed on a StatefulSet and on an immutable ConfigMap.
fn fixed(live: &Value, object: &Value) -> Result<(), Refusal> {
    let same = |pointer: &str| live.pointer(pointer) == object.pointer(pointer);
    let statefulset = [
        "/spec/selector",
        "/spec/serviceName",
        "/spec/podManagementPolicy",
    ];
    let sizes = |object: &Value| {
        let claims = object["spec"]["volumeClaimTemplates"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        claims
            .iter()
            .map(|claim| claim["spec"]["resources"].clone())
            .collect::<Vec<_>>()
    };
    let refused = match live["kind"].as_str() {
        Some("StatefulSet") => !statefulset.into_iter().all(same) || sizes(live) != sizes(object),
        Some("ConfigMap") => live["immutable"] == true && !same("/data"),
        Some("Deployment") => !same("/spec/selector"),
        _ => false,
    };
    if refused {
        return Err(Refusal(
            422,
            "Invalid",
            "spec: Forbidden: updates to fields other than those that may change are forbidden"
                .to_owned(),
        ));
    }
    Ok(())
}
