//! Files of the chart and of `manifests/` that must say the same.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::documents::yaml;
use crate::helm::{chart, root};

fn texts(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
            && name != "kustomization.yaml"
        {
            found.insert(name.into_owned(), std::fs::read_to_string(&path)?);
        }
    }
    Ok(found)
}

#[test]
fn the_chart_has_the_definitions_that_are_in_manifests() -> Result<()> {
    let ours = texts(&chart().join("files/crds"))?;
    let generated = texts(&root().join("manifests/crds"))?;
    assert!(!generated.is_empty(), "manifests/crds is empty");
    for (name, text) in &generated {
        let same = ours.get(name) == Some(text);
        assert!(
            same,
            "charts/gamepipe/files/crds/{name} is not manifests/crds/{name}: run `cargo xtask codegen`"
        );
    }
    assert_eq!(ours.len(), generated.len());
    Ok(())
}

/// Every rule that names a field, with the schema that it stands in: `(schema, path)`.
fn rules(schema: &Value, found: &mut Vec<(Value, String)>) {
    let listed = schema["x-kubernetes-validations"].as_array();
    for rule in listed.into_iter().flatten() {
        if let Some(path) = rule["fieldPath"].as_str() {
            found.push((schema.clone(), path.to_owned()));
        }
    }
    let fields = schema["properties"].as_object().into_iter().flatten();
    let inner = fields.map(|(_, field)| field);
    for below in inner.chain([&schema["items"], &schema["additionalProperties"]]) {
        if below.is_object() {
            rules(below, found);
        }
    }
}

#[test]
fn rules_point_at_fields_that_the_schema_has() -> Result<()> {
    // An API server refuses the whole definition otherwise; `metadata` has no fields there.
    for (name, text) in texts(&chart().join("files/crds"))? {
        let definition = yaml(&text)?;
        let versions = definition["spec"]["versions"].as_array();
        let mut found = Vec::new();
        for version in versions.into_iter().flatten() {
            rules(&version["schema"]["openAPIV3Schema"], &mut found);
        }
        for (schema, path) in found {
            let mut at = &schema;
            for field in path.split('.').skip(1) {
                at = &at["properties"][field];
            }
            assert!(
                at.is_object(),
                "{name}: a rule points at {path}, which its schema does not have"
            );
        }
    }
    Ok(())
}
