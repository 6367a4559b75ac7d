//! What can happen to a call, and where a process can be made to stop.

use object_store::path::Path;

use crate::chance::mixed;

/// What a call wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Write a file, new or not.
    Put,
    /// Write a file that must be new.
    Create,
    Get,
    List,
    Delete,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) op: Op,
    pub(crate) path: Path,
}

impl Call {
    /// Which part of the lake it is about.
    pub(crate) fn place(&self) -> &'static str {
        let path = self.path.as_ref();
        match path {
            _ if path.contains("_intents") => "intents",
            _ if path.starts_with("_epochs/_delta_log") => "log of _epochs",
            _ if path.contains("_delta_log") => "logs of tables",
            _ if path.contains("_probe") => "probe",
            _ => "files",
        }
    }
}

/// What can happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// It is refused (503): nothing has happened.
    Refused,
    /// It happens, and is answered with an error (500).
    Unseen,
    /// A write is answered with an error, and happens some time later, whatever has happened in between.
    Late,
    /// A write of a new file is answered as a race that nobody has won yet (409).
    Conflict,
    /// It waits before it happens.
    Slow,
    /// It happens, and its answer is held back.
    SlowAnswer,
    /// This call and all others of the process are refused for a while.
    Outage,
}

/// How many kinds there are.
pub(crate) const FAULTS: usize = 7;

/// So many times more seldom than a write does a read meet a fault.
const READS: u64 = 8;

/// The fault of a call, if it meets one.
pub(crate) fn draw(bits: u64, one_in: u64, call: &Call) -> Option<Fault> {
    let is_write = matches!(call.op, Op::Put | Op::Create | Op::Delete);
    // Most calls are reads, and most of what can go wrong does with writes.
    let one_in = if is_write { one_in } else { one_in * READS };
    if !bits.is_multiple_of(one_in) {
        return None;
    }
    Some(match mixed(bits) % 16 {
        0 | 1 => Fault::Refused,
        2..=5 if is_write => Fault::Unseen,
        6..=9 if is_write => Fault::Late,
        10 if call.op == Op::Create => Fault::Conflict,
        11 | 12 => Fault::Slow,
        13 => Fault::Outage,
        _ => Fault::SlowAnswer,
    })
}

/// Where a process stops until it is let go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trap {
    pub(crate) op: Op,
    /// See [`Call::place`].
    pub(crate) place: &'static str,
    /// When what it asked for has happened, and only the answer is missing.
    pub(crate) after: bool,
}

/// The places where it matters most who goes on.
const TRAPS: [(Op, &str); 9] = [
    (Op::Create, "intents"),
    (Op::Create, "intents"),
    (Op::List, "intents"),
    (Op::Get, "intents"),
    (Op::Delete, "intents"),
    (Op::Create, "log of _epochs"),
    (Op::Create, "logs of tables"),
    (Op::Get, "logs of tables"),
    (Op::Put, "files"),
];

impl Trap {
    pub(crate) fn draw(bits: u64) -> Self {
        let (op, place) = TRAPS[(bits / 2 % TRAPS.len() as u64) as usize];
        Self {
            op,
            place,
            after: bits.is_multiple_of(2),
        }
    }

    pub(crate) fn fits(&self, call: &Call) -> bool {
        self.op == call.op && self.place == call.place()
    }
}
