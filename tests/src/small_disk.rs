//! A file system that is soon full.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A file system of its own in memory, taken away when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None` where this user may not mount anything; in CI that is an error.
    pub fn mount(mib: u32) -> Result<Option<Self>> {
        let folder = TempDir::new()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|done| done.status.success());
        if mounted {
            return Ok(Some(Self { folder }));
        }
        ensure!(
            std::env::var_os("CI").is_none(),
            "CI must be able to mount a tmpfs"
        );
        eprintln!("not shown here: a small file system can only be mounted by root");
        Ok(None)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes zeros until only about this much room is left.
    pub fn fill_up_to(&self, left_kib: u64) -> Result<()> {
        let mut file = File::create(self.path().join("filler"))?;
        let block = vec![0; 16 << 10];
        while self.room_kib()? > left_kib {
            file.write_all(&block)?;
        }
        Ok(())
    }

    /// Takes away what [`Self::fill_up_to`] wrote.
    pub fn make_room(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.path().join("filler"))?)
    }

    /// How much room is left.
    pub fn room_kib(&self) -> Result<u64> {
        let output = Command::new("df").arg("-Pk").arg(self.path()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let fields: Vec<&str> = text
            .lines()
            .nth(1)
            .context("df says nothing")?
            .split_whitespace()
            .collect();
        Ok(fields.get(3).context("df says too little")?.parse()?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whatever was in it goes with it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
