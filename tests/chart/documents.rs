//! The objects in a file of YAML.

use anyhow::{Context, Result};
use serde_json::Value;

/// One object, as it is written and as it is read.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// Its text, without the line that separates it from others.
    pub(crate) text: String,
    /// The object.
    pub(crate) value: Value,
}

impl Document {
    /// Its kind.
    pub(crate) fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Such as `Role games/gamepipe-operator`.
    pub(crate) fn title(&self) -> String {
        let metadata = &self.value["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        match metadata["namespace"].as_str() {
            Some(namespace) => format!("{} {namespace}/{name}", self.kind()),
            None => format!("{} {name}", self.kind()),
        }
    }

    /// The specs of the pods that it makes.
    pub(crate) fn pod(&self) -> Option<&Value> {
        match self.kind() {
            "Pod" => Some(&self.value["spec"]),
            "Deployment" => Some(&self.value["spec"]["template"]["spec"]),
            _ => None,
        }
    }
}

/// All objects of a text. What has only comments in it is none.
pub(crate) fn documents(text: &str) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    // A line of three dashes in a block of text is indented.
    for part in format!("\n{text}").split("\n---\n") {
        let value = yaml(part)?;
        if !value.is_null() {
            let text = part.trim().to_owned() + "\n";
            found.push(Document { text, value });
        }
    }
    Ok(found)
}

/// One YAML document as JSON; null when there is nothing in it.
pub(crate) fn yaml(text: &str) -> Result<Value> {
    let said = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    if !text.lines().any(said) {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).with_context(|| format!("this is no YAML:\n{text}"))
}
