//! JSON as block YAML, for people to read: longer texts keep their lines.

use std::fmt::Write as _;

use serde_json::Value;

/// The value as a YAML document.
pub(crate) fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(_) | Value::Array(_) => block(&mut text, value, 0),
        scalar => {
            let _ = writeln!(text, "{scalar}");
        }
    }
    text
}

/// A map or list, each entry on lines of its own at this indentation.
fn block(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let _ = write!(text, "{:indent$}{}:", "", plain_or_quoted(name));
                after_name(text, value, indent + 2);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut nested = String::new();
                match item {
                    Value::Object(fields) if !fields.is_empty() => {
                        block(&mut nested, item, indent + 2)
                    }
                    other => {
                        let _ = write!(nested, "{:width$}", "", width = indent + 1);
                        after_name(&mut nested, other, indent + 2);
                    }
                }
                // The dash stands where the first line's indentation ends.
                nested.replace_range(indent..=indent, "-");
                text.push_str(&nested);
            }
        }
        _ => {}
    }
}

/// What follows `name:`: a scalar on the same line, or a block on the next ones.
fn after_name(text: &mut String, value: &Value, indent: usize) {
    let _ = match value {
        Value::Object(fields) if fields.is_empty() => writeln!(text, " {{}}"),
        Value::Array(items) if items.is_empty() => writeln!(text, " []"),
        Value::Object(_) | Value::Array(_) => {
            text.push('\n');
            block(text, value, indent);
            Ok(())
        }
        Value::String(string) if keeps_lines(string) => {
            // `|-` keeps the lines and adds none at the end.
            text.push_str(" |-\n");
            for line in string.split('\n') {
                let _ = if line.is_empty() {
                    writeln!(text)
                } else {
                    writeln!(text, "{:indent$}{line}", "")
                };
            }
            Ok(())
        }
        Value::String(string) => writeln!(text, " {}", plain_or_quoted(string)),
        scalar => writeln!(text, " {scalar}"),
    };
}

/// True for texts of several lines that a literal block holds exactly.
fn keeps_lines(text: &str) -> bool {
    let harmless = |c: char| c == '\n' || !c.is_control();
    text.contains('\n')
        && !text.ends_with('\n')
        && !text.starts_with([' ', '\n'])
        && text.chars().all(harmless)
}

/// Words stay as they are; everything that could be read as something else is quoted as JSON, which YAML reads alike.
fn plain_or_quoted(text: &str) -> String {
    const WORDS: [&str; 11] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf",
    ];
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if word {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use gamepipe_domain::definition::Game;
    use serde_json::json;

    use super::write;

    #[test]
    fn blocks_lists_and_texts_are_written_for_people() {
        let value = json!({
            "kind": "Game", "empty": {}, "list": [{"a": 1, "b": [true, "no"]}, "x: y", [1.5, []]], "sql": "select 1\n\n  from t",
        });
        let expected = "kind: Game\nempty: {}\nlist:\n  - a: 1\n    b:\n      - true\n      - \"no\"\n  - \"x: y\"\n  -\n    - 1.5\n    - []\nsql: |-\n  select 1\n\n    from t\n";
        let text = write(&value);
        let expected: std::collections::BTreeSet<&str> = expected.lines().collect();
        assert_eq!(
            text.lines().collect::<std::collections::BTreeSet<_>>(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn every_reference_game_is_the_same_game_when_rendered() {
        for name in ["arena", "guild", "market", "quest", "trade"] {
            let game = crate::games::load(name).expect("a reference game");
            let text = write(&serde_json::to_value(game.document()).expect("a document is JSON"));
            let again = Game::load("rendered.yaml", &text, &|file| {
                Err(format!("{file} is not inlined"))
            });
            let again = again.unwrap_or_else(|problems| panic!("{name}: {problems}\n{text}"));
            assert_eq!(
                serde_json::to_value(again.document()).ok(),
                serde_json::to_value(game.document()).ok()
            );
            assert_eq!(again.version(), game.version());
        }
    }
}
