//! The data directory: one game's, one process's.
//!
//! ```text
//! <data>/gamepipe.json   which game it is of, and the layout's version
//! <data>/definition.json the game's definition with which it was last used, as `gamepipe game render` gives it
//! <data>/state/          the state store
//! <data>/log/            the event log
//! <data>/lake/<table>/   the Delta tables
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gamepipe_domain::definition::document::GameDocument;
use gamepipe_service::clock::SystemClock;
use gamepipe_service::directory::DirectoryLock;
use serde::{Deserialize, Serialize};

/// The file that says whose directory it is.
const MARKER: &str = "gamepipe.json";
/// The definition with which the directory was last used.
const DEFINITION: &str = "definition.json";
/// The version of the layout. Persisted: raise it when an older gamepipe must not touch what a newer one wrote.
const FORMAT: u32 = 1;

/// What the marker says.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Marker {
    format: u32,
    game: String,
}

/// A data directory that this process holds until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: DirectoryLock,
}

impl DataDir {
    /// Takes the directory for a game, making it when there is none.
    pub(crate) fn take(path: &Path, game: &str) -> anyhow::Result<Self> {
        if let Some(marker) = read_marker(path)? {
            check(path, &marker, game)?;
        }
        let lock = DirectoryLock::acquire(path, &SystemClock).map_err(advise)?;
        let text = serde_json::to_string(&Marker {
            format: FORMAT,
            game: game.to_owned(),
        })?;
        let marker = path.join(MARKER);
        if !marker.exists() {
            fs::write(&marker, text + "\n")
                .with_context(|| format!("failed to write {}", marker.display()))?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            _lock: lock,
        })
    }

    /// Takes the directory of a stopped pipeline, of whatever game. Gives the game's name too.
    pub(crate) fn take_existing(path: &Path) -> anyhow::Result<(Self, String)> {
        let Some(marker) = read_marker(path)? else {
            bail!(
                "{} is no data directory of gamepipe: it has no {MARKER}",
                path.display()
            );
        };
        check(path, &marker, &marker.game)?;
        let lock = DirectoryLock::acquire(path, &SystemClock).map_err(advise)?;
        Ok((
            Self {
                path: path.to_path_buf(),
                _lock: lock,
            },
            marker.game,
        ))
    }

    /// The definition with which the directory was last used; `None` when it has not been used yet.
    ///
    /// # Errors
    /// When there is one that this version of gamepipe can't read.
    pub(crate) fn remembered(&self) -> anyhow::Result<Option<GameDocument>> {
        let file = self.path.join(DEFINITION);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("failed to read {}", file.display()));
            }
        };
        let document = serde_json::from_str(&text);
        Ok(Some(document.with_context(|| {
            format!("{} can't be understood", file.display())
        })?))
    }

    /// The file of the definition with which the directory was last used, when there is one. It stands alone.
    pub(crate) fn definition_file(&self) -> Option<PathBuf> {
        let file = self.path.join(DEFINITION);
        file.is_file().then_some(file)
    }

    /// Remembers the definition: wholly or not at all, whatever happens meanwhile.
    pub(crate) fn remember(&self, document: &GameDocument) -> anyhow::Result<()> {
        let file = self.path.join(DEFINITION);
        let text = serde_json::to_string_pretty(document)? + "\n";
        if fs::read_to_string(&file).is_ok_and(|known| known == text) {
            return Ok(());
        }
        let fresh = self.path.join(format!("{DEFINITION}.new"));
        let write = || {
            let mut out = fs::File::create(&fresh)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&fresh, &file)?;
            fs::File::open(&self.path)?.sync_all()
        };
        write().with_context(|| format!("failed to write {}", file.display()))
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn advise(error: gamepipe_service::directory::DirectoryError) -> anyhow::Error {
    anyhow::anyhow!("{error} (--data)")
}

fn check(path: &Path, marker: &Marker, game: &str) -> anyhow::Result<()> {
    let path = path.display();
    if marker.format != FORMAT {
        bail!(
            "{path} was written by another version of gamepipe (layout {}, this one knows {FORMAT}); use that version, or another --data",
            marker.format
        );
    }
    if marker.game != game {
        bail!(
            "{path} holds the game {}, not {game}; run that one (--game {}), or choose another directory: --data",
            marker.game,
            marker.game
        );
    }
    Ok(())
}

fn read_marker(path: &Path) -> anyhow::Result<Option<Marker>> {
    let file = path.join(MARKER);
    match fs::read_to_string(&file) {
        Ok(text) => {
            let marker = serde_json::from_str(&text);
            Ok(Some(marker.with_context(|| {
                format!(
                    "{} can't be understood; is it a data directory of gamepipe?",
                    file.display()
                )
            })?))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::DataDir;

    #[test]
    fn a_directory_stays_with_its_game() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        drop(DataDir::take(&path, "arena").unwrap());
        let error = DataDir::take(&path, "quest").unwrap_err().to_string();
        assert!(
            error.contains("holds the game arena, not quest") && error.contains("--data"),
            "{error}"
        );
        assert_eq!(DataDir::take_existing(&path).unwrap().1, "arena");
    }

    #[test]
    fn a_held_directory_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let _held = DataDir::take(folder.path(), "arena").unwrap();
        let error = DataDir::take(folder.path(), "arena")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&std::process::id().to_string()) && error.contains("--data"),
            "{error}"
        );
        assert!(DataDir::take_existing(folder.path()).is_err());
    }

    #[test]
    fn the_last_definition_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let arena = crate::games::load("arena").unwrap();
        let data = DataDir::take(folder.path(), "arena").unwrap();
        assert!(data.remembered().unwrap().is_none());
        data.remember(arena.document()).unwrap();
        data.remember(arena.document()).unwrap();
        let known = data.remembered().unwrap().unwrap();
        assert_eq!(
            serde_json::to_value(known).unwrap(),
            serde_json::to_value(arena.document()).unwrap()
        );
        std::fs::write(folder.path().join("definition.json"), "{").unwrap();
        let error = data.remembered().unwrap_err().to_string();
        assert!(
            error.contains("definition.json can't be understood"),
            "{error}"
        );
    }

    #[test]
    fn any_other_directory_is_no_stopped_pipeline() {
        let folder = tempfile::tempdir().unwrap();
        let error = DataDir::take_existing(folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("no data directory of gamepipe"), "{error}");
    }

    #[test]
    fn a_directory_of_a_newer_layout_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("gamepipe.json"),
            r#"{"format": 9, "game": "arena"}"#,
        )
        .unwrap();
        let error = DataDir::take(folder.path(), "arena")
            .unwrap_err()
            .to_string();
        assert!(error.contains("layout 9"), "{error}");
    }
}
