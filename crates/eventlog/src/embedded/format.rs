//! What stands in the log's directory: a file per stored key and value, with both directions and a tag byte each.
//!
//! Persisted: keep stable. A changed form gets a new tag, and its decoder goes on reading the old one.

pub(super) mod chunk;
pub(super) mod dedupe;
pub(super) mod meta;

/// Why stored bytes can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormatError {
    /// The bytes end too early or go on too long.
    #[error("{0} has the wrong length")]
    Length(&'static str),
    /// A tag that this version does not know.
    #[error("{0} has the unknown tag {1}")]
    Tag(&'static str, u8),
    /// The checksum says that the bytes are not those that were written.
    #[error("{0} has the wrong checksum")]
    Checksum(&'static str),
    /// The compressed part can't be decompressed, or text is not UTF-8.
    #[error("{0} is malformed")]
    Malformed(&'static str),
}

/// Takes the next `N` bytes off the front.
fn take<const N: usize>(rest: &mut &[u8], what: &'static str) -> Result<[u8; N], FormatError> {
    let (head, tail) = rest
        .split_first_chunk::<N>()
        .ok_or(FormatError::Length(what))?;
    *rest = tail;
    Ok(*head)
}

/// Takes a tag off the front.
fn take_tag(rest: &mut &[u8], tag: u8, what: &'static str) -> Result<(), FormatError> {
    match take::<1>(rest, what)? {
        [found] if found == tag => Ok(()),
        [found] => Err(FormatError::Tag(what, found)),
    }
}
