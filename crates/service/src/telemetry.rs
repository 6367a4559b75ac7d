//! Logs: one sentence and its fields per line, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Libraries that log errors which they also return, with a backtrace in the text: whoever handles the error logs it once.
const SILENCED: &str = "buoyant_kernel=off,delta_kernel=off";

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `filter` is in the syntax of `RUST_LOG`, such as `info` or `gamepipe_api=debug`.
/// Does nothing when logging has been started already.
///
/// # Errors
/// Why `filter` can't be understood; nothing has been started then.
pub fn start_logging(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter =
        EnvFilter::try_new(format!("{SILENCED},{filter}")).map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start (tests) is not an error.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
