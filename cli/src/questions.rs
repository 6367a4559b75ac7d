//! Can the game's questions be answered? Every named query is tried on tables without rows, and its chart compared with
//! the columns that come out: what is wrong is told before the game runs, at its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::document::{ChartKind, ChartSpec};
use gamepipe_domain::definition::game::Query;
use gamepipe_domain::definition::placed::PlacedYaml;
use gamepipe_domain::definition::problem::{Problem, Problems};
use gamepipe_service::clock::SystemClock;
use gamepipe_sql::{StatementProblem, try_statements};

use crate::games::Source;
use crate::results::ResultColumn;

/// Everything that is wrong with the named queries of a game that is sound otherwise.
///
/// # Errors
/// [`Problems`] when there are any; else when the query engine can't be built.
pub(crate) async fn check(game: &Arc<Game>, source: &Source) -> anyhow::Result<()> {
    if game.queries().is_empty() {
        return Ok(());
    }
    let yaml = PlacedYaml::read(&source.file, &source.text, "the definition")?;
    let statements = game.queries().iter().map(|query| query.sql.as_str());
    let clock = Arc::new(SystemClock);
    let answers = try_statements(Arc::clone(game), &nowhere(), clock, statements).await?;
    let mut problems = Vec::new();
    for (query, answer) in game.queries().iter().zip(answers) {
        let question = Question {
            game,
            source,
            yaml: &yaml,
            query,
        };
        match answer {
            Err(problem) => problems.push(question.placed(&problem)),
            Ok(columns) => {
                let columns: Vec<ResultColumn> = columns
                    .into_iter()
                    .map(|(name, kind)| ResultColumn { name, kind })
                    .collect();
                problems.extend(question.chart_problems(&columns));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Err(Problems(problems).into())
}

/// A directory that nobody makes.
fn nowhere() -> PathBuf {
    std::env::temp_dir().join(format!("gamepipe-no-lake-{}", std::process::id()))
}

/// A query and the text that it stands in.
struct Question<'a> {
    game: &'a Game,
    source: &'a Source,
    yaml: &'a PlacedYaml,
    query: &'a Query,
}

impl Question<'_> {
    fn path(&self) -> String {
        format!("spec.queries.{}", self.query.name)
    }

    /// The problem at its line: of the query's own file, or of the definition.
    fn placed(&self, found: &StatementProblem) -> Problem {
        let whole = self.game.document().spec.queries.get(&self.query.name);
        let whole = whole
            .and_then(|query| query.sql.as_deref())
            .unwrap_or_default();
        let at = Spot::in_text(whole, &self.query.sql, found);
        let json = self.yaml.json();
        let file = json
            .pointer(&format!("/spec/queries/{}/file", self.query.name))
            .and_then(|file| file.as_str());
        if let Some(file) = file {
            let folder = Path::new(&self.source.file)
                .parent()
                .unwrap_or(Path::new(""));
            return Problem {
                file: folder.join(file).display().to_string(),
                line: at.line,
                column: at.column,
                path: self.path(),
                message: found.message.clone(),
            };
        }
        let mut problem = self
            .yaml
            .problem(&format!("{}.sql", self.path()), found.message.clone());
        if found.line == 0 {
            return problem;
        }
        match at.in_definition(whole, &self.source.text, problem.line) {
            Some(place) => (problem.line, problem.column) = (place.line, place.column),
            None => {
                problem.message = format!("line {}:{}: {}", at.line, at.column, found.message);
            }
        }
        problem
    }

    fn chart_problems(&self, columns: &[ResultColumn]) -> Vec<Problem> {
        let Some(chart) = &self.query.chart else {
            return Vec::new();
        };
        let path = format!("{}.chart", self.path());
        wrong_in_chart(chart, columns)
            .into_iter()
            .map(|(field, message)| self.yaml.problem(&format!("{path}{field}"), message))
            .collect()
    }
}

/// What a chart asks for that the columns don't have: the field of the chart, and why.
fn wrong_in_chart(chart: &ChartSpec, columns: &[ResultColumn]) -> Vec<(String, String)> {
    let known = || {
        let names: Vec<String> = columns
            .iter()
            .map(|column| format!("`{}`", column.name))
            .collect();
        names.join(", ")
    };
    let find = |name: &str| {
        columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    };
    let mut wrong = Vec::new();
    if let Some(x) = chart.x.as_deref().filter(|x| find(x).is_none()) {
        wrong.push((
            ".x".to_owned(),
            format!("the query has no column `{x}`; it has {}", known()),
        ));
    }
    for (index, name) in chart.y.iter().enumerate() {
        let message = match find(name) {
            None => format!("the query has no column `{name}`; it has {}", known()),
            Some(column) if !column.is_numeric() && chart.kind != ChartKind::Number => {
                format!("`{name}` is {}, and only numbers can be drawn", column.kind)
            }
            Some(_) => continue,
        };
        wrong.push((format!(".y[{index}]"), message));
    }
    let x = match &chart.x {
        Some(x) => Some(x.as_str()),
        None => columns.first().map(|column| column.name.as_str()),
    };
    let is_drawn = |column: &ResultColumn| {
        column.is_numeric() && x.is_none_or(|x| !column.name.eq_ignore_ascii_case(x))
    };
    if chart.kind != ChartKind::Number && chart.y.is_empty() && !columns.iter().any(is_drawn) {
        let message = format!(
            "none of the query's columns is a number beside the labels; it has {}",
            known()
        );
        wrong.push((String::new(), message));
    }
    wrong
}

/// A place in a text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spot {
    line: usize,
    column: usize,
}

impl Spot {
    /// Where a problem of `statement` is in `whole`, which has blanks before it.
    fn in_text(whole: &str, statement: &str, problem: &StatementProblem) -> Self {
        let from_one = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        let (line, column) = (from_one(problem.line), from_one(problem.column));
        let before = whole
            .find(statement)
            .and_then(|at| whole.get(..at))
            .unwrap_or_default();
        let lines_before = before.matches('\n').count();
        let indent = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count();
        Self {
            line: line + lines_before,
            column: if line == 1 { column + indent } else { column },
        }
    }

    /// The same place in the definition, where the SQL begins at `first` or on the line after it; `None` when YAML has
    /// folded or escaped the text so that its lines are not there as they are.
    fn in_definition(self, sql: &str, definition: &str, first: usize) -> Option<Self> {
        let wanted = sql.lines().nth(self.line.checked_sub(1)?)?.trim_end();
        if wanted.is_empty() {
            return None;
        }
        (first + self.line - 1..=first + self.line).find_map(|line| {
            let found = definition.lines().nth(line.checked_sub(1)?)?;
            let at = found.find(wanted)?;
            let before = found.get(..at)?.chars().count();
            Some(Self {
                line,
                column: before + self.column,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gamepipe_domain::definition::Game;

    use super::check;
    use crate::games::{Source, load_with_source};

    const HEAD: &str = "\
apiVersion: gamepipe.dev/v1alpha1
kind: Game
metadata: {name: x}
spec:
  events: {scored: {properties: {who: {type: string}, points: {type: integer}}}}
  tables:
    scores: {from: [scored], columns: [{name: who}, {name: points}]}
  queries:
";

    /// What is told of a game with these queries; the first of them is on line 9.
    async fn told(queries: &str) -> String {
        let text = format!("{HEAD}{queries}");
        let read = |_: &str| Ok("\n\n  select who\nfrom scores\nwhere pointz > 1;\n".to_owned());
        let game = Game::load("dir/game.yaml", &text, &read)
            .unwrap_or_else(|problems| panic!("{problems}"));
        let file = "dir/game.yaml".to_owned();
        match check(&Arc::new(game), &Source { file, text }).await {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn questions_of_the_reference_games_can_be_answered() {
        for name in ["arena", "guild", "market", "quest", "trade"] {
            let (game, source) = load_with_source(name).expect("a reference game");
            check(&game, &source)
                .await
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[tokio::test]
    async fn a_query_that_cannot_be_answered_is_told_with_file_line_and_column() {
        for (queries, start, part) in [
            (
                "    a: {title: T, sql: SELEC 1}\n",
                "dir/game.yaml:9:24: spec.queries.a.sql: ",
                "SELEC",
            ),
            (
                "    a:\n      title: T\n      sql: |\n        select who\n        from scors\n",
                "dir/game.yaml:13:14: ",
                "scors",
            ),
            (
                "    a:\n      title: T\n      sql: select pointz from scores\n",
                "dir/game.yaml:11:19: ",
                "pointz",
            ),
            (
                "    a: {title: T, file: q.sql}\n",
                "dir/q.sql:5:7: spec.queries.a: ",
                "pointz",
            ),
            (
                "    a: {title: T, sql: DROP TABLE scores}\n",
                "dir/game.yaml:9:",
                "DROP",
            ),
            ("    a: {title: T, sql: USE x}\n", "dir/game.yaml:9:", ""),
            (
                "    a: {title: T, sql: select 1 / count(*) as n from scores}\n",
                "dir/game.yaml:9:",
                "zero",
            ),
        ] {
            let told = told(queries).await;
            assert!(
                told.starts_with(start) && told.contains(part) && told.lines().count() == 1,
                "{queries}\n{told}"
            );
        }
    }

    #[tokio::test]
    async fn a_chart_needs_columns_that_its_query_has() {
        let query = |chart: &str| {
            format!(
                "    a:\n      title: T\n      sql: select who, points from scores\n      chart: {chart}\n"
            )
        };
        for (chart, start, part) in [
            (
                "{type: bar, y: [pointz]}",
                "dir/game.yaml:12:",
                "no column `pointz`; it has `who`, `points`",
            ),
            (
                "{type: line, x: whom, y: [points]}",
                "dir/game.yaml:12:",
                "no column `whom`",
            ),
            (
                "{type: bar, x: points, y: [who]}",
                "dir/game.yaml:12:",
                "only numbers can be drawn",
            ),
            (
                "{type: bar, x: points}",
                "dir/game.yaml:12:7: spec.queries.a.chart: ",
                "none of the query's columns",
            ),
        ] {
            let told = told(&query(chart)).await;
            assert!(
                told.starts_with(start) && told.contains(part),
                "{chart}\n{told}"
            );
        }
        assert_eq!(told(&query("{type: bar, x: WHO, y: [points]}")).await, "");
        assert_eq!(told(&query("{type: number}")).await, "");
    }
}
