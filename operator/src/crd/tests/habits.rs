//! Habits of a schema that API servers, GitOps tools and people depend on.

use serde_json::Value;

use crate::crd::status::{ConditionType, Reason};
use crate::crd::{crds, schema_of};

/// `kubectl apply` keeps the whole object in an annotation of at most 256 KiB.
const MAX_BYTES: usize = 250_000;

/// Visits every schema with its path. What is Kubernetes' own, or taken as it comes, is not ours to bound.
fn visit(schema: &Value, path: &str, check: &mut impl FnMut(&str, &Value)) {
    if path.ends_with(".tolerations") || path.ends_with(".conditions") || path == "spec.settings" {
        return;
    }
    check(path, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        visit(field, &format!("{path}.{name}"), check);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            visit(&schema[inner], &format!("{path}[]"), check);
        }
    }
}

#[test]
fn everything_is_bounded_and_explained() {
    let pipeline = crds().remove(1);
    let schema = schema_of(&pipeline);
    let mut fields = 0;
    visit(
        &schema["properties"]["spec"],
        "spec",
        &mut |path, schema| {
            fields += 1;
            let has = |name: &str| !schema[name].is_null();
            let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
            match schema["type"].as_str() {
                Some("string") => assert!(has("enum") || has("maxLength"), "{path}: no maxLength"),
                Some("integer") => assert!(has("minimum") && has("maximum"), "{path}: no range"),
                Some("array") => assert!(has("maxItems"), "{path}: no maxItems"),
                Some("object") => assert!(
                    has("properties") || has("maxProperties") || open,
                    "{path}: no maxProperties"
                ),
                Some("boolean") => {}
                _ => assert!(
                    open || schema["x-kubernetes-int-or-string"] == true,
                    "{path}: no type"
                ),
            }
            assert!(
                path.ends_with("[]") || has("description"),
                "{path}: nothing for kubectl explain"
            );
        },
    );
    assert!(fields > 100, "{fields}");
}

#[test]
fn nothing_makes_an_api_server_warn_or_a_gitops_tool_see_drift() {
    for crd in crds() {
        let text = serde_json::to_string(&crd).expect("JSON");
        assert!(
            text.len() < MAX_BYTES,
            "{}: {} bytes",
            crd.spec.names.kind,
            text.len()
        );
        assert!(
            !text.contains("uint"),
            "a format that Kubernetes doesn't know"
        );
        for empty in ["[]", "\"shortNames\":null", "\"\\n"] {
            assert!(!text.contains(&format!(":{empty}")), "{empty}");
        }
        assert!(
            !text.contains("$ref") && !text.contains("\"anyOf\""),
            "not structural"
        );
        let version = &crd.spec.versions[0];
        let columns: Vec<&str> = version
            .additional_printer_columns
            .iter()
            .flatten()
            .map(|column| column.name.as_str())
            .collect();
        assert!(
            columns.starts_with(&["Ready", "Reason"]) || columns.starts_with(&["Valid", "Reason"]),
            "{columns:?}"
        );
        assert!(
            version
                .subresources
                .as_ref()
                .is_some_and(|all| all.status.is_some())
        );
    }
}

#[test]
fn lists_of_things_with_names_are_merged_by_name() {
    let schema = schema_of(&crds().remove(1));
    let status = &schema["properties"]["status"]["properties"];
    for (field, key) in [("conditions", "type"), ("components", "name")] {
        assert_eq!(status[field]["x-kubernetes-list-type"], "map", "{field}");
        assert_eq!(
            status[field]["x-kubernetes-list-map-keys"][0], key,
            "{field}"
        );
    }
}

#[test]
fn words_are_ones_that_kubernetes_takes_as_types_and_reasons() {
    let types = ConditionType::ALL.iter().map(|word| word.as_str());
    let reasons = Reason::ALL.iter().map(|word| word.as_str());
    for word in types.chain(reasons) {
        assert!(
            word.starts_with(|first: char| first.is_ascii_uppercase()),
            "{word}"
        );
        assert!(
            word.chars().all(|letter| letter.is_ascii_alphanumeric()),
            "{word}"
        );
    }
}
