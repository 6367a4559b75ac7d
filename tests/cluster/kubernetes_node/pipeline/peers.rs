//! The pipeline's NetworkPolicies let only the stated peers through.

use anyhow::{Result, ensure};

use super::handle::Pipeline;

/// A stranger, and one that looks like the API's pod but never gets its requests.
const GUESTS: &str = include_str!("guests.yaml");

/// Who may connect to what: the name of the guest's pod, the port, and whether it gets through.
const DOORS: [(&str, &str, bool); 9] = [
    ("stranger", "arena-api:5000", true),
    ("stranger", "arena-sql:8080", true),
    ("stranger", "arena-redis:6379", false),
    ("stranger", "arena-kafka:9092", false),
    ("stranger", "arena-kafka-0.arena-kafka-nodes:9091", false),
    (
        "stranger",
        "arena-kafka-controller-0.arena-kafka-controller:9093",
        false,
    ),
    ("like-api", "arena-redis:6379", true),
    ("like-api", "arena-kafka:9092", true),
    (
        "like-api",
        "arena-kafka-controller-0.arena-kafka-controller:9093",
        false,
    ),
];

/// How a guest tells that nobody took its connection; a Redis or a Kafka that took it says nothing that HTTP is.
const KEPT_OUT: [&str; 3] = ["Timeout", "timeout", "refused"];

pub(super) fn only_those_named_get_through(arena: &Pipeline<'_>) -> Result<()> {
    let space = arena.space();
    space.apply(GUESTS)?;
    for guest in ["stranger", "like-api"] {
        space
            .cluster
            .wait(&format!("{guest} to run"), |_| space.ask(guest, "/"))?;
    }
    for (guest, door, is_open) in DOORS {
        space.cluster.wait(
            &format!("{guest} at {door}: let through: {is_open}"),
            |_| {
                let said = match space.ask(guest, &format!("/get?url=http://{door}/livez")) {
                    Ok(_) => String::new(),
                    Err(error) => format!("{error:#}"),
                };
                ensure!(!said.contains("no such host"), "{said}");
                let was_let_in = !KEPT_OUT.iter().any(|words| said.contains(words));
                ensure!(was_let_in == is_open, "{said:?}");
                Ok(())
            },
        )?;
    }
    space.kubectl(&["delete", "pod", "stranger", "like-api"])?;
    Ok(())
}
