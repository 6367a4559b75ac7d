//! Digests of content: the names of an image's parts, and stamps that say what something was made of.

use std::io::Read;

use anyhow::Result;
use sha2::{Digest as _, Sha256};

/// A SHA-256 that is being made.
#[derive(Debug, Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    /// Adds a part; parts don't run into each other.
    pub(crate) fn add(&mut self, part: &str) {
        self.0.update(part.len().to_le_bytes());
        self.0.update(part);
    }

    /// The result so far.
    pub(crate) fn hex(&self) -> String {
        hex(&self.0.clone().finalize())
    }
}

/// The digest of bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest and the length of what can be read.
pub(crate) fn of_reader(mut reader: impl Read) -> Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let length = std::io::copy(&mut reader, &mut hasher)?;
    Ok((hex(&hasher.finalize()), length))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
