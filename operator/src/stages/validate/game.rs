//! Which definition each role gets.
//!
//! A new definition goes to the streamers first: they make its tables and know its events before an API emits one. When all of them have it, API and
//! SQL follow. A definition that does not load, or that stored data does not fit, changes nothing: the one in force stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use gamepipe_domain::definition::Game as Definition;
use gamepipe_domain::definition::changes::Changes;
use gamepipe_domain::definition::document::{API_VERSION, GameDocument, KIND};
use kube::core::ResourceExt;
use serde_json::{Value, json};

use crate::crd::pipeline::GamePipelineSpec;
use crate::crd::status::Reason;
use crate::crd::{ACCEPT_CHANGES, Game};
use crate::stages::component::Component;
use crate::stages::observed::Observed;
use crate::stages::validated::{Definition as Mounted, Finding};

/// The largest definition: a ConfigMap holds 1 MiB, its metadata included.
pub const MAX_DEFINITION_BYTES: usize = 1_000_000;

/// How many problems of a definition stand in a message; the rest is counted.
const PROBLEMS_SHOWN: usize = 5;

/// What a Game resource is worth.
#[derive(Debug)]
pub enum GameVerdict {
    /// It loads.
    Valid(Box<Definition>),
    /// It does not, for this reason.
    Invalid(Finding),
}

/// The definitions for the roles.
pub(super) struct Games {
    pub(super) landing: Arc<Mounted>,
    pub(super) serving: Arc<Mounted>,
    pub(super) kept: BTreeMap<String, Arc<Mounted>>,
}

/// Loads a Game resource as `gamepipe game check` loads its file.
pub fn judge(game: &Game) -> GameVerdict {
    let name = game.name_any();
    let document = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": game.spec.definition,
    });
    let no_files = |_: &str| {
        Err("a file can't be read from here: `gamepipe game render DIR | kubectl apply -f -` inlines it".to_owned())
    };
    match Definition::load(&format!("Game {name}"), &document.to_string(), &no_files) {
        Ok(definition) => match mounted(&definition) {
            text if text.text.len() <= MAX_DEFINITION_BYTES => {
                GameVerdict::Valid(Box::new(definition))
            }
            text => GameVerdict::Invalid(Finding::new(
                Reason::GameTooLarge,
                "spec.game",
                format!(
                    "the Game {name} has {} bytes as pods mount it, and a ConfigMap holds {MAX_DEFINITION_BYTES}; shorten catalogs or queries",
                    text.text.len()
                ),
            )),
        },
        Err(problems) => {
            // Line and column are those of a text that nobody has seen.
            let lines = problems
                .0
                .iter()
                .map(|problem| format!("{}: {}", problem.path, problem.message));
            let mut message = lines.take(PROBLEMS_SHOWN).collect::<Vec<_>>().join("; ");
            if problems.0.len() > PROBLEMS_SHOWN {
                message.push_str(&format!("; and {} more", problems.0.len() - PROBLEMS_SHOWN));
            }
            GameVerdict::Invalid(Finding::new(
                Reason::GameInvalid,
                "spec.game",
                format!("the Game {name} does not load: {message}"),
            ))
        }
    }
}

/// The definition as it is mounted.
fn mounted(definition: &Definition) -> Mounted {
    // A document is made of texts, numbers, lists and maps with text keys: there is nothing that JSON can't say.
    let text = serde_json::to_string_pretty(definition.document()).unwrap_or_default();
    Mounted {
        version: definition.version().to_owned(),
        topic: definition.topic(),
        text,
    }
}

/// The definitions that the roles get; `None` when there is none, and then `held` says why.
pub(super) fn choose(
    spec: &GamePipelineSpec,
    observed: &Observed,
    held: &mut Vec<Finding>,
) -> Option<Games> {
    let in_force = |component: Component| {
        let version = &observed.deployed.get(&component)?.version;
        read(version, observed.definitions.get(version)?)
    };
    let landing_now = in_force(Component::Streamer);
    let wanted = wanted(spec, observed, landing_now.as_ref(), held);
    let landing = Arc::new(wanted.or(landing_now)?);
    let streamers_have_it = observed
        .deployed
        .get(&Component::Streamer)
        .is_none_or(|deployed| deployed.complete && deployed.version == landing.version);
    let serving = match in_force(Component::Api).or_else(|| in_force(Component::Sql)) {
        Some(serving_now) if !streamers_have_it => Arc::new(serving_now),
        _ => Arc::clone(&landing),
    };
    let mut kept = BTreeMap::from([
        (landing.version.clone(), Arc::clone(&landing)),
        (serving.version.clone(), Arc::clone(&serving)),
    ]);
    // While pods are being replaced, one of the old ones may have to start again on another node.
    if observed
        .deployed
        .values()
        .any(|deployed| !deployed.complete)
    {
        for (version, text) in &observed.definitions {
            if let Some(old) = read(version, text) {
                kept.entry(version.clone()).or_insert_with(|| Arc::new(old));
            }
        }
    }
    Some(Games {
        landing,
        serving,
        kept,
    })
}

/// The definition of the Game resource, when it may come into force.
fn wanted(
    spec: &GamePipelineSpec,
    observed: &Observed,
    now: Option<&Mounted>,
    held: &mut Vec<Finding>,
) -> Option<Mounted> {
    let name = &spec.game.name;
    let Some(game) = &observed.game else {
        held.push(Finding::new(
            Reason::GameNotFound,
            "spec.game.name",
            format!("there is no Game {name:?} in this namespace: `gamepipe game render DIR | kubectl apply -f -` makes one"),
        ));
        return None;
    };
    let definition = match judge(game) {
        GameVerdict::Valid(definition) => definition,
        GameVerdict::Invalid(finding) => {
            held.push(finding);
            return None;
        }
    };
    let new = mounted(&definition);
    let Some(now) = now.filter(|now| now.version != new.version) else {
        return Some(new);
    };
    let accepted = game.annotations().get(ACCEPT_CHANGES) == Some(&new.version);
    let misfits = misfits(now, &definition);
    if misfits.is_empty() || accepted {
        return Some(new);
    }
    held.push(Finding::new(
        Reason::GameChangeRefused,
        "spec.game",
        format!(
            "version {} of the Game {name} does not fit the data of version {}, which stays in force: {}; put that right, or accept it with \
             `kubectl annotate game {name} {ACCEPT_CHANGES}={} --overwrite`",
            new.version,
            now.version,
            misfits.join("; "),
            new.version,
        ),
    ));
    None
}

/// What of the stored data the new definition would lose or could not read.
fn misfits(now: &Mounted, new: &Definition) -> Vec<String> {
    let Ok(old) = serde_json::from_str::<GameDocument>(&now.text) else {
        return vec![
            "what is in force was written by another release and can't be compared".to_owned(),
        ];
    };
    let changes = Changes::between(&old, new.document());
    let mut misfits: Vec<String> = changes.broken.into_iter().chain(changes.lossy).collect();
    if now.topic != new.topic() {
        misfits.push(format!(
            "spec.topic: the topic was {} and is {}; events on the old one that have not landed never would",
            now.topic,
            new.topic()
        ));
    }
    misfits
}

/// A definition as a ConfigMap holds it. It is not compiled: what another release wrote may not load any more, and still is what the data fits.
fn read(version: &str, text: &str) -> Option<Mounted> {
    let document: Value = serde_json::from_str(text).ok()?;
    let name = document["metadata"]["name"].as_str()?;
    let topic = match document["spec"]["topic"].as_str() {
        Some(topic) => topic.to_owned(),
        None => format!("{}_events", name.replace('-', "_")),
    };
    Some(Mounted {
        version: version.to_owned(),
        topic,
        text: text.to_owned(),
    })
}
