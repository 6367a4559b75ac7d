//! What the shell completes: keywords, tables, columns, named queries and its own commands.

use rustyline::completion::{Completer, Pair};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Highlighter, Hinter};

use super::split;

/// The words of SQL that are worth completing.
const KEYWORDS: [&str; 40] = [
    "select",
    "from",
    "where",
    "group by",
    "order by",
    "having",
    "limit",
    "distinct",
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "case",
    "when",
    "then",
    "else",
    "end",
    "join",
    "left join",
    "on",
    "using",
    "and",
    "or",
    "not",
    "in",
    "between",
    "like",
    "is null",
    "is not null",
    "as",
    "desc",
    "asc",
    "with",
    "union all",
    "show tables",
    "describe",
    "explain",
    "cast",
    "interval",
];
/// The shell's own commands.
pub(crate) const COMMANDS: [&str; 7] = [
    "\\?",
    "\\d",
    "\\format",
    "\\q",
    "\\queries",
    "\\run",
    "\\timing",
];

/// Completion and the rule for when a line is complete.
#[derive(Debug, Default, Helper, Hinter, Highlighter)]
pub(crate) struct ShellHelper {
    /// Tables, columns and named queries.
    pub(crate) names: Vec<String>,
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let head = line.get(..position).unwrap_or(line);
        let start = word_start(head);
        let word = head.get(start..).unwrap_or_default();
        Ok((
            start,
            self.candidates(word)
                .into_iter()
                .map(|text| Pair {
                    display: text.clone(),
                    replacement: text,
                })
                .collect(),
        ))
    }
}

impl ShellHelper {
    /// Everything that begins with `word`, without regard to case, each once, in order.
    fn candidates(&self, word: &str) -> Vec<String> {
        if word.is_empty() {
            return Vec::new();
        }
        let lower = word.to_lowercase();
        let upper = word.chars().all(|c| !c.is_lowercase()) && word.chars().any(char::is_uppercase);
        let keywords = KEYWORDS.iter().map(|word| {
            if upper {
                word.to_uppercase()
            } else {
                (*word).to_owned()
            }
        });
        let commands = COMMANDS.iter().map(|command| (*command).to_owned());
        let mut found: Vec<String> = self
            .names
            .iter()
            .cloned()
            .chain(keywords)
            .chain(commands)
            .collect();
        found.retain(|text| text.to_lowercase().starts_with(&lower));
        found.sort();
        found.dedup();
        found
    }
}

fn word_start(head: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\\' | '?');
    head.char_indices()
        .rev()
        .take_while(|(_, c)| is_part(*c))
        .last()
        .map_or(head.len(), |(at, _)| at)
}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let done = text.trim_start().starts_with('\\')
            || split::is_blank(text)
            || split::leaves(text)
            || split::is_complete(text);
        Ok(if done {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ShellHelper, word_start};

    #[test]
    fn names_keywords_and_commands_complete_in_the_case_of_the_word() {
        let helper = ShellHelper {
            names: vec!["player_events".to_owned(), "username".to_owned()],
        };
        assert_eq!(helper.candidates("pl"), ["player_events"]);
        assert_eq!(helper.candidates("sel"), ["select"]);
        assert_eq!(helper.candidates("SEL"), ["SELECT"]);
        assert_eq!(helper.candidates("\\q"), ["\\q", "\\queries"]);
        assert!(helper.candidates("").is_empty());
    }

    #[test]
    fn the_word_under_the_cursor_is_completed() {
        assert_eq!(word_start("select * from pl"), 14);
        assert_eq!(word_start("count("), 6);
        assert_eq!(word_start("\\q"), 0);
        assert_eq!(word_start("lake.arena.pl"), 11);
    }
}
