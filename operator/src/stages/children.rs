//! The objects that a pipeline is made of, and how far they have come: built, or applied.
//!
//! The status is computed from what the API server answered, so it takes `Children<Applied>`; only the apply stage makes that out of
//! `Children<Built>`.

use std::marker::PhantomData;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, Resource};
use serde_json::Value;

use super::component::Component;
use super::generated::GeneratedSecret;

/// As [`super::build`] makes them: what should be.
#[derive(Clone, Copy, Debug)]
pub struct Built;

/// As the API server answered: what is.
#[derive(Clone, Copy, Debug)]
pub struct Applied;

/// The children of one pipeline.
#[derive(Clone, Debug)]
pub struct Children<Stage> {
    secrets: Vec<GeneratedSecret>,
    objects: Vec<Child>,
    stage: PhantomData<Stage>,
}

impl Children<Built> {
    /// Puts them in the order in which they are applied: what pods mount or are named by comes before the pods.
    pub(super) fn new(mut secrets: Vec<GeneratedSecret>, mut objects: Vec<Child>) -> Self {
        secrets.sort_by(|one, other| one.name.cmp(&other.name));
        objects.sort_by_key(Child::key);
        Self {
            secrets,
            objects,
            stage: PhantomData,
        }
    }

    /// The Secrets to make, before everything else.
    pub fn secrets(&self) -> &[GeneratedSecret] {
        &self.secrets
    }

    /// What the API server answered, in place of what was built. `answers` are the objects that [`Self::objects`] gives, in any order.
    pub fn applied(self, answers: Vec<Child>) -> Children<Applied> {
        Children {
            secrets: self.secrets,
            objects: answers,
            stage: PhantomData,
        }
    }
}

impl<Stage> Children<Stage> {
    /// All objects, in the order of applying.
    pub fn objects(&self) -> &[Child] {
        &self.objects
    }

    /// The Deployment of a component, if it has one.
    pub fn deployment(&self, component: Component) -> Option<&Deployment> {
        self.objects.iter().find_map(|child| match child {
            Child::Deployment(found) if child.component() == Some(component) => Some(&**found),
            _ => None,
        })
    }

    /// The StatefulSet of a component, if it has one.
    pub fn stateful_set(&self, component: Component) -> Option<&StatefulSet> {
        self.objects.iter().find_map(|child| match child {
            Child::StatefulSet(found) if child.component() == Some(component) => Some(&**found),
            _ => None,
        })
    }
}

/// What tells two children apart, and their place in the order of applying.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChildKey {
    /// The place of its kind in the order of applying.
    order: usize,
    /// Its kind, such as `Service`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// Declares [`Child`], one variant for each kind, in the order of applying.
macro_rules! children {
    ($($(#[$doc:meta])* $kind:ident),+ $(,)?) => {
        /// One object. The variants stand in the order of applying.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Child { $($(#[$doc])* $kind(Box<$kind>)),+ }

        $(impl From<$kind> for Child {
            fn from(object: $kind) -> Self {
                Self::$kind(Box::new(object))
            }
        })+

        impl Child {
            /// The kinds in the order of applying, as the API knows them.
            pub fn kinds() -> Vec<ApiResource> {
                vec![$(ApiResource::erase::<$kind>(&())),+]
            }

            /// Its kind, as the API knows it.
            pub fn api_resource(&self) -> ApiResource {
                match self { $(Self::$kind(_) => ApiResource::erase::<$kind>(&())),+ }
            }

            /// Its kind, such as `Service`.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => stringify!($kind)),+ }
            }

            /// Its metadata.
            pub fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => object.meta()),+ }
            }

            /// Its metadata, to change.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Self::$kind(object) => object.meta_mut()),+ }
            }

            /// The whole object as JSON: what is sent to be applied.
            ///
            /// # Errors
            /// Never for what is built here; the library says so of any type.
            pub fn intent(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$kind(object) => serde_json::to_value(object)),+ }
            }

            /// An object of the same kind out of the API server's answer.
            ///
            /// # Errors
            /// When the answer is not of this kind.
            pub fn answered(&self, answer: Value) -> Result<Self, serde_json::Error> {
                Ok(match self { $(Self::$kind(_) => Self::$kind(serde_json::from_value(answer)?)),+ })
            }

            fn order(&self) -> usize {
                const KINDS: &[&str] = &[$(stringify!($kind)),+];
                KINDS.iter().position(|kind| *kind == self.kind()).unwrap_or(KINDS.len())
            }
        }
    };
}

children! {
    /// Who the pods are.
    ServiceAccount,
    /// What they mount.
    ConfigMap,
    /// The lake on a volume.
    PersistentVolumeClaim,
    /// Who may speak to them.
    NetworkPolicy,
    /// How they are found.
    Service,
    /// How many may be away at once.
    PodDisruptionBudget,
    /// Kafka and Redis.
    StatefulSet,
    /// The roles.
    Deployment,
    /// How many there are.
    HorizontalPodAutoscaler,
}

impl Child {
    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// What tells it from the others.
    pub fn key(&self) -> ChildKey {
        ChildKey {
            order: self.order(),
            kind: self.kind(),
            name: self.name().to_owned(),
        }
    }

    /// The component that it belongs to, by its label.
    pub fn component(&self) -> Option<Component> {
        let labels = self.metadata().labels.as_ref()?;
        let name = labels.get(super::build::labels::COMPONENT)?;
        Component::ALL
            .into_iter()
            .find(|component| component.as_str() == name)
    }
}
