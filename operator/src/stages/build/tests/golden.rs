//! Golden files: all children of the smallest and of the production sample, by component.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::children;
use crate::stages::build::labels::{CONFIG_HASH, GAME_VERSION};
use crate::testing::{planned, sample};
use crate::yaml;

#[test]
fn children_are_as_reviewed() {
    for name in ["smallest", "production"] {
        let children = children(&sample(name));
        let version = planned(&sample(name)).landing.version.clone();
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        for child in children.objects() {
            let mut value = child.intent().expect("JSON");
            redact(&mut value);
            let component = value["metadata"]["labels"]["app.kubernetes.io/component"]
                .as_str()
                .expect("a label")
                .to_owned();
            texts
                .entry(component)
                .or_default()
                .push_str(&format!("---\n{}", yaml::write(&value)));
        }
        assert_eq!(
            texts.len(),
            if name == "smallest" { 8 } else { 7 },
            "{:?}",
            texts.keys()
        );
        for (component, text) in texts {
            let text = text.replace(&version, "(version)");
            insta::assert_snapshot!(format!("{name}_{component}"), text);
        }
    }
}

/// The definition is the game's and has tests of its own; its version, and hashes that cover it, change with it.
fn redact(value: &mut Value) {
    if value["data"]["game.json"].is_string() {
        value["data"]["game.json"] = json!("(the definition)");
    }
    let annotations = &mut value["spec"]["template"]["metadata"]["annotations"];
    if annotations[GAME_VERSION].is_string() {
        annotations[CONFIG_HASH] = json!("(a hash)");
    }
}

#[test]
fn the_same_spec_gives_the_same_bytes_in_the_order_of_applying() {
    let bytes = || {
        let children = children(&sample("production"));
        let all: Vec<Value> = children
            .objects()
            .iter()
            .map(|child| child.intent().expect("JSON"))
            .collect();
        serde_json::to_string(&all).expect("JSON")
    };
    assert_eq!(bytes(), bytes());
    let built = children(&sample("production"));
    let kinds: Vec<&str> = built.objects().iter().map(|child| child.kind()).collect();
    let place = |kind: &str| kinds.iter().position(|found| *found == kind).expect(kind);
    assert!(place("ConfigMap") < place("Service"));
    assert!(
        place("NetworkPolicy") < place("StatefulSet"),
        "nobody gets in before the policy is there"
    );
    assert!(place("StatefulSet") < place("Deployment"));
}
