//! Game definitions: the document as written ([`document`]), and the checked, compiled [`Game`].
//!
//! `load` turns text into a [`Game`] or a list of [`problem::Problem`]s, each with file, line, path and what was
//! expected. A definition that loads can't fail at run time for a reason that could have been found at load.

mod check;
pub mod document;
pub mod game;
mod load;
mod params;
pub mod problem;
pub mod schema;
mod shape;
pub mod system;
pub mod value;
mod yaml;

pub(crate) mod canonical;
pub(crate) mod suggest;

pub use game::Game;

/// The JSON of a YAML text that lies beside a definition, such as its cases: read by the same rules as the definition.
/// An error names line, column and what is wrong.
pub fn read_yaml(text: &str) -> Result<serde_json::Value, String> {
    yaml::parse(text)
        .map(|tree| tree.to_json())
        .map_err(|problems| {
            let lines: Vec<String> = problems
                .iter()
                .map(|problem| {
                    format!(
                        "{}:{}: {}",
                        problem.place.line, problem.place.column, problem.message
                    )
                })
                .collect();
            lines.join("\n")
        })
}
