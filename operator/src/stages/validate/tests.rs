//! What the API server can't see: Secrets, the Game and its changes, brokers that would go.

use std::collections::BTreeMap;

use serde_json::json;

use super::{GameVerdict, judge, validate};
use crate::crd::status::Reason;
use crate::crd::{ACCEPT_CHANGES, ALLOW_BROKER_REMOVAL, Game, GamePipeline};
use crate::stages::component::Component;
use crate::stages::observed::{DeployedGame, Observed};
use crate::stages::validated::{Finding, Platform, ValidatedPipeline};
use crate::testing::{game, observed, planned, sample, stored, with};

fn check(pipeline: &GamePipeline, observed: &Observed) -> Result<ValidatedPipeline, Vec<Finding>> {
    validate(pipeline, observed, &Platform::default())
}

fn refused(pipeline: &GamePipeline, observed: &Observed) -> Vec<(Reason, String)> {
    let findings = check(pipeline, observed).expect_err("it is refused");
    findings
        .into_iter()
        .map(|finding| (finding.reason, finding.to_string()))
        .collect()
}

/// What a namespace shows in which the pipeline has run for a while.
fn running(plan: &ValidatedPipeline) -> Observed {
    let deployed = |version: &str| DeployedGame {
        version: version.to_owned(),
        complete: true,
    };
    Observed {
        definitions: plan
            .definitions
            .iter()
            .map(|(version, definition)| (version.clone(), definition.text.clone()))
            .collect(),
        deployed: BTreeMap::from([
            (Component::Streamer, deployed(&plan.landing.version)),
            (Component::Api, deployed(&plan.serving.version)),
            (Component::Sql, deployed(&plan.serving.version)),
        ]),
        ..Observed::default()
    }
}

/// The game with a change of its spec.
fn changed(path: &str, value: serde_json::Value) -> Game {
    let document = serde_json::to_value(game("arena")).expect("JSON");
    serde_json::from_value(with(&document, path, value)).expect("a resource")
}

#[test]
fn secrets_that_lack_are_told_with_the_keys_that_they_need() {
    let pipeline = stored(&sample("external"));
    let mut there = observed(&pipeline);
    assert!(check(&pipeline, &there).is_ok());
    there.secrets.remove("lake");
    there
        .secrets
        .get_mut("arena-kafka-user")
        .expect("a Secret")
        .keys
        .remove("password");
    let findings = refused(&pipeline, &there);
    assert_eq!(findings[0].0, Reason::SecretKeyMissing);
    assert!(findings[0].1.starts_with("spec.kafka.external.credentialsSecret: the Secret \"arena-kafka-user\" has no key \"password\""), "{findings:?}");
    assert_eq!(findings[1].0, Reason::SecretNotFound);
    assert!(
        findings[1].1.contains("accessKeyId and secretAccessKey"),
        "{findings:?}"
    );
}

#[test]
fn a_game_that_is_not_there_or_does_not_load_is_refused_when_nothing_runs_yet() {
    let pipeline = stored(&sample("smallest"));
    let mut there = observed(&pipeline);
    there.game = None;
    assert_eq!(refused(&pipeline, &there)[0].0, Reason::GameNotFound);
    there.game = Some(changed(
        "spec.entities.player.state.money.type",
        json!("gold"),
    ));
    let (reason, message) = refused(&pipeline, &there).remove(0);
    assert_eq!(reason, Reason::GameInvalid);
    assert!(
        message.contains("spec.entities.player.state.money.type"),
        "{message}"
    );
}

#[test]
fn a_game_that_breaks_later_changes_nothing_of_what_runs() {
    let pipeline = stored(&sample("smallest"));
    let before = planned(&sample("smallest"));
    let mut now = running(&before);
    for (broken, reason) in [
        (None, Reason::GameNotFound),
        (
            Some(changed(
                "spec.entities.player.state.money.type",
                json!("gold"),
            )),
            Reason::GameInvalid,
        ),
        (
            Some(changed(
                "spec.entities.player.state.weapon.type",
                json!("integer"),
            )),
            Reason::GameInvalid,
        ),
    ] {
        now.game = broken;
        let plan = check(&pipeline, &now).expect("it goes on");
        assert_eq!(plan.held[0].reason, reason);
        assert_eq!(
            (&plan.landing, &plan.serving),
            (&before.landing, &before.serving)
        );
    }
}

#[test]
fn a_change_that_data_does_not_fit_waits_for_somebodys_word() {
    let pipeline = stored(&sample("smallest"));
    let before = planned(&sample("smallest"));
    let mut now = running(&before);
    for (path, value) in [
        ("spec.entities.player.state.money.maximum", json!(1_000_000)),
        ("spec.topic", json!("another")),
    ] {
        let mut new = changed(path, value);
        let GameVerdict::Valid(definition) = judge(&new) else {
            panic!("{path} loads");
        };
        now.game = Some(new.clone());
        let plan = check(&pipeline, &now).expect("it goes on");
        assert_eq!(plan.held[0].reason, Reason::GameChangeRefused, "{path}");
        assert!(
            plan.held[0]
                .message
                .contains(&format!("{ACCEPT_CHANGES}={}", definition.version())),
            "{}",
            plan.held[0]
        );
        assert_eq!(plan.landing, before.landing);
        let accepted = (ACCEPT_CHANGES.to_owned(), definition.version().to_owned());
        new.metadata.annotations = Some(BTreeMap::from([accepted]));
        now.game = Some(new);
        let plan = check(&pipeline, &now).expect("it goes on");
        assert!(plan.held.is_empty(), "{:?}", plan.held);
        assert_eq!(plan.landing.version, definition.version());
    }
}

#[test]
fn a_new_definition_goes_to_the_streamers_first_and_old_ones_stay_while_pods_may_need_them() {
    let pipeline = stored(&sample("smallest"));
    let before = planned(&sample("smallest"));
    let mut now = running(&before);
    now.game = Some(changed("spec.title", json!("Arena, the second")));
    let first = check(&pipeline, &now).expect("it goes on");
    let (old, new) = (
        before.landing.version.clone(),
        first.landing.version.clone(),
    );
    assert_ne!(old, new);
    assert_eq!(first.serving.version, old, "API and SQL wait");

    // The streamers are being replaced.
    now.definitions
        .insert(new.clone(), first.landing.text.clone());
    now.deployed.insert(
        Component::Streamer,
        DeployedGame {
            version: new.clone(),
            complete: false,
        },
    );
    let second = check(&pipeline, &now).expect("it goes on");
    assert_eq!(
        (&second.landing.version, &second.serving.version),
        (&new, &old)
    );

    // They have it, and now the others follow; an old pod may still have to start again.
    now.deployed.insert(
        Component::Streamer,
        DeployedGame {
            version: new.clone(),
            complete: true,
        },
    );
    let third = check(&pipeline, &now).expect("it goes on");
    assert_eq!(third.serving.version, new);
    for role in [Component::Api, Component::Sql] {
        now.deployed.insert(
            role,
            DeployedGame {
                version: new.clone(),
                complete: false,
            },
        );
    }
    let fourth = check(&pipeline, &now).expect("it goes on");
    assert_eq!(fourth.definitions.keys().collect::<Vec<_>>().len(), 2);
    for role in [Component::Api, Component::Sql] {
        now.deployed.insert(
            role,
            DeployedGame {
                version: new.clone(),
                complete: true,
            },
        );
    }
    let last = check(&pipeline, &now).expect("it goes on");
    assert_eq!(
        last.definitions.keys().collect::<Vec<_>>(),
        [&new],
        "nobody needs the old one"
    );
}

#[test]
fn brokers_go_only_when_the_annotation_says_so() {
    let mut pipeline = stored(&with(
        &sample("production"),
        "spec.kafka.managed.brokers",
        json!(3),
    ));
    let mut there = observed(&pipeline);
    there.brokers = Some(5);
    let plan = check(&pipeline, &there).expect("it goes on");
    assert_eq!(
        (plan.brokers, plan.held[0].reason),
        (5, Reason::BrokerRemovalBlocked)
    );
    for (value, brokers) in [("4", 5), ("3", 3)] {
        let annotation = (ALLOW_BROKER_REMOVAL.to_owned(), value.to_owned());
        pipeline.metadata.annotations = Some(BTreeMap::from([annotation]));
        assert_eq!(
            check(&pipeline, &there).expect("it goes on").brokers,
            brokers,
            "{value}"
        );
    }
    there.brokers = Some(1);
    assert_eq!(
        check(&pipeline, &there).expect("it goes on").brokers,
        3,
        "more may always come"
    );
}

#[test]
fn settings_that_follow_from_the_spec_or_are_not_known_are_refused() {
    for (path, value, wanted) in [
        (
            "spec.settings.api.listen",
            json!("0.0.0.0:1"),
            "spec.settings.api.listen: the operator sets this",
        ),
        (
            "spec.settings.lake.path",
            json!("/x"),
            "spec.settings.lake: the operator sets this",
        ),
        (
            "spec.settings.log.kafka.password",
            json!("x"),
            "spec.settings.log.kafka.password: the operator sets this",
        ),
        (
            "spec.settings.sql.maxRow",
            json!(5),
            "spec.settings.sql.maxRow: unknown field `maxRow`; did you mean `maxRows`",
        ),
    ] {
        let pipeline = stored(&with(&sample("smallest"), path, value));
        let findings = refused(&pipeline, &observed(&pipeline));
        assert!(
            findings
                .iter()
                .any(|(reason, message)| *reason == Reason::SpecInvalid
                    && message.starts_with(wanted)),
            "{findings:?}"
        );
    }
}
