//! Watches how much room the data directory's file system has, and says so before the stores find out by failing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gamepipe_service::Shutdown;
use gamepipe_service::probes::Probes;

/// The part of the readiness probe that speaks of the disk.
const PART: &str = "disk";
/// How often it is looked at: a busy pipeline writes a few MiB in that time.
const EVERY: Duration = Duration::from_secs(1);
/// The least room, in bytes. The stores write their changes in tables of 16 MiB; with less, the next one may fail, and
/// a store that has failed to write takes nothing more until a restart.
const LEAST_FREE: u64 = 16 << 20;

/// The watch.
#[derive(Debug)]
pub(crate) struct DiskWatch {
    path: PathBuf,
    probes: Probes,
}

impl DiskWatch {
    /// Of the file system that holds `path`.
    pub(crate) fn new(path: &Path, probes: Probes) -> Self {
        Self {
            path: path.to_path_buf(),
            probes,
        }
    }

    /// Watches until `stop`.
    pub(crate) async fn run(self, stop: Shutdown) -> anyhow::Result<()> {
        loop {
            self.look();
            if stop
                .run_until_cancelled(tokio::time::sleep(EVERY))
                .await
                .is_none()
            {
                return Ok(());
            }
        }
    }

    fn look(&self) {
        // A file system that can't be asked is the stores' trouble, and they tell it better.
        let room = rustix::fs::statvfs(&self.path)
            .map(|found| found.f_bavail.saturating_mul(found.f_frsize));
        match room {
            Ok(room) if room < LEAST_FREE => self.probes.not_ready(
                PART,
                format!(
                    "the disk is full: {} KiB are free on the file system of {}, and the stores need {} KiB at least; make room, then restart if they say so",
                    room / 1024,
                    self.path.display(),
                    LEAST_FREE / 1024
                ),
            ),
            _ => self.probes.ready(PART),
        }
    }
}
