//! What somebody changes while players play: images, settings, the number of brokers, the game; and what is refused or held back.

use anyhow::{Context, Result, ensure};
use gamepipe_tests::load::StubbornCrowd;
use gamepipe_tests::wait::PATIENCE;
use gamepipe_tests::wait::wait_for;

use super::handle::Pipeline;

/// The same image by another name, as a new version would be.
const NEXT: &str = "localhost/gamepipe:next";

/// The roles that run gamepipe's image.
const ROLES: [&str; 3] = ["api", "streamer", "sql"];

pub(super) fn happen(arena: &Pipeline<'_>, crowd: &StubbornCrowd) -> Result<()> {
    image(arena, crowd)?;
    settings(arena, crowd)?;
    game(arena, crowd)?;
    brokers(arena, crowd)?;
    mistakes(arena, crowd)
}

/// A new image reaches every role; one that nobody has stops nothing.
fn image(arena: &Pipeline<'_>, crowd: &StubbornCrowd) -> Result<()> {
    arena
        .cluster()
        .name_image("localhost/gamepipe:test", NEXT)?;
    arena.through("the image is changed", crowd, || {
        arena.patch(&format!("{{\"spec\": {{\"image\": \"{NEXT}\"}}}}"))
    })?;
    for role in ROLES {
        let template = &arena.child("deployment", role)?["spec"]["template"]["spec"];
        let image = &template["containers"][0]["image"];
        ensure!(image == NEXT, "{role} has the image {image}");
    }
    arena.through("an image that nobody has", crowd, || {
        arena.patch("{\"spec\": {\"image\": \"localhost/gamepipe:none\"}}")?;
        let said = arena.wait_for_reason("PodsNotReady")?;
        ensure!(said.contains("localhost/gamepipe:none"), "{said}");
        arena.patch(&format!("{{\"spec\": {{\"image\": \"{NEXT}\"}}}}"))
    })
}

/// A setting restarts the role that reads it and no other.
fn settings(arena: &Pipeline<'_>, crowd: &StubbornCrowd) -> Result<()> {
    let generations = || -> Result<Vec<serde_json::Value>> {
        let of = |role: &&str| {
            let deployment = arena.child("deployment", role)?;
            Ok(deployment["metadata"]["generation"].clone())
        };
        ROLES.iter().map(of).collect()
    };
    let before = generations()?;
    arena.through("a setting is changed", crowd, || {
        arena.patch("{\"spec\": {\"streamer\": {\"commitInterval\": \"2s\"}}}")
    })?;
    let after = generations()?;
    let changed: Vec<&str> = (0..ROLES.len())
        .filter(|role| before[*role] != after[*role])
        .map(|role| ROLES[role])
        .collect();
    ensure!(changed == ["streamer"], "restarted: {changed:?}");
    Ok(())
}

/// An addition is live without a gap; a change that players' state does not fit waits for somebody's word.
fn game(arena: &Pipeline<'_>, crowd: &StubbornCrowd) -> Result<()> {
    let patch_game =
        |patch: &str| arena.kubectl(&["patch", "game", "arena", "--type=merge", "-p", patch]);
    arena.through("the game gets a weapon", crowd, || {
        patch_game("{\"spec\": {\"catalogs\": {\"weapons\": {\"club\": {\"price\": 1, \"damage\": 1, \"success\": 0.5}}}}}")?;
        let api = arena.api()?;
        wait_for("the weapon to be sold", PATIENCE, || {
            let reply = api.get("/purchase_weapon?username=ann&weapon=club")?;
            let refused = reply.text().contains("nobody sells");
            Ok((reply.status < 500 && !refused).then_some(()))
        })
    })?;
    let maximum = |value: &str| {
        format!(
            "{{\"spec\": {{\"entities\": {{\"player\": {{\"state\": {{\"money\": {{\"maximum\": {value}}}}}}}}}}}}}"
        )
    };
    arena.through("a change of the game that data may not fit", crowd, || {
        patch_game(&maximum("1000000"))?;
        let said = arena.wait_for_reason("GameChangeRefused")?;
        ensure!(said.contains("gamepipe.dev/accept-changes"), "{said}");
        patch_game(&maximum("null"))?;
        Ok(())
    })
}

fn ask_for_brokers(arena: &Pipeline<'_>, count: u32) -> Result<()> {
    arena.patch(&format!(
        "{{\"spec\": {{\"kafka\": {{\"managed\": {{\"brokers\": {count}}}}}}}}}"
    ))
}

fn there_are_two_brokers(arena: &Pipeline<'_>) -> Result<()> {
    let ready = arena.child("statefulset", "kafka")?["status"]["readyReplicas"].clone();
    ensure!(ready == 2, "brokers: {ready}");
    Ok(())
}

/// Copies of a partition are spread over the zones that brokers say they are in.
fn brokers_know_their_zone(arena: &Pipeline<'_>) -> Result<()> {
    for broker in ["arena-kafka-0", "arena-kafka-1"] {
        let settings = ["cat", "/tmp/server.properties"];
        let said = arena.kubectl(&[&["exec", broker, "--"], &settings[..]].concat())?;
        ensure!(
            said.lines().any(|line| line == "broker.rack=here"),
            "{broker} has no zone"
        );
    }
    Ok(())
}

fn one_less_is_not_taken(arena: &Pipeline<'_>) -> Result<()> {
    let said = arena.wait_for_reason("BrokerRemovalBlocked")?;
    ensure!(said.contains("gamepipe.dev/allow-broker-removal"), "{said}");
    Ok(())
}

/// A broker more is one patch; one less needs more than that.
fn brokers(arena: &Pipeline<'_>, crowd: &StubbornCrowd) -> Result<()> {
    arena.through("a second broker", crowd, || ask_for_brokers(arena, 2))?;
    there_are_two_brokers(arena)?;
    brokers_know_their_zone(arena)?;
    arena.through("a broker less", crowd, || {
        ask_for_brokers(arena, 1)?;
        one_less_is_not_taken(arena)?;
        there_are_two_brokers(arena)?;
        ask_for_brokers(arena, 2)
    })
}

/// A pipeline that asks for fewer brokers than an earlier one of its name has left volumes is told so, and gets them all.
pub(super) fn brokers_of_kept_volumes_stay(arena: &Pipeline<'_>) -> Result<()> {
    one_less_is_not_taken(arena)?;
    ask_for_brokers(arena, 2)?;
    arena.wait_until_ready()?;
    there_are_two_brokers(arena)
}

/// What is wrong is refused by the API server, or told by a condition; nobody else is concerned.
fn mistakes(arena: &Pipeline<'_>, crowd: &StubbornCrowd) -> Result<()> {
    arena.through("mistakes", crowd, || {
        let refused = arena
            .patch("{\"spec\": {\"kafka\": {\"external\": {\"bootstrapServers\": \"k:9092\"}}}}")
            .err()
            .context("both kinds of Kafka were taken")?;
        let said = format!("{refused:#}");
        ensure!(said.contains("give exactly one of managed"), "{said}");

        let space = arena.space();
        space.cluster.apply_in(space.name, BROKEN)?;
        let broken = Pipeline::of(space, "broken");
        let said = broken.wait_for_reason("SecretNotFound")?;
        ensure!(said.contains("nowhere"), "{said}");
        broken.kubectl(&["delete", "gp", "broken"])?;
        Ok(())
    })
}

const BROKEN: &str = "
apiVersion: gamepipe.dev/v1alpha1
kind: GamePipeline
metadata: {name: broken}
spec:
  game: {name: arena}
  kafka: {external: {bootstrapServers: 'kafka.nowhere:9092'}}
  redis: {external: {urlSecret: nowhere}}
  lake: {volume: {storage: {size: 1Gi}, accessMode: ReadWriteOnce}}
";
