//! `spanloom load`: the load generator.

use std::process::ExitCode;

use clap::Args;
use spanloom_load::{LoadOptions, Progress};

use super::say;

/// Flags of `load`.
#[derive(Debug, Args)]
#[command(after_help = spanloom_load::options::EXAMPLES)]
pub(super) struct LoadFlags {
    #[command(flatten)]
    options: LoadOptions,
}

pub(super) fn run(flags: LoadFlags) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say::failed(format!("the runtime could not be started: {error}")),
    };
    let json = flags.options.json;
    match runtime.block_on(spanloom_load::run(flags.options, Progress::Auto)) {
        Err(error) => say::failed(error),
        Ok(report) => {
            let text = if json { report.to_json() } else { report.to_string() };
            match say::out(&format!("{text}\n")) {
                ExitCode::SUCCESS if report.is_ok() => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            }
        }
    }
}
