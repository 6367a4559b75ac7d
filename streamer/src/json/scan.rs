//! The scanner: checks the grammar of one JSON object and notes where its members are.

use super::text;

pub(crate) mod parts;

mod token;

pub(crate) use parts::{Fault, Kind, Member, Span, Value};
use token::{key, scalar, skip_space};

/// How deeply values may be nested, the record itself included. Far above any event, far below what would trouble a
/// reader that recurses. It must not exceed 64: containers are kept in the bits of a `u64`.
pub(crate) const MAX_DEPTH: u32 = 64;
/// Up to this many keys, comparing each with each is faster than sorting them.
const PAIRWISE_KEYS: usize = 8;

/// The scanner's memory, kept from record to record.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    // Keys of the nested objects that are open, and where each object's keys begin.
    keys: Vec<(Span, bool)>,
    open: Vec<usize>,
}

impl Scanner {
    /// Reads one object that fills the whole text, and puts its members into `members` (cleared first). Duplicate keys of
    /// nested objects are found here; those of the object itself are the caller's ([`find_duplicate`]), which often knows
    /// that there are none.
    pub(crate) fn object(&mut self, text: &str, members: &mut Vec<Member>) -> Result<(), Fault> {
        members.clear();
        let bytes = text.as_bytes();
        let mut at = skip_space(bytes, 0);
        if bytes.get(at) != Some(&b'{') {
            let value = self.value(bytes, at, 0)?;
            let rest = skip_space(bytes, value.1);
            return Err(if rest == bytes.len() {
                Fault::NotAnObject {
                    found: value.0.kind.name(),
                }
            } else {
                Fault::Grammar {
                    at: rest,
                    expected: "the end of the record",
                }
            });
        }
        at = self.members(bytes, at, 0, members)?;
        at = skip_space(bytes, at);
        if at != bytes.len() {
            return Err(Fault::Grammar {
                at,
                expected: "the end of the record",
            });
        }
        Ok(())
    }

    /// The items of a list that has been scanned before, one by one, each with its place.
    pub(crate) fn items(
        &mut self,
        text: &str,
        list: Span,
        mut item: impl FnMut(&mut Self, Value),
    ) -> Result<(), Fault> {
        let bytes = text.as_bytes();
        let mut at = skip_space(bytes, list.start as usize + 1);
        while at + 1 < list.end as usize {
            let (value, end) = self.value(bytes, at, 0)?;
            item(self, value);
            at = skip_space(bytes, end);
            if bytes.get(at) == Some(&b',') {
                at = skip_space(bytes, at + 1);
            }
        }
        Ok(())
    }

    /// The members of an object that has been scanned before.
    pub(crate) fn members_of(
        &mut self,
        text: &str,
        object: Span,
        members: &mut Vec<Member>,
    ) -> Result<(), Fault> {
        members.clear();
        self.members(text.as_bytes(), object.start as usize, 0, members)
            .map(|_| ())
    }

    fn members(
        &mut self,
        bytes: &[u8],
        open: usize,
        depth: u32,
        members: &mut Vec<Member>,
    ) -> Result<usize, Fault> {
        let mut at = skip_space(bytes, open + 1);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        loop {
            let (key, key_escaped, end) = key(bytes, at)?;
            let (value, end) = self.value(bytes, end, depth + 1)?;
            members.push(Member {
                key,
                key_escaped,
                value,
            });
            at = skip_space(bytes, end);
            match bytes.get(at) {
                Some(b',') => at = skip_space(bytes, at + 1),
                Some(b'}') => return Ok(at + 1),
                _ => {
                    return Err(Fault::Grammar {
                        at,
                        expected: "`,` or `}`",
                    });
                }
            }
        }
    }

    /// Reads a value; returns it and the place after it. `depth` is how many containers are open around it.
    fn value(&mut self, bytes: &[u8], at: usize, depth: u32) -> Result<(Value, usize), Fault> {
        match bytes.get(at) {
            Some(b'[' | b'{') => self.container(bytes, at, depth),
            _ => scalar(bytes, at),
        }
    }

    /// Reads a list or object and all that is in it, without recursion: one bit for each open container says which kind.
    fn container(
        &mut self,
        bytes: &[u8],
        start: usize,
        outer: u32,
    ) -> Result<(Value, usize), Fault> {
        self.keys.clear();
        self.open.clear();
        let mut depth = outer;
        let mut objects = 0_u64;
        let mut at = start;
        'value: loop {
            if let Some(&opening @ (b'[' | b'{')) = bytes.get(at) {
                if depth >= MAX_DEPTH {
                    return Err(Fault::TooDeep { at });
                }
                depth += 1;
                objects = (objects << 1) | u64::from(opening == b'{');
                let (next, is_empty) = self.enter(bytes, at, opening)?;
                at = next;
                if !is_empty {
                    continue 'value;
                }
            } else {
                at = skip_space(bytes, scalar(bytes, at)?.1);
            }
            // A value has ended, or a container is empty: what follows belongs to the container around it.
            loop {
                let in_object = objects & 1 == 1;
                match (bytes.get(at), in_object) {
                    (Some(b','), true) => {
                        at = self.next_key(bytes, skip_space(bytes, at + 1))?;
                        continue 'value;
                    }
                    (Some(b','), false) => {
                        at = skip_space(bytes, at + 1);
                        continue 'value;
                    }
                    (Some(b'}'), true) => self.close_object(bytes)?,
                    (Some(b']'), false) => {}
                    (_, true) => {
                        return Err(Fault::Grammar {
                            at,
                            expected: "`,` or `}`",
                        });
                    }
                    (_, false) => {
                        return Err(Fault::Grammar {
                            at,
                            expected: "`,` or `]`",
                        });
                    }
                }
                at += 1;
                depth -= 1;
                objects >>= 1;
                if depth == outer {
                    let is_object = bytes.get(start) == Some(&b'{');
                    let kind = if is_object { Kind::Object } else { Kind::Array };
                    return Ok((
                        Value {
                            kind,
                            span: Span::new(start, at),
                        },
                        at,
                    ));
                }
                at = skip_space(bytes, at);
            }
        }
    }

    /// Steps into a list or object: the place of its first value, or of its end when it is empty.
    fn enter(&mut self, bytes: &[u8], at: usize, opening: u8) -> Result<(usize, bool), Fault> {
        let inside = skip_space(bytes, at + 1);
        if opening == b'[' {
            return Ok((inside, bytes.get(inside) == Some(&b']')));
        }
        self.open.push(self.keys.len());
        if bytes.get(inside) == Some(&b'}') {
            return Ok((inside, true));
        }
        Ok((self.next_key(bytes, inside)?, false))
    }

    fn next_key(&mut self, bytes: &[u8], at: usize) -> Result<usize, Fault> {
        let (span, escaped, end) = key(bytes, at)?;
        self.keys.push((span, escaped));
        Ok(end)
    }

    fn close_object(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let first = self.open.pop().unwrap_or_default();
        let duplicate = find_duplicate(bytes, self.keys.get_mut(first..).unwrap_or_default());
        self.keys.truncate(first);
        duplicate.map_or(Ok(()), |key| Err(Fault::DuplicateKey { key }))
    }
}

/// A key that occurs twice among these (whose order may change), compared as the text that they stand for.
pub(crate) fn find_duplicate(bytes: &[u8], keys: &mut [(Span, bool)]) -> Option<Span> {
    let raw = |span: Span| {
        bytes
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    };
    if keys.iter().any(|(_, escaped)| *escaped) {
        let mut plain: Vec<(String, Span)> = keys
            .iter()
            .map(|(span, _)| {
                let mut text = String::new();
                text::unescape(
                    std::str::from_utf8(raw(*span)).unwrap_or_default(),
                    &mut text,
                );
                (text, *span)
            })
            .collect();
        plain.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        return plain
            .windows(2)
            .find(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[1].1);
    }
    if keys.len() <= PAIRWISE_KEYS {
        return keys.iter().enumerate().find_map(|(index, (key, _))| {
            let earlier = keys.get(..index).unwrap_or_default();
            earlier
                .iter()
                .any(|(other, _)| raw(*other) == raw(*key))
                .then_some(*key)
        });
    }
    keys.sort_unstable_by(|left, right| raw(left.0).cmp(raw(right.0)));
    keys.windows(2)
        .find(|pair| raw(pair[0].0) == raw(pair[1].0))
        .map(|pair| pair[1].0)
}

#[cfg(test)]
mod tests;
