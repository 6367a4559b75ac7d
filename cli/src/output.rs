//! Standard output: every write may fail (a closed pipe), so nothing here uses `println!`.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// A buffered standard output.
pub(crate) type Out = BufWriter<StdoutLock<'static>>;

/// Standard output, buffered: flush it before waiting for anything.
pub(crate) fn stdout() -> Out {
    BufWriter::new(io::stdout().lock())
}

/// Writes text and a line end to standard output at once.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes a line to standard error; progress and remarks go there. A closed standard error is no reason to stop.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// True when standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
