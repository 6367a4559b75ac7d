//! How a command ends: its exit code, and how an error is told.

use std::io::{self, Write};
use std::process::ExitCode;

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well: exit code 0.
    Done,
    /// The command worked and found something wrong, and has said what: exit code 1.
    Findings,
    /// A signal ended the work before it was done, and what was done has been said: exit code 130.
    Interrupted,
}

/// A mistake in how the command was called: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The exit code of a failure or a finding.
const FAILED: u8 = 1;
/// The exit code of wrong usage; clap uses the same.
const USAGE: u8 = 2;
/// The exit code of a process that Ctrl-C ended, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Tells an error on standard error and gives the exit code.
pub(crate) fn code(result: anyhow::Result<Outcome>) -> ExitCode {
    let error = match result {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::Findings) => return ExitCode::from(FAILED),
        Ok(Outcome::Interrupted) => return ExitCode::from(INTERRUPTED),
        Err(error) => error,
    };
    // Whoever reads our output has read enough (`gamepipe sql .. | head`): nothing has failed.
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    let usage = error.downcast_ref::<Usage>().is_some();
    // Standard error may be closed too; the exit code still tells.
    let _ = writeln!(io::stderr(), "error: {}", describe(&error));
    ExitCode::from(if usage { USAGE } else { FAILED })
}

/// The error and its causes, each once, on one line unless a message has more.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::describe;

    #[test]
    fn causes_are_told_once_each() {
        let error = Err::<(), _>(anyhow::anyhow!("no such file"))
            .context("failed to read x: no such file")
            .context("failed to start");
        let error = error.expect_err("built as an error");
        assert_eq!(
            describe(&error),
            "failed to start: failed to read x: no such file"
        );
    }
}
