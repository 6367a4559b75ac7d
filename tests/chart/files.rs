//! Files of the chart and of `manifests/` that must say the same.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

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
