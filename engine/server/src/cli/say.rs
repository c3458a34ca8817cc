//! What is printed: results to standard output, failures to standard error.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// Prints a result. A closed pipe (`| head`) is no failure.
pub(super) fn out(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// Prints a failure.
pub(super) fn failed(error: impl Display) -> ExitCode {
    tell(error);
    ExitCode::FAILURE
}

/// Prints what is wrong with what was given; nothing was begun, and trying again changes nothing.
pub(super) fn refused(error: impl Display) -> ExitCode {
    tell(error);
    ExitCode::from(2)
}

fn tell(error: impl Display) {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "spanloom: {error}");
}
