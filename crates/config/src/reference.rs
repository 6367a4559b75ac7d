//! Every setting with its variable, its default and its meaning, as Markdown: `docs/reference/settings.md`. Made from the
//! settings themselves, so it can't say anything else than what is read.

use std::fmt::Write as _;

use serde_json::Value;

use crate::load::{ConfigError, to_json, variable};
use crate::settings::Settings;

const HEAD: &str = "\
# Settings

What `gamepipe up` and `gamepipe serve` read (a role of `serve` reads only the sections of what it works with): flags are stronger than variables, variables than the file of `--config`, the file than the
defaults. What is in force is printed at start, with where it came from. A name or value that is not known is an error.

The file is YAML, a section for each part:

```yaml
api: {listen: '0.0.0.0:5000', maxInFlight: 500}
sql: {maxRows: 100000}
```

Variables and flags that are no settings: `GAMEPIPE_GAME` (`--game`), `GAMEPIPE_DATA` (`--data`), `GAMEPIPE_CONFIG`
(`--config`), `GAMEPIPE_LOG` (`--log`), `GAMEPIPE_LOG_FORMAT` (`--log-format`), and for the other commands `GAMEPIPE_API`
(`--api URL`) and `GAMEPIPE_SQL` (`--sql URL`). `NO_COLOR` turns colours off.
";

/// The reference; `presumed` is what the command itself puts in the place of defaults, by path.
///
/// # Errors
/// When the settings have no form as JSON.
pub fn markdown(presumed: &[(&str, Value)]) -> Result<String, ConfigError> {
    let schema = schemars::schema_for!(Settings).to_value();
    let defaults = to_json(&Settings::default())?;
    let mut out = HEAD.to_owned();
    for (section, fields) in defaults.as_object().into_iter().flatten() {
        let spec = resolve(&schema, &schema["properties"][section]);
        let _ = write!(
            out,
            "\n## {section}\n\n{}\n\n| setting | variable | default | meaning |\n|---|---|---|---|\n",
            text(&spec["description"])
        );
        rows(&mut out, &schema, spec, fields, section, presumed);
    }
    Ok(out)
}

/// A row for each value below `fields`, whose schema is `spec` and whose path is `path`.
fn rows(
    out: &mut String,
    schema: &Value,
    spec: &Value,
    fields: &Value,
    path: &str,
    presumed: &[(&str, Value)],
) {
    for (name, default) in fields.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let property = &spec["properties"][name];
        if default.is_object() {
            rows(
                out,
                schema,
                resolve(schema, property),
                default,
                &path,
                presumed,
            );
            continue;
        }
        let presumed = presumed.iter().find(|(known, _)| *known == path);
        let default = match presumed.map_or(default, |(_, value)| value) {
            Value::String(text) => format!("`{text}`"),
            value => value.to_string(),
        };
        let choices = choices(resolve(schema, property));
        // A property's own words come before those of its type.
        let meaning = match text(&property["description"]) {
            own if own.is_empty() => text(&resolve(schema, property)["description"]),
            own => own,
        };
        let _ = writeln!(
            out,
            "| `{path}` | `{}` | {default} | {meaning}{choices} |",
            variable(&path)
        );
    }
}

/// The values that a setting may have, when they are few and named.
fn choices(spec: &Value) -> String {
    let named = spec["oneOf"].as_array().into_iter().flatten();
    let names: Vec<String> = named
        .filter_map(|choice| choice["const"].as_str())
        .map(|name| format!("`{name}`"))
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" One of {}.", names.join(", "))
}

/// What a schema refers to, or itself.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|target| target.strip_prefix("#/$defs/"));
    match name {
        Some(name) => &root["$defs"][name],
        None => schema,
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_default()
        .replace('\n', " ")
        .replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn every_setting_has_its_variable_its_default_and_a_meaning() {
        let page = markdown(&[("lake.path", "DATA/lake".into())]).unwrap();
        assert!(page.contains("| `DATA/lake` |"), "{page}");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert!(rows.len() > 30, "{page}");
        for row in &rows {
            let cells: Vec<&str> = row.split(" | ").collect();
            assert!(cells.len() == 4 && cells[3].len() > 8, "{row}");
        }
        let wanted = "| `sql.maxRows` | `GAMEPIPE_SQL_MAX_ROWS` | 10000000 | The most rows a query may return. |";
        assert!(rows.contains(&wanted), "{page}");
        assert!(page.contains("## streamer"));
    }
}
