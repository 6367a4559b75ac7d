//! What is known of children without asking the API server: the version of each that the watch has seen, and whether that version was found to fit.
//!
//! This is all that is kept of a child: an operator with thousands of them has no room for the objects.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::core::ApiResource;
use serde_json::Value;

/// The name of a kind of children, as labels of metrics have it.
pub fn kind_name(kind: &ApiResource) -> &'static str {
    let names = [
        "ServiceAccount",
        "ConfigMap",
        "PersistentVolumeClaim",
        "NetworkPolicy",
        "Service",
        "PodDisruptionBudget",
        "StatefulSet",
        "Deployment",
        "HorizontalPodAutoscaler",
    ];
    names
        .into_iter()
        .find(|name| *name == kind.kind)
        .unwrap_or("other")
}

/// A child.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChildRef {
    namespace: String,
    kind: &'static str,
    name: String,
}

impl ChildRef {
    /// The child of that kind and name.
    pub fn new(namespace: &str, kind: &'static str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            kind,
            name: name.to_owned(),
        }
    }
}

/// One version of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    uid: String,
    resource_version: String,
    pipeline: String,
    /// The hash of the intent that this version fits.
    fits: Option<String>,
}

/// What is known of children.
#[derive(Debug, Default)]
pub struct Known {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    children: HashMap<ChildRef, Version>,
    /// The watches that are up to date, by namespace (empty: all) and kind.
    fresh: HashSet<(String, &'static str)>,
}

impl Known {
    /// True when the newest version of the child is known and is one that fits the intent with this hash.
    pub fn is_as_verified(&self, child: &ChildRef, hash: &str) -> bool {
        let inner = self.lock();
        let watched = |scope: &str| inner.fresh.contains(&(scope.to_owned(), child.kind));
        let fits = inner
            .children
            .get(child)
            .is_some_and(|version| version.fits.as_deref() == Some(hash));
        fits && (watched("") || watched(&child.namespace))
    }

    /// The child with this metadata fits the intent with this hash.
    pub fn verified(&self, child: &ChildRef, metadata: &Value, pipeline: &str, hash: &str) {
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let version = Version {
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            pipeline: pipeline.to_owned(),
            fits: Some(hash.to_owned()),
        };
        self.lock().children.insert(child.clone(), version);
    }

    /// The watch shows a child. True when that is a version that was not known.
    pub fn seen(&self, child: ChildRef, uid: &str, resource_version: &str, pipeline: &str) -> bool {
        let mut inner = self.lock();
        let same =
            |version: &Version| version.uid == uid && version.resource_version == resource_version;
        if inner.children.get(&child).is_some_and(same) {
            return false;
        }
        let version = Version {
            uid: uid.to_owned(),
            resource_version: resource_version.to_owned(),
            pipeline: pipeline.to_owned(),
            fits: None,
        };
        inner.children.insert(child, version);
        true
    }

    /// The child is gone.
    pub fn gone(&self, child: &ChildRef) {
        self.lock().children.remove(child);
    }

    /// The watch of a kind has shown everything that there is (`shown`): what it did not show is gone. Gives the namespaces and pipelines of what is.
    pub fn complete(
        &self,
        scope: &str,
        kind: &'static str,
        shown: &HashSet<ChildRef>,
    ) -> HashSet<(String, String)> {
        let mut inner = self.lock();
        let mut bereft = HashSet::new();
        inner.children.retain(|child, version| {
            let covered = child.kind == kind && (scope.is_empty() || child.namespace == scope);
            let stays = !covered || shown.contains(child);
            if !stays {
                bereft.insert((child.namespace.clone(), version.pipeline.clone()));
            }
            stays
        });
        inner.fresh.insert((scope.to_owned(), kind));
        bereft
    }

    /// The watch of a kind works, or does not: until it does, children of that kind are read.
    pub fn set_fresh(&self, scope: &str, kind: &'static str, fresh: bool) {
        let mut inner = self.lock();
        let watch = (scope.to_owned(), kind);
        if fresh {
            inner.fresh.insert(watch);
        } else {
            inner.fresh.remove(&watch);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::{ChildRef, Known, kind_name};
    use crate::stages::children::Child;

    #[test]
    fn every_kind_of_children_has_its_name() {
        for kind in Child::kinds() {
            assert_eq!(kind_name(&kind), kind.kind);
        }
    }

    #[test]
    fn a_child_is_left_alone_only_while_its_watch_shows_the_version_that_fits() {
        let known = Known::default();
        let child = ChildRef::new("games", "Service", "arena-api");
        let metadata = json!({"uid": "u", "resourceVersion": "7"});
        known.verified(&child, &metadata, "arena", "hash");
        assert!(
            !known.is_as_verified(&child, "hash"),
            "no watch has said that 7 is the newest"
        );
        assert!(
            known
                .complete("", "Service", &HashSet::from([child.clone()]))
                .is_empty()
        );
        assert!(known.is_as_verified(&child, "hash"));
        assert!(!known.is_as_verified(&child, "another intent"));
        assert!(
            !known.seen(child.clone(), "u", "7", "arena"),
            "our own write comes back"
        );
        known.set_fresh("", "Service", false);
        assert!(!known.is_as_verified(&child, "hash"), "the watch is broken");
        known.set_fresh("", "Service", true);
        assert!(
            known.seen(child.clone(), "u", "8", "arena"),
            "an edit by hand"
        );
        assert!(!known.is_as_verified(&child, "hash"));
    }

    #[test]
    fn children_that_vanished_while_nobody_watched_are_missed() {
        let known = Known::default();
        let one = ChildRef::new("games", "Service", "one");
        let two = ChildRef::new("games", "Service", "two");
        let elsewhere = ChildRef::new("others", "Service", "one");
        for child in [&one, &two, &elsewhere] {
            known.seen(child.clone(), "u", "1", "arena");
        }
        let bereft = known.complete("games", "Service", &HashSet::from([one]));
        assert_eq!(
            bereft,
            HashSet::from([("games".to_owned(), "arena".to_owned())])
        );
        assert!(
            !known.seen(elsewhere, "u", "1", "arena"),
            "another namespace's watch says nothing of it"
        );
        assert!(known.seen(two, "u", "1", "arena"), "it was forgotten");
    }
}
