//! Makes what is there as it was built. What fits already is not written.
//!
//! A child is left alone when the watch says that it is the very version that was found to fit; else it is read and compared field by field
//! ([`compare`]), and applied only when something differs. So an unchanged pipeline costs no writes, also after a restart of the operator, and a
//! child that was deleted or edited by hand is put right.

mod compare;
mod secrets;
mod volumes;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::build::labels::{INSTANCE, MANAGED_BY, OPERATOR};
use super::children::{Applied, Built, Child, Children};
use super::component::sha256_hex;
use super::failure::{Failure, Remedy};
use super::known::{ChildRef, Known};
use super::namespace::{Namespace, unreadable};
use crate::crd::status::Reason;

/// On every child: the hash of what was applied, by which a field that is no longer wanted is noticed.
pub const INTENT: &str = "gamepipe.dev/intent";

/// How many digits of the hash stand in the annotation.
const DIGITS: usize = 16;

/// For whom children are applied.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Where they are.
    pub namespace: &'a Namespace,
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// What owned children refer to.
    pub owner: Option<&'a OwnerReference>,
    /// What is known of children.
    pub known: &'a Known,
}

/// What came of applying.
#[derive(Debug)]
pub struct Outcome {
    /// The children as the API server has them. One that could not be applied is as it was before, or missing.
    pub children: Children<Applied>,
    /// What could not be done.
    pub failures: Vec<Failure>,
    /// What somebody should be told of.
    pub notes: Vec<Note>,
    /// The id of the Kafka cluster.
    pub kafka_cluster_id: Option<String>,
}

/// Something that was done and that is told in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The event's reason.
    pub reason: &'static str,
    /// What was done and why.
    pub message: String,
}

/// Applies everything. `live` are children that have just been read.
///
/// What pods mount, are found by or guarded by comes first; when a part of it fails, the rest is left as it is. Workloads fail one by one: a
/// StatefulSet that is refused does not keep the API from being updated.
pub async fn apply(target: Target<'_>, built: Children<Built>, live: Vec<Child>) -> Outcome {
    let mut pass = Pass {
        target,
        live,
        answers: Vec::new(),
        notes: Vec::new(),
    };
    let mut failures = Vec::new();
    let mut kafka_cluster_id = None;
    for secret in built.secrets() {
        match secrets::ensure(target.namespace, target.owner, secret).await {
            Ok(id) => kafka_cluster_id = kafka_cluster_id.or(id),
            Err(failure) => failures.push(failure),
        }
    }
    let mut stopped = !failures.is_empty();
    for child in built.objects() {
        let applied = if stopped {
            Ok(pass.live_copy(child))
        } else {
            pass.child(child).await.map(Some)
        };
        pass.answers.extend(match applied {
            Ok(answer) => answer,
            Err(failure) => {
                stopped = failure.remedy == Remedy::Retry || !is_workload(child);
                failures.push(failure);
                pass.live_copy(child)
            }
        });
    }
    Outcome {
        children: built.applied(pass.answers),
        failures,
        notes: pass.notes,
        kafka_cluster_id,
    }
}

/// What comes after everything that pods need.
fn is_workload(child: &Child) -> bool {
    matches!(
        child,
        Child::StatefulSet(_) | Child::Deployment(_) | Child::HorizontalPodAutoscaler(_)
    )
}

/// One run through the children.
struct Pass<'a> {
    target: Target<'a>,
    live: Vec<Child>,
    answers: Vec<Child>,
    notes: Vec<Note>,
}

impl Pass<'_> {
    fn live_copy(&self, child: &Child) -> Option<Child> {
        self.live
            .iter()
            .find(|live| live.kind() == child.kind() && live.name() == child.name())
            .cloned()
    }

    async fn child(&mut self, child: &Child) -> Result<Child, Failure> {
        let Target {
            namespace,
            known,
            pipeline,
            ..
        } = self.target;
        let kind = child.api_resource();
        let action = format!("apply {} {}", kind.kind, child.name());
        let reference = ChildRef::new(namespace.name(), child.kind(), child.name());
        let (intent, hash) = intent(child).map_err(|error| unreadable(&action, &error))?;
        let before = self.live_copy(child);
        if before.is_none() && known.is_as_verified(&reference, &hash) {
            return Ok(child.clone());
        }
        let live = match &before {
            Some(live) => Some(live.intent().map_err(|error| unreadable(&action, &error))?),
            None => namespace.get(&kind, child.name()).await?,
        };
        let verified =
            |object: &Value| known.verified(&reference, &object["metadata"], pipeline, &hash);
        if let Some(live) = &live {
            check_owner(self.target, child, live)?;
            let differences = compare::differences(&intent, live);
            if differences.is_empty() {
                verified(live);
                return child
                    .answered(live.clone())
                    .map_err(|error| unreadable(&action, &error));
            }
            tracing::info!(
                namespace = namespace.name(),
                action,
                ?differences,
                "a child is not as it should be"
            );
            self.fixed_fields(child, live, &differences).await?;
        }
        let answer = namespace.apply(&kind, child.name(), &intent).await?;
        verified(&answer);
        child
            .answered(answer)
            .map_err(|error| unreadable(&action, &error))
    }

    /// Sees to it that a StatefulSet that is there can be applied, or says why not.
    async fn fixed_fields(
        &mut self,
        child: &Child,
        live: &Value,
        differences: &[String],
    ) -> Result<(), Failure> {
        let Child::StatefulSet(wanted) = child else {
            return Ok(());
        };
        let name = child.name();
        let paths = match volumes::change(differences) {
            volumes::Change::Apply => return Ok(()),
            volumes::Change::Impossible(paths) => return Err(volumes::impossible(name, &paths)),
            volumes::Change::Volumes(paths) => paths,
        };
        let live = serde_json::from_value(live.clone())
            .map_err(|error| unreadable(&format!("read StatefulSet {name}"), &error))?;
        let note = volumes::grow(self.target.namespace, wanted, &live, &paths).await?;
        let message = format!("the StatefulSet {name} is made anew with larger volumes");
        self.notes.push(note);
        Err(Failure::new(Reason::RollingOut, Remedy::Wait, message))
    }
}

/// The object as it is sent, with the hash of all the rest of it, and that hash.
fn intent(child: &Child) -> Result<(Value, String), serde_json::Error> {
    let mut intent = child.intent()?;
    let mut hash = sha256_hex(&serde_json::to_vec(&intent)?);
    hash.truncate(DIGITS);
    let metadata = &mut intent["metadata"];
    if metadata["annotations"].is_null() {
        metadata["annotations"] = json!({});
    }
    metadata["annotations"][INTENT] = json!(hash);
    Ok((intent, hash))
}

/// An object that somebody else made is not taken over, and one that is being deleted is waited for.
fn check_owner(target: Target<'_>, child: &Child, live: &Value) -> Result<(), Failure> {
    let (metadata, kind, name) = (&live["metadata"], child.kind(), child.name());
    if metadata["deletionTimestamp"].is_string() {
        let message =
            format!("the {kind} {name} is being deleted; it is made anew when it is gone");
        return Err(Failure::new(Reason::RollingOut, Remedy::Wait, message));
    }
    let ours = target.owner.map(|owner| owner.uid.as_str());
    let owners = metadata["ownerReferences"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if let Some(other) = owners
        .iter()
        .find(|owner| owner["controller"] == true && owner["uid"].as_str() != ours)
    {
        let message = format!(
            "the {kind} {name} belongs to the {} {}: if that is gone, it goes too and is made anew; if not, give the GamePipeline another name",
            other["kind"].as_str().unwrap_or_default(),
            other["name"].as_str().unwrap_or_default(),
        );
        return Err(Failure::new(Reason::Refused, Remedy::Wait, message));
    }
    let labels = &metadata["labels"];
    if owners.is_empty() && (labels[MANAGED_BY] != OPERATOR || labels[INSTANCE] != target.pipeline)
    {
        let message = format!(
            "there is a {kind} {name} that the operator did not make: delete it, give the GamePipeline another name, or hand it over with              `kubectl label {} {name} {MANAGED_BY}={OPERATOR} {INSTANCE}={}`",
            kind.to_lowercase(),
            target.pipeline,
        );
        return Err(Failure::new(Reason::Refused, Remedy::Change, message));
    }
    Ok(())
}
