//! Which game: one of the reference games, compiled in, or a file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::problem::Problems;

use crate::exit::Usage;

/// The games that come with gamepipe: every folder of `games/` with a `game.yaml`, as the build script found them.
const REFERENCE_GAMES: &[ReferenceGame] = include!(concat!(env!("OUT_DIR"), "/reference_games.rs"));

/// The game of `gamepipe up` when none is named.
pub(crate) const DEFAULT_GAME: &str = "arena";

/// A reference game as it was compiled in.
#[derive(Debug)]
pub(crate) struct ReferenceGame {
    /// Its name.
    pub(crate) name: &'static str,
    /// The text of `game.yaml`.
    pub(crate) definition: &'static str,
    /// The files that lie beside it, by relative path.
    pub(crate) files: &'static [(&'static str, &'static str)],
}

/// Why a game could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GameError {
    /// The definition has problems; each says where.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// The file can't be read.
    #[error("failed to read {path}: {cause}")]
    Unreadable {
        /// As it was named.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
}

/// The text that a game was made from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The definition's file, as it is named in problems.
    pub(crate) file: String,
    /// Its text.
    pub(crate) text: String,
}

/// Loads a game by the name of a reference game or the path of a file. A text with a `/` or `.` in it is a path.
pub(crate) fn load(name_or_file: &str) -> anyhow::Result<Arc<Game>> {
    Ok(load_with_source(name_or_file)?.0)
}

/// The reference game of that name, if there is one.
pub(crate) fn load_by_name(name: &str) -> anyhow::Result<Option<Game>> {
    Ok(find(name).map(load_reference).transpose()?)
}

/// [`load`], with the text behind the game.
pub(crate) fn load_with_source(name_or_file: &str) -> anyhow::Result<(Arc<Game>, Source)> {
    if let Some(game) = find(name_or_file) {
        let source = Source {
            file: file_of(game),
            text: game.definition.to_owned(),
        };
        return Ok((Arc::new(load_reference(game)?), source));
    }
    let path = Path::new(name_or_file);
    let is_path = name_or_file.contains(['/', '.']) || path.exists();
    if !is_path {
        let names: Vec<&str> = REFERENCE_GAMES.iter().map(|game| game.name).collect();
        return Err(Usage(format!(
            "no game is called {name_or_file:?}; the games that come with gamepipe are {}. For your own, give the path of its file",
            names.join(", ")
        ))
        .into());
    }
    // A folder stands for the definition in it, as in `games/arena`.
    let file = if path.is_dir() {
        path.join("game.yaml")
    } else {
        path.to_path_buf()
    };
    let (game, source) = load_file(&file)?;
    Ok((Arc::new(game), source))
}

/// Loads a definition file; files that it names are looked for beside it.
fn load_file(path: &Path) -> Result<(Game, Source), GameError> {
    let text = fs::read_to_string(path).map_err(|cause| GameError::Unreadable {
        path: path.display().to_string(),
        cause,
    })?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let read_file =
        |name: &str| fs::read_to_string(folder.join(name)).map_err(|cause| cause.to_string());
    let file = path.display().to_string();
    let game = Game::load(&file, &text, &read_file)?;
    Ok((game, Source { file, text }))
}

fn find(name: &str) -> Option<&'static ReferenceGame> {
    REFERENCE_GAMES.iter().find(|game| game.name == name)
}

fn file_of(game: &ReferenceGame) -> String {
    format!("games/{}/game.yaml", game.name)
}

fn load_reference(game: &ReferenceGame) -> Result<Game, Problems> {
    let read_file = |name: &str| {
        let found = game.files.iter().find(|(path, _)| *path == name);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "no such file was compiled in".to_owned())
    };
    Game::load(&file_of(game), game.definition, &read_file)
}

#[cfg(test)]
mod tests {
    use super::{REFERENCE_GAMES, load, load_reference};

    #[test]
    fn every_reference_game_loads_under_its_own_name() {
        assert_eq!(REFERENCE_GAMES.len(), 5);
        for game in REFERENCE_GAMES {
            let loaded = load_reference(game).unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(loaded.name(), game.name);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = load("areena")
            .expect_err("there is no such game")
            .to_string();
        assert!(error.contains("arena, "), "{error}");
    }
}
