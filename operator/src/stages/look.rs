//! Looks at pods: what keeps them from becoming ready, and where the streamers are. Nothing depends on it, so a look that fails shows nothing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::core::ApiResource;

use super::build::labels::COMPONENT;
use super::children::{Applied, Child, Children};
use super::component::Component;
use super::namespace::{Namespace, of_pipeline};
use super::rollout::Rollout;

/// Why a container waits when it does not wait for something that comes by itself.
const HOPELESS: [&str; 8] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

/// What keeps pods from becoming ready, by component. Asks only when a component is not ready.
pub async fn trouble(
    namespace: &Namespace,
    pipeline: &str,
    children: &Children<Applied>,
) -> BTreeMap<Component, String> {
    let is_late = |child: &Child| Rollout::of(child).is_some_and(|rollout| !rollout.is_complete());
    if !children.objects().iter().any(is_late) {
        return BTreeMap::new();
    }
    let mut found = BTreeMap::new();
    for pod in pods(namespace, &of_pipeline(pipeline)).await {
        if let Some((component, trouble)) = component(&pod).zip(trouble_of(&pod)) {
            // The first by name stands for all: one word is enough to begin with.
            found.entry(component).or_insert(trouble);
        }
    }
    found
}

/// The addresses of a component's pods that are ready.
pub async fn addresses(namespace: &Namespace, pipeline: &str, component: Component) -> Vec<String> {
    let labels = format!("{},{COMPONENT}={component}", of_pipeline(pipeline));
    let ready = |pod: &Pod| condition(pod, "Ready").is_some_and(|(status, _)| status == "True");
    let pods = pods(namespace, &labels).await;
    pods.into_iter()
        .filter(ready)
        .filter_map(|pod| pod.status?.pod_ip)
        .collect()
}

/// The pods with these labels, by name.
async fn pods(namespace: &Namespace, labels: &str) -> Vec<Pod> {
    let listed = namespace
        .list(&ApiResource::erase::<Pod>(&()), labels)
        .await;
    let objects = listed.unwrap_or_else(|failure| {
        tracing::warn!(namespace = namespace.name(), %failure, "pods can't be looked at");
        Vec::new()
    });
    let mut pods: Vec<Pod> = objects
        .into_iter()
        .filter_map(|object| serde_json::from_value(object).ok())
        .collect();
    pods.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    pods
}

fn component(pod: &Pod) -> Option<Component> {
    let name = pod.metadata.labels.as_ref()?.get(COMPONENT)?;
    Component::ALL
        .into_iter()
        .find(|component| component.as_str() == name)
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions
        .iter()
        .find(|condition| condition.type_ == kind)?;
    Some((&found.status, found.message.as_deref().unwrap_or_default()))
}

/// What is wrong with a pod, in words that stay the same while it is.
fn trouble_of(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref()?;
    if let Some(("False", message)) = condition(pod, "PodScheduled") {
        return Some(format!("no node takes the pod {name}: {message}"));
    }
    let status = pod.status.as_ref()?;
    let containers = status
        .init_container_statuses
        .iter()
        .flatten()
        .chain(status.container_statuses.iter().flatten());
    containers
        .filter_map(waiting)
        .map(|why| format!("the pod {name} does not start: {why}"))
        .next()
}

fn waiting(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting
        .reason
        .as_deref()
        .filter(|reason| HOPELESS.contains(reason))?;
    Some(match reason {
        // Its message has times in it. What the container said before it ended is in its log.
        "CrashLoopBackOff" => {
            let ended = container
                .last_state
                .as_ref()
                .and_then(|last| last.terminated.as_ref());
            let code = ended
                .map(|ended| format!(" (exit code {})", ended.exit_code))
                .unwrap_or_default();
            format!("{reason}{code}; `kubectl logs --previous` says why")
        }
        "ErrImagePull" | "ImagePullBackOff" => {
            format!(
                "the image {:?} can't be fetched: correct its name, or name imagePullSecrets that may",
                container.image
            )
        }
        _ => format!(
            "{reason}: {}",
            waiting.message.as_deref().unwrap_or_default()
        ),
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::trouble_of;

    fn waiting(reason: &str, message: &str) -> Pod {
        let status = json!({
            "name": "api", "image": "nowhere/it:1", "imageID": "", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": reason, "message": message}},
            "lastState": {"terminated": {"exitCode": 2}},
        });
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "arena-api-0"},
            "status": {"containerStatuses": [status]},
        }))
        .unwrap()
    }

    #[test]
    fn what_passes_by_itself_is_no_trouble() {
        assert_eq!(trouble_of(&waiting("ContainerCreating", "")), None);
    }

    #[test]
    fn trouble_says_what_to_do_in_words_that_do_not_change_with_time() {
        let image = trouble_of(&waiting("ImagePullBackOff", "Back-off pulling image")).unwrap();
        assert!(
            image.contains("nowhere/it:1") && image.contains("imagePullSecrets"),
            "{image}"
        );
        assert_eq!(
            Some(image),
            trouble_of(&waiting("ErrImagePull", "rpc error at 10:31"))
        );
        let crash = trouble_of(&waiting("CrashLoopBackOff", "back-off 5m0s")).unwrap();
        assert!(
            crash.contains("exit code 2") && !crash.contains("5m0s"),
            "{crash}"
        );
    }
}
