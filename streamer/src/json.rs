//! JSON as it comes from a log: a strict reader that validates every byte, allocates nothing per value, and leaves values
//! where they are until a column wants them.
//!
//! Why not a library: one that builds values costs several times the decode, and the columnar ones accept what is no JSON
//! and turn floats into integers (`docs/decisions/0051-own-json-reader.md`).

pub(crate) mod scan;

pub(crate) mod text;

pub(crate) mod time;
