//! Where a test's store lives: an empty folder and a clock.

use std::path::Path;
use std::sync::Arc;

use gamepipe_service::clock::SharedClock;
use tempfile::TempDir;

use crate::clock::ManualClock;

/// A folder that goes with it, and a clock that the test turns.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Place {
    /// A fresh folder.
    ///
    /// # Panics
    /// When the machine has no room for temporary files.
    pub fn new() -> Self {
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("no temporary folder: {error}"),
        };
        // Two places give different seeds, so that what is drawn from them differs, too.
        let name = folder.path().as_os_str().as_encoded_bytes();
        let first_seed = name.iter().fold(17_u64, |hash, byte| {
            hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte)
        });
        Self {
            folder,
            clock: ManualClock::new(first_seed),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder as settings have it.
    pub fn path_text(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// The clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The clock, to be given to what is tested.
    pub fn shared_clock(&self) -> SharedClock {
        Arc::<ManualClock>::clone(&self.clock)
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}
