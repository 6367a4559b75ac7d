//! From flags, environment and file to [`Settings`], and what was taken from where.
//!
//! A setting `section.fieldName` is `GAMEPIPE_SECTION_FIELD_NAME` in the environment.

use std::collections::BTreeMap;
use std::fmt;

use gamepipe_domain::definition::problem::Problems;
use gamepipe_domain::definition::{did_you_mean, read_yaml};
use serde_json::Value;

use crate::settings::Settings;

/// What every variable begins with.
pub const PREFIX: &str = "GAMEPIPE_";

/// Where values may come from, weakest last. `default` is weaker still.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// Values given as flags, by path such as `api.listen`.
    pub flags: Vec<(&'static str, Value)>,
    /// The environment; variables that do not begin with [`PREFIX`] are passed over.
    pub environment: Vec<(String, String)>,
    /// The file's name and its text.
    pub file: Option<(String, String)>,
    /// What the command itself presumes, such as directories below its data directory, by path.
    pub presumed: Vec<(&'static str, Value)>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody said otherwise.
    Default,
    /// The configuration file.
    File,
    /// A variable.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        })
    }
}

/// Why settings can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file has problems; each says where.
    #[error("{0}")]
    File(#[from] Problems),
    /// A variable names no setting.
    #[error("the environment variable {name} names no setting{hint}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// A near name, if there is one.
        hint: String,
    },
    /// A variable's value has the wrong type.
    #[error("the environment variable {name} must be {expected}, got {value:?}")]
    WrongValue {
        /// The variable.
        name: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        value: String,
    },
    /// The values do not make settings: one is out of its range.
    #[error("invalid setting: {0}")]
    Invalid(String),
}

/// The settings in force, and where each came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The values.
    pub settings: Settings,
    sources: BTreeMap<String, Source>,
}

/// Puts the layers together.
pub fn load(layers: &Layers) -> Result<Effective, ConfigError> {
    let defaults = to_json(&Settings::default())?;
    let mut values = defaults.clone();
    let mut sources = BTreeMap::new();
    for (path, value) in &layers.presumed {
        set(&mut values, path, value.clone());
    }
    if let Some((name, text)) = layers.file.as_ref().filter(|(_, text)| !is_blank(text)) {
        let schema = schemars::schema_for!(Settings).to_value();
        let file = read_yaml(name, text, &schema)?;
        for (path, value) in leaves(&file) {
            set(&mut values, &path, value);
            sources.insert(path, Source::File);
        }
    }
    for (path, value) in from_environment(&defaults, &layers.environment)? {
        set(&mut values, &path, value);
        sources.insert(path, Source::Environment);
    }
    for (path, value) in &layers.flags {
        set(&mut values, path, value.clone());
        sources.insert((*path).to_owned(), Source::Flag);
    }
    let settings =
        serde_json::from_value(values).map_err(|error| ConfigError::Invalid(error.to_string()))?;
    Ok(Effective { settings, sources })
}

impl Effective {
    /// Where the value at `path` came from.
    pub fn source(&self, path: &str) -> Source {
        self.sources.get(path).copied().unwrap_or(Source::Default)
    }

    /// A line per section, secrets masked; a value that is not the default says where it came from.
    pub fn lines(&self) -> Vec<String> {
        let Ok(values) = to_json(&self.settings) else {
            return Vec::new();
        };
        let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, value) in leaves(&values) {
            let (section, field) = path.split_once('.').unwrap_or(("", &path));
            let origin = match self.source(&path) {
                Source::Default => String::new(),
                source => format!(" ({source})"),
            };
            sections
                .entry(section.to_owned())
                .or_default()
                .push(format!("{field}={}{origin}", masked(field, &value)));
        }
        sections
            .into_iter()
            .map(|(section, fields)| format!("{section}: {}", fields.join(", ")))
            .collect()
    }
}

pub(crate) fn to_json(settings: &Settings) -> Result<Value, ConfigError> {
    serde_json::to_value(settings).map_err(|error| ConfigError::Invalid(error.to_string()))
}

/// The settings that variables name, with values of the settings' types.
fn from_environment(
    defaults: &Value,
    environment: &[(String, String)],
) -> Result<Vec<(String, Value)>, ConfigError> {
    let known: BTreeMap<String, (String, Value)> = leaves(defaults)
        .into_iter()
        .map(|(path, value)| (variable(&path), (path, value)))
        .collect();
    let sections: Vec<String> = match defaults {
        Value::Object(fields) => fields
            .keys()
            .map(|name| format!("{PREFIX}{}_", name.to_uppercase()))
            .collect(),
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (name, text) in environment {
        if let Some((path, default)) = known.get(name) {
            let value = parse(default, text).ok_or_else(|| ConfigError::WrongValue {
                name: name.clone(),
                expected: expected(default),
                value: text.clone(),
            })?;
            found.push((path.clone(), value));
        } else if sections.iter().any(|section| name.starts_with(section)) && !is_service_link(name)
        {
            let hint = did_you_mean(name, known.keys().map(String::as_str));
            return Err(ConfigError::UnknownVariable {
                name: name.clone(),
                hint,
            });
        }
    }
    Ok(found)
}

/// A file of mere comments sets nothing.
fn is_blank(text: &str) -> bool {
    text.lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// Kubernetes gives every container such variables for each service of its namespace: a service called `gamepipe-api`
/// must not stop us from starting.
fn is_service_link(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.contains("_PORT_")
}

/// `api.maxBodyBytes` is `GAMEPIPE_API_MAX_BODY_BYTES`.
pub(crate) fn variable(path: &str) -> String {
    let mut name = PREFIX.to_owned();
    for letter in path.chars() {
        match letter {
            '.' => name.push('_'),
            upper if upper.is_ascii_uppercase() => {
                name.push('_');
                name.push(upper);
            }
            lower => name.push(lower.to_ascii_uppercase()),
        }
    }
    name
}

fn parse(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::Number(_) => text.trim().parse::<u64>().ok().map(Value::from),
        Value::Bool(_) => text.trim().parse::<bool>().ok().map(Value::from),
        _ => Some(Value::from(text)),
    }
}

fn expected(default: &Value) -> &'static str {
    match default {
        Value::Number(_) => "a whole number",
        Value::Bool(_) => "true or false",
        _ => "text",
    }
}

/// Every value that is not an object, by its path.
fn leaves(value: &Value) -> Vec<(String, Value)> {
    let Value::Object(fields) = value else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Object(_) => {
                found.extend(
                    leaves(value)
                        .into_iter()
                        .map(|(path, leaf)| (format!("{name}.{path}"), leaf)),
                );
            }
            leaf => found.push((name.clone(), leaf.clone())),
        }
    }
    found
}

fn set(values: &mut Value, path: &str, value: Value) {
    let mut place = values;
    for name in path.split('.') {
        let Value::Object(fields) = place else { return };
        place = fields.entry(name).or_insert(Value::Null);
    }
    *place = value;
}

/// The value as text, or stars when its name says that it is a secret; credentials in an address are left out too.
fn masked(name: &str, value: &Value) -> String {
    const SECRET: [&str; 4] = ["password", "secret", "token", "credential"];
    let lower = name.to_lowercase();
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if SECRET.iter().any(|word| lower.contains(word)) && !text.is_empty() {
        return "***".to_owned();
    }
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
