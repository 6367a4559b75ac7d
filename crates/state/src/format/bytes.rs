//! The smallest parts of stored forms: variable-length integers, and text and bytes with their length before them.

use super::FormatError;

/// Appends an integer in base 128, low digits first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends bytes after their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes parts off the front of stored bytes; `what` names them in errors.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`.
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// The next byte must be `tag`.
    pub(crate) fn expect_tag(&mut self, tag: u8) -> Result<(), FormatError> {
        match self.byte()? {
            found if found == tag => Ok(()),
            found => Err(FormatError::Tag(self.what, found)),
        }
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, FormatError> {
        Ok(self.array::<1>()?[0])
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(self.too_short())?;
        self.rest = rest;
        Ok(*head)
    }

    /// The next `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(self.too_short())?;
        self.rest = rest;
        Ok(head)
    }

    /// What [`put_varint`] wrote.
    pub(crate) fn varint(&mut self) -> Result<u64, FormatError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let digit = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit only.
            if shift == 63 && digit > 1 {
                break;
            }
            number |= digit << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(FormatError::Malformed(self.what))
    }

    /// A length or count: what [`put_varint`] wrote, no larger than what is left to read.
    pub(crate) fn count(&mut self) -> Result<usize, FormatError> {
        let count = self.varint()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(self.too_short()),
        }
    }

    /// What [`put_bytes`] wrote.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], FormatError> {
        let length = self.count()?;
        self.take(length)
    }

    /// What [`put_bytes`] wrote, as text.
    pub(crate) fn text(&mut self) -> Result<String, FormatError> {
        let bytes = self.bytes()?;
        str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| FormatError::Malformed(self.what))
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), FormatError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.too_short())
        }
    }

    /// The error for a part that is not as it should be.
    pub(crate) fn malformed(&self) -> FormatError {
        FormatError::Malformed(self.what)
    }

    fn too_short(&self) -> FormatError {
        FormatError::Length(self.what)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Reader, put_bytes, put_varint};

    proptest! {
        #[test]
        fn integers_and_bytes_round_trip(number: u64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            put_bytes(&mut out, &bytes);
            let mut reader = Reader::new(&out, "test");
            prop_assert_eq!(reader.varint().unwrap(), number);
            prop_assert_eq!(reader.bytes().unwrap(), bytes.as_slice());
            reader.end().unwrap();
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes, "test");
            while reader.varint().is_ok() && reader.text().is_ok() {}
        }
    }

    #[test]
    fn an_integer_beyond_64_bits_is_refused() {
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(Reader::new(&too_large, "test").varint().is_err());
    }
}
