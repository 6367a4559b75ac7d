//! Writes the table of reference games from `games/`: each definition and the files beside it, as `include_str!`s.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(
        env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("run by cargo only"))?,
    );
    let out =
        PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("run by cargo only"))?);
    let games = manifest.join("../games");
    println!("cargo::rerun-if-changed={}", games.display());
    let mut table = String::from("&[\n");
    for game in sorted_entries(&games)? {
        let definition = game.join("game.yaml");
        if definition.is_file() {
            add_game(&mut table, &game, &definition)?;
        }
    }
    table.push_str("]\n");
    fs::write(out.join("reference_games.rs"), table)
}

fn add_game(table: &mut String, game: &Path, definition: &Path) -> io::Result<()> {
    let name = game.file_name().unwrap_or_default().to_string_lossy();
    let mut files = String::new();
    for file in sorted_entries(&game.join("queries"))? {
        let file_name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = file.display().to_string();
        write!(
            files,
            "({:?}, include_str!({path:?})), ",
            format!("queries/{file_name}")
        )
        .map_err(io::Error::other)?;
    }
    let path = definition.display().to_string();
    writeln!(
        table,
        "ReferenceGame {{ name: {name:?}, definition: include_str!({path:?}), files: &[{files}] }},"
    )
    .map_err(io::Error::other)
}

/// The entries of a folder in order of name; none when there is no such folder.
fn sorted_entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
