//! Game definitions: the document as written ([`document`]), and the checked, compiled [`Game`].
//!
//! `load` turns text into a [`Game`] or a list of [`problem::Problem`]s, each with file, line, path and what was
//! expected. A definition that loads can't fail at run time for a reason that could have been found at load.

pub mod changes;
mod check;
pub mod docs;
pub mod document;
pub mod game;
mod load;
mod params;
pub mod placed;
pub mod problem;
pub mod schema;
mod shape;
pub mod system;
pub mod template;
pub mod value;
mod yaml;

pub(crate) mod canonical;
pub(crate) mod suggest;

pub use game::Game;
pub use load::read_yaml;
pub use suggest::did_you_mean;
