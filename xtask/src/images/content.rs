//! What an image's file system holds, put together from this machine's files without copying them, and written as a tar
//! archive that is the same whenever its content is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tar::{Builder, EntryType, Header};

use crate::shell::{capture, command};

/// One thing in the file system.
#[derive(Debug)]
enum Entry {
    Folder { mode: u32, owner: u64 },
    Copy { from: PathBuf, mode: u32 },
    Text { text: String, mode: u32 },
    Link { to: String },
}

/// A file system: from paths without a leading slash to what is there.
#[derive(Debug)]
pub(crate) struct Content(BTreeMap<String, Entry>);

impl Content {
    /// Debian's top folders, and nothing in them.
    pub(crate) fn new() -> Self {
        let mut content = Self(BTreeMap::new());
        for folder in ["bin", "lib", "lib64", "sbin"] {
            content.link(folder, &format!("usr/{folder}"));
            content.folder(&format!("usr/{folder}"), 0o755, 0);
        }
        content.folder("tmp", 0o1777, 0);
        content
    }

    /// Adds a folder of that user and group.
    pub(crate) fn folder(&mut self, path: &str, mode: u32, owner: u64) {
        self.add(path, Entry::Folder { mode, owner });
    }

    /// Adds a file that is read when the archive is written.
    pub(crate) fn copy(&mut self, path: &str, from: &Path, mode: u32) {
        let from = from.to_path_buf();
        self.add(path, Entry::Copy { from, mode });
    }

    /// Adds a file with this text.
    pub(crate) fn text(&mut self, path: &str, text: &str, mode: u32) {
        let text = text.to_owned();
        self.add(path, Entry::Text { text, mode });
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, to: &str) {
        let to = to.to_owned();
        self.add(path, Entry::Link { to });
    }

    /// Adds all of a folder; what anyone may run there, anyone may run here.
    pub(crate) fn tree(&mut self, path: &str, from: &Path) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        self.folder(path, 0o755, 0);
        let listed = std::fs::read_dir(from);
        for entry in listed.with_context(|| format!("failed to list {}", from.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().context("a file's name is not UTF-8")?;
            let below = format!("{path}/{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.tree(&below, &entry.path())?;
            } else if kind.is_symlink() && std::fs::read_link(entry.path())?.is_relative() {
                let to = std::fs::read_link(entry.path())?;
                self.link(&below, to.to_str().context("a link is not UTF-8")?);
            } else {
                let is_program = std::fs::metadata(entry.path())?.permissions().mode() & 0o111 != 0;
                self.copy(
                    &below,
                    &entry.path(),
                    if is_program { 0o755 } else { 0o644 },
                );
            }
        }
        Ok(())
    }

    /// Adds a program and the libraries that it is linked with, each where the loader of this machine has found it.
    pub(crate) fn program(&mut self, path: &str, from: &Path) -> Result<()> {
        self.copy(path, from, 0o755);
        self.libraries(from, &[], |_| true)
    }

    /// Adds those libraries of a program or library that are wanted; they are looked for in `folders` first.
    pub(crate) fn libraries(
        &mut self,
        of: &Path,
        folders: &[PathBuf],
        is_wanted: impl Fn(&Path) -> bool,
    ) -> Result<()> {
        let mut ldd = command("ldd", &[]);
        let said = capture(
            ldd.arg(of)
                .env("LD_LIBRARY_PATH", std::env::join_paths(folders)?),
        )?;
        for line in said.lines() {
            if line.contains("not found") {
                bail!("{} needs a library that is not here: {line}", of.display());
            }
            // `libm.so.6 => /lib/.../libm.so.6 (0x..)`, or the loader's path alone.
            let place = line.rsplit("=>").next().unwrap_or_default();
            let place = place.split_whitespace().next().unwrap_or_default();
            if !place.starts_with('/') || !is_wanted(Path::new(place)) {
                continue;
            }
            let name = place.rsplit('/').next().unwrap_or_default();
            let is_standard = place.starts_with("/lib") || place.starts_with("/usr/lib");
            let target = if is_standard {
                format!("usr{}", place.trim_start_matches("/usr"))
            } else {
                format!("usr/lib/{}-linux-gnu/{name}", std::env::consts::ARCH)
            };
            self.copy(&target, Path::new(place), 0o755);
        }
        Ok(())
    }

    /// Writes the archive.
    pub(crate) fn write(&self, into: impl Write) -> Result<()> {
        let mut archive = Builder::new(into);
        for (path, entry) in &self.0 {
            append(&mut archive, path, entry)
                .with_context(|| format!("failed to add /{path} to an image"))?;
        }
        archive.finish()?;
        Ok(())
    }

    /// Makes the same tree in a folder; as root, since some of it is another user's.
    pub(crate) fn unpack(&self, folder: &Path) -> Result<()> {
        let mut bytes = tempfile()?;
        self.write(&mut bytes)?;
        std::io::Seek::rewind(&mut bytes)?;
        std::fs::create_dir_all(folder)?;
        let mut archive = tar::Archive::new(bytes);
        archive.set_preserve_permissions(true);
        archive.set_preserve_ownerships(true);
        archive.unpack(folder)?;
        Ok(())
    }

    fn add(&mut self, path: &str, entry: Entry) {
        if let Some((parent, _)) = path.rsplit_once('/')
            && !self.0.contains_key(parent)
        {
            self.folder(parent, 0o755, 0);
        }
        self.0.insert(path.to_owned(), entry);
    }
}

/// A file that is gone when it is closed.
fn tempfile() -> Result<File> {
    let path = std::env::temp_dir().join(format!("gamepipe-image-{}", std::process::id()));
    let file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn append(archive: &mut Builder<impl Write>, path: &str, entry: &Entry) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    match entry {
        Entry::Folder { mode, owner } => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(*mode);
            header.set_uid(*owner);
            header.set_gid(*owner);
            archive.append_data(&mut header, format!("{path}/"), std::io::empty())?;
        }
        Entry::Copy { from, mode } => {
            let file = File::open(from).with_context(|| from.display().to_string())?;
            header.set_mode(*mode);
            header.set_size(file.metadata()?.len());
            archive.append_data(&mut header, path, file)?;
        }
        Entry::Text { text, mode } => {
            header.set_mode(*mode);
            header.set_size(u64::try_from(text.len())?);
            archive.append_data(&mut header, path, text.as_bytes())?;
        }
        Entry::Link { to } => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            archive.append_link(&mut header, path, to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Content;

    #[test]
    fn the_same_content_gives_the_same_bytes_in_whatever_order_it_was_added() {
        let mut one = Content::new();
        one.text("etc/a", "a", 0o644);
        one.folder("data", 0o755, 999);
        let mut other = Content::new();
        other.folder("data", 0o755, 999);
        other.text("etc/a", "a", 0o644);
        let [mut first, mut second] = [Vec::new(), Vec::new()];
        one.write(&mut first).unwrap();
        other.write(&mut second).unwrap();
        assert_eq!(first, second);
        other.text("etc/a", "b", 0o644);
        let mut third = Vec::new();
        other.write(&mut third).unwrap();
        assert_ne!(first, third);
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut content = Content::new();
        content.text("etc/deep/er/file", "", 0o644);
        let paths: Vec<&String> = content.0.keys().collect();
        let place = |path: &str| paths.iter().position(|found| *found == path).unwrap();
        assert!(place("etc") < place("etc/deep"));
        assert!(place("etc/deep/er") < place("etc/deep/er/file"));
    }
}
