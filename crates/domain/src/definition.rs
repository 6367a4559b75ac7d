//! Game definitions: the document as written ([`document`]), and the checked, compiled [`Game`].
//!
//! `load` turns text into a [`Game`] or a list of [`problem::Problem`]s, each with file, line, path and what was
//! expected. A definition that loads can't fail at run time for a reason that could have been found at load.

pub mod document;
pub mod game;
pub mod problem;
pub mod system;

pub use game::Game;
