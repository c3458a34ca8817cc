//! The chores of the house: `cargo xtask tidy | test | sim | clients | export | deploy | stores | config-docs | fuzz |
//! fuzz-seeds`.
//!
//! | file | holds |
//! |---|---|
//! | `repo.rs` | the repository: its root, its files, running a command in it |
//! | `tidy/` | the laws as code |
//! | `steps.rs` | the table of steps that `cargo xtask test` runs, and the runner |
//! | `checks.rs` | the steps that are cargo commands: format, lints, builds, tests |
//! | `clients.rs`, `clients/` | real senders: installs them in pinned versions and runs them against a `spanloom` |
//! | `script.rs` | checks that are written in Python |
//! | `export.rs` | readers of others, which read what is exported |
//! | `deploy.rs` | what `docs/deploy` gives to copy, rendered, linted, and its configurations read |
//! | `stores.rs` | the servers of stores and caches, and the tests that need them |
//! | `install.rs` | Python environments and Node modules in pinned versions |
//! | `generated.rs` | files that the binary writes and the repository keeps |
//! | `sim.rs` | the simulated cluster |
//! | `fuzz.rs` | fuzz targets and their seeds |
//!
//! **Invariant:** nothing here is part of the product; no other crate depends on it.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command line speaks to its terminal

mod checks;
mod clients;
mod deploy;
mod export;
mod fuzz;
mod generated;
mod install;
mod repo;
mod script;
mod sim;
mod steps;
mod stores;
mod tidy;

use std::process::ExitCode;

use repo::Repo;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy                     check the laws of the house (folders, doors, files, links)
  test [--quick] [--only STEP]... [--skip STEP]... [--list]
                           everything that CI runs; --quick leaves out what takes minutes
  clients [--spanloom PATH] [--only NAME]
                           OpenTelemetry, Jaeger, Zipkin and OpenCensus clients send traces to a running
                           spanloom, which are read back; NAME stands for all that begin so
  export [--spanloom PATH] DuckDB, pyarrow and pandas read what `spanloom block export` writes
  deploy [--spanloom PATH] render and lint what docs/deploy has, and have spanloom read its configurations
  stores PROGRAM [ARGUMENT]...
                           run a program beside servers of S3, Google's and Azure's stores, memcached and
                           Redis, which its environment names (`stores env` prints them)
  sim [--seeds N] [--seed S] [--hours H] [--twice] [--leaves] [--watch TRACE] [--quiet]
                           simulate clusters, by N seeds from S on, H simulated hours each
  crash [ROUNDS]           kill -9 under load, restart, read everything back; 200 rounds by default
  overload [SECONDS]       far more load than the memory budget can take; 60 seconds by default
  config-docs [--check]    write docs/CONFIG.md from the binary, or compare the two
  fuzz TARGET [--seconds N]
                           run a fuzz target, or all of them, for 60 seconds or so many
  fuzz-seeds               write the seeds in engine/fuzz/corpus anew
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Runs one command; `Ok(false)` means that it ran and found something wrong.
fn run(words: &[&str]) -> Result<bool, String> {
    let repo = Repo::find()?;
    match words {
        ["tidy"] => tidy::report(&repo),
        ["test", rest @ ..] => steps::run(&repo, rest),
        ["clients", rest @ ..] => clients::command(&repo, rest),
        ["export", rest @ ..] => export::EXPORT.command(&repo, rest),
        ["deploy", rest @ ..] => deploy::DEPLOY.command(&repo, rest),
        ["stores", rest @ ..] => stores::command(&repo, rest),
        ["sim", rest @ ..] => sim::command(&repo, rest),
        ["crash"] => checks::server_test(&repo, "crash", "SPANLOOM_CRASH_ROUNDS", "200"),
        ["crash", rounds] => checks::server_test(&repo, "crash", "SPANLOOM_CRASH_ROUNDS", rounds),
        ["overload"] => checks::server_test(&repo, "overload", "SPANLOOM_OVERLOAD_SECONDS", "60"),
        ["overload", seconds] => checks::server_test(&repo, "overload", "SPANLOOM_OVERLOAD_SECONDS", seconds),
        ["config-docs"] => generated::write(&repo),
        ["config-docs", "--check"] => generated::check(&repo).map(|outcome| outcome.is_good()),
        ["fuzz", rest @ ..] => fuzz::command(&repo, rest),
        ["fuzz-seeds"] => fuzz::write_seeds(&repo),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(true)
        }
        [] => Err(format!("no command given\n{USAGE}")),
        other => Err(format!("unknown command `{}`\n{USAGE}", other.join(" "))),
    }
}
