//! The API server as one namespace shows it. Every call of the stages goes through here, so that every error says what was being done, and one
//! field manager owns what is applied.

use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, ObjectList, Patch, PatchParams, PostParams,
    Preconditions,
};
use kube::core::{ApiResource, PartialObjectMeta};
use serde_json::Value;

use super::build::labels::{INSTANCE, MANAGED_BY, OPERATOR};
use super::failure::{Failure, Remedy};
use crate::crd::status::Reason;

/// Owns the fields of children.
pub const MANAGER: &str = "gamepipe-operator";
/// Owns the fields of the status.
pub const STATUS_MANAGER: &str = "gamepipe-operator-status";

/// A namespace.
#[derive(Clone)]
pub struct Namespace {
    client: Client,
    name: String,
}

impl std::fmt::Debug for Namespace {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Namespace")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What becomes of an object's dependents when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependents {
    /// They go with it.
    Deleted,
    /// They stay.
    Kept,
}

impl Namespace {
    /// The namespace of that name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An object, or none.
    ///
    /// # Errors
    /// What the API server answered, other than that there is none.
    pub async fn get(&self, kind: &ApiResource, name: &str) -> Result<Option<Value>, Failure> {
        let action = format_args!("read {} {name}", kind.kind).to_string();
        let found = self
            .api(kind)
            .get_opt(name)
            .await
            .map_err(|error| Failure::api(&action, &error))?;
        found.map(|object| json(&action, &object)).transpose()
    }

    /// All objects of a kind that have these labels.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn list(&self, kind: &ApiResource, labels: &str) -> Result<Vec<Value>, Failure> {
        let action = format!("list {}", kind.plural);
        let selected = ListParams::default().labels(labels);
        let listed = self
            .api(kind)
            .list(&selected)
            .await
            .map_err(|error| Failure::api(&action, &error))?;
        listed
            .items
            .iter()
            .map(|object| json(&action, object))
            .collect()
    }

    /// The metadata of all objects of a kind that are a pipeline's.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn list_metadata(
        &self,
        kind: &ApiResource,
        pipeline: &str,
    ) -> Result<ObjectList<PartialObjectMeta<DynamicObject>>, Failure> {
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::namespaced_with(self.client.clone(), &self.name, kind);
        let selected = ListParams::default().labels(&of_pipeline(pipeline));
        let listed = api.list(&selected).await;
        listed.map_err(|error| Failure::api(format_args!("list {}", kind.plural), &error))
    }

    /// Applies an object: its fields are the operator's from now on, whoever set them before.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn apply(
        &self,
        kind: &ApiResource,
        name: &str,
        object: &Value,
    ) -> Result<Value, Failure> {
        let action = format!("apply {} {name}", kind.kind);
        let how = PatchParams::apply(MANAGER).force().validation_strict();
        let answer = self
            .api(kind)
            .patch(name, &how, &Patch::Apply(object))
            .await;
        json(
            &action,
            &answer.map_err(|error| Failure::api(&action, &error))?,
        )
    }

    /// Applies an object's status.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn apply_status(
        &self,
        kind: &ApiResource,
        name: &str,
        object: &Value,
    ) -> Result<Value, Failure> {
        let action = format!("write the status of {} {name}", kind.kind);
        let how = PatchParams::apply(STATUS_MANAGER)
            .force()
            .validation_strict();
        let answer = self
            .api(kind)
            .patch_status(name, &how, &Patch::Apply(object))
            .await;
        json(
            &action,
            &answer.map_err(|error| Failure::api(&action, &error))?,
        )
    }

    /// Changes some fields of an object that is somebody else's.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn merge(
        &self,
        kind: &ApiResource,
        name: &str,
        fields: &Value,
    ) -> Result<(), Failure> {
        let how = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let answer = self
            .api(kind)
            .patch(name, &how, &Patch::Merge(fields))
            .await;
        answer
            .map(drop)
            .map_err(|error| Failure::api(format_args!("change {} {name}", kind.kind), &error))
    }

    /// Makes an object. `false`: there is one of that name already.
    ///
    /// # Errors
    /// What the API server answered, other than that.
    pub async fn create(
        &self,
        kind: &ApiResource,
        name: &str,
        object: Value,
    ) -> Result<bool, Failure> {
        let action = format!("create {} {name}", kind.kind);
        let object: DynamicObject =
            serde_json::from_value(object).map_err(|error| unreadable(&action, &error))?;
        let how = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        match self.api(kind).create(&how, &object).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(false),
            Err(error) => Err(Failure::api(&action, &error)),
        }
    }

    /// Deletes the object that has this uid; one of the same name that came after it stays.
    ///
    /// # Errors
    /// What the API server answered, other than that there is none.
    pub async fn delete(
        &self,
        kind: &ApiResource,
        name: &str,
        uid: &str,
        dependents: Dependents,
    ) -> Result<(), Failure> {
        let how = match dependents {
            Dependents::Deleted => DeleteParams::background(),
            Dependents::Kept => DeleteParams::orphan(),
        };
        let how = how.preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        });
        match self.api(kind).delete(name, &how).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(Failure::api(
                format_args!("delete {} {name}", kind.kind),
                &error,
            )),
        }
    }

    fn api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, kind)
    }
}

/// Selects what the operator made for a pipeline.
pub fn of_pipeline(pipeline: &str) -> String {
    format!("{INSTANCE}={pipeline},{MANAGED_BY}={OPERATOR}")
}

fn json(action: &str, object: &DynamicObject) -> Result<Value, Failure> {
    serde_json::to_value(object).map_err(|error| unreadable(action, &error))
}

/// An object that is not what its kind should be.
pub(super) fn unreadable(action: &str, error: &serde_json::Error) -> Failure {
    let message = format!("could not {action}: the object can't be read: {error}");
    Failure::new(Reason::Refused, Remedy::Change, message)
}
