//! Every library that ships has a licence that lets the project ship it.

use serde_json::Value;

/// Licences that may stand alone, or as one choice of an `OR`.
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages with a licence outside the list, and why that is fine.
const EXCEPTIONS: [(&str, &str); 1] =
    // Weak copyleft by file; used unmodified, below deltalake.
    [("option-ext", "MPL-2.0")];

/// Names each package whose licence expression has no allowed reading.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let name = package["name"].as_str().unwrap_or_default();
            let licence = package["license"].as_str().unwrap_or("none stated");
            (!EXCEPTIONS.contains(&(name, licence)) && !is_allowed(licence))
                .then(|| format!("{name}: licence {licence:?} is not on the list"))
        })
        .collect()
}

/// An expression holds when one side of each `OR` does, and all of its `AND`s. Parentheses only ever group `OR`s here.
fn is_allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    plain.split(" AND ").all(|part| {
        part.split(" OR ")
            .any(|choice| ALLOWED.contains(&choice.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn expressions_are_read_as_choices_and_sums() {
        assert!(is_allowed("MIT OR Apache-2.0"));
        assert!(is_allowed("MIT/GPL-3.0"));
        assert!(is_allowed("Apache-2.0 AND (MIT OR GPL-2.0)"));
        assert!(!is_allowed("GPL-3.0"));
        assert!(!is_allowed("MIT AND GPL-3.0"));
    }
}
