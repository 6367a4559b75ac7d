//! Every write refused in turn, in every way: the status says so, and the next pass heals it.

use serde_json::json;

use crate::api::HANGS;
use crate::api::call::Call;
use crate::scene::{Scene, condition};

/// The writes of the first pass, without events and the status.
async fn writes() -> Vec<String> {
    let scene = Scene::new();
    scene.pass().await;
    let writes = scene.api.writes();
    writes
        .into_iter()
        .filter(|write| !write.contains("/status"))
        .collect()
}

#[tokio::test]
async fn each_write_that_is_refused_is_told_in_the_status_and_healed_by_the_next_pass() {
    let writes = writes().await;
    assert!(writes.len() > 30, "{writes:?}");
    for code in [403, 409, 422, 500] {
        for write in &writes {
            let scene = Scene::new();
            let target = write.clone();
            scene
                .api
                .fail(move |call: &Call| (call.to_string() == target).then_some(code));
            let failed = scene.pass().await;
            let told = scene
                .pipeline()
                .status
                .unwrap_or_else(|| panic!("{code} for {write}: no status"));
            assert_eq!(told, failed.status);
            assert_eq!(condition(&failed, "Ready").0, "False", "{code} for {write}");
            // A Secret that is there already is read by the next pass; that is no failure of anybody.
            let secret = write.contains("secrets create") && code == 409;
            let wanted = match code {
                403 => "Forbidden",
                422 => "Refused",
                _ => "ApiUnavailable",
            };
            assert_eq!(condition(&failed, "Ready").1, wanted, "{code} for {write}");
            assert!(
                secret
                    || failed
                        .report
                        .failures
                        .iter()
                        .any(|failure| failure.message.contains("told to by the test")),
                "{code} for {write}"
            );
            scene.api.heal();
            let healed = scene.pass().await;
            assert_eq!(healed.report.failures, [], "{code} for {write}");
            scene.settle().await;
        }
    }
}

#[tokio::test]
async fn a_status_that_can_not_be_written_is_written_by_the_next_pass() {
    for code in [403, 409, 422, 500] {
        let scene = Scene::new();
        scene
            .api
            .fail(move |call: &Call| (call.subresource == "status").then_some(code));
        let outcome = scene.pass().await;
        assert!(outcome.unwritten.is_some());
        assert_eq!(scene.pipeline().status, None);
        scene.api.heal();
        scene.pass().await;
        assert!(scene.pipeline().status.is_some());
        scene.settle().await;
    }
}

#[tokio::test]
async fn reads_that_fail_leave_what_was_known_and_say_that_they_failed() {
    let scene = Scene::new();
    scene.settle().await;
    let resources = [
        "games",
        "secrets",
        "deployments",
        "statefulsets",
        "configmaps",
    ];
    for resource in resources {
        scene.api.fail(move |call: &Call| {
            (call.verb == "get" && call.place.resource == resource).then_some(500)
        });
        let outcome = scene.pass().await;
        assert_eq!(
            condition(&outcome, "Ready").0,
            "True",
            "{resource}: pods go on"
        );
        assert_eq!(
            condition(&outcome, "Degraded"),
            ("True".to_owned(), "ApiUnavailable".to_owned()),
            "{resource}"
        );
        assert_eq!(outcome.status.components.len(), 6);
        scene.api.heal();
        scene.settle().await;
    }
}

#[tokio::test]
async fn events_and_looks_at_pods_that_fail_change_nothing() {
    let scene = Scene::new();
    scene.api.fail(|call: &Call| {
        ["events", "pods"]
            .contains(&call.place.resource.as_str())
            .then_some(403)
    });
    let outcome = scene.pass().await;
    assert_eq!(outcome.report.failures, []);
    scene.settle().await;
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_deleted_later_when_it_can_not_be_now() {
    let scene = Scene::new();
    scene.settle().await;
    scene.edit(&json!({"spec": {"networkPolicy": {"enabled": false}}}));
    scene
        .api
        .fail(|call: &Call| (call.verb == "delete").then_some(500));
    let outcome = scene.pass().await;
    assert_eq!(condition(&outcome, "Degraded").1, "ApiUnavailable");
    assert_ne!(scene.names("networking.k8s.io", "networkpolicies"), [""; 0]);
    scene.api.heal();
    scene.settle().await;
    assert_eq!(scene.names("networking.k8s.io", "networkpolicies"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_hangs_is_given_up_and_says_so() {
    let scene = Scene::new();
    scene.settle().await;
    scene
        .api
        .fail(|call: &Call| (call.place.resource == "statefulsets").then_some(HANGS));
    let outcome = scene.pass().await;
    assert_eq!(
        condition(&outcome, "Degraded"),
        ("True".to_owned(), "TimedOut".to_owned())
    );
    assert_eq!(condition(&outcome, "Ready").0, "True", "pods go on");
    assert_eq!(scene.pipeline().status.unwrap(), outcome.status);
    scene.api.heal();
    scene.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_for_the_lag_that_hangs_shows_unknown() {
    let scene = Scene::new();
    scene.api.fail(|call: &Call| {
        (call.place.resource == "pods"
            && call
                .query("labelSelector")
                .is_some_and(|labels| labels.contains("streamer")))
        .then_some(HANGS)
    });
    let outcome = scene.settle().await;
    assert_eq!(outcome.status.lag.as_deref(), Some("unknown"));
    assert_eq!(outcome.report.failures, []);
}
