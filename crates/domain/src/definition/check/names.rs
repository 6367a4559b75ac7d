//! The forms of names.

use super::Report;

/// The longest name of anything that rules, tables or URLs name, in characters.
const MAX_NAME: usize = 64;
/// What CEL can't select: `params.in` does not parse.
const UNSELECTABLE: [&str; 4] = ["true", "false", "null", "in"];
/// What CEL keeps for itself: none of these can be a variable.
const CEL_RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];
/// The variables that rules see in any case.
const RULE_VARIABLES: [&str; 4] = ["params", "context", "catalogs", "after"];

/// A name in rules and URLs: a letter, then letters, digits and `_`.
pub(super) fn identifier(report: &mut Report, path: &str, what: &str, name: &str) {
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    form(
        report,
        path,
        what,
        name,
        fits,
        "a letter, then letters, digits and `_`",
    );
}

/// A name in JSON and SQL: an identifier that may hold hyphens.
pub(super) fn hyphenated(report: &mut Report, path: &str, what: &str, name: &str) {
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    form(
        report,
        path,
        what,
        name,
        fits,
        "a letter, then letters, digits, `_` and `-`",
    );
}

fn form(report: &mut Report, path: &str, what: &str, name: &str, fits: bool, expected: &str) {
    if name.starts_with('_') {
        report.add(
            path,
            format!("{what} `{name}`: names that begin with `_` are reserved"),
        );
    } else if !fits {
        report.add(path, format!("{what} `{name}`: a name is {expected}"));
    } else if name.len() > MAX_NAME {
        report.add(
            path,
            format!("{what} `{name}`: a name has at most {MAX_NAME} characters"),
        );
    }
}

/// A field that rules select: `params.<name>`, `player.<name>`.
pub(super) fn selectable(report: &mut Report, path: &str, what: &str, name: &str) {
    identifier(report, path, what, name);
    if UNSELECTABLE.contains(&name) {
        report.add(
            path,
            format!("{what} `{name}`: CEL keeps this word for itself"),
        );
    }
}

/// A variable of rules: an entity of an action, a `let`.
pub(super) fn variable(report: &mut Report, path: &str, what: &str, name: &str) {
    selectable(report, path, what, name);
    if CEL_RESERVED.contains(&name) {
        report.add(
            path,
            format!("{what} `{name}`: CEL keeps this word for itself"),
        );
    } else if RULE_VARIABLES.contains(&name) {
        report.add(
            path,
            format!("{what} `{name}`: rules have a variable of this name already"),
        );
    }
}

/// A stable code: lower-case letters, digits and `_`.
pub(super) fn code(report: &mut Report, path: &str, code: &str) {
    let fits = code.starts_with(|first: char| first.is_ascii_lowercase())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !fits || code.len() > MAX_NAME {
        report.add(path, format!("code {code:?}: expected snake case such as `too_poor`, at most {MAX_NAME} characters"));
    }
}
