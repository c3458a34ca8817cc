//! The steps that are cargo commands: format, lints, builds, tests.
//!
//! All of them build in the `test` profile with the whole workspace's features, so that each crate is
//! compiled once and shared; only clippy, which compiles nothing, stands beside it.

use std::path::PathBuf;

use serde_json::Value;

use crate::repo::Repo;
use crate::steps::Outcome;

/// Where the binary's crate lies.
const SERVER: &str = "engine/server/Cargo.toml";

/// Makes sure that rustfmt and clippy are there; asks rustup for them when they are not.
pub fn tools(repo: &Repo) -> Result<Outcome, String> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if repo.cargo().args([command, "--version"]).output().is_err() {
            repo.command("rustup").args(["component", "add", component]).run()?;
        }
    }
    Ok(Outcome::PASSED)
}

/// `cargo fmt --check`.
pub fn format(repo: &Repo) -> Result<Outcome, String> {
    repo.cargo().args(["fmt", "--all", "--check"]).run()?;
    Ok(Outcome::PASSED)
}

/// `cargo clippy`, every warning an error.
pub fn clippy(repo: &Repo) -> Result<Outcome, String> {
    repo.cargo()
        .args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
        .run()?;
    Ok(Outcome::PASSED)
}

/// Builds all tests, benches, examples and binaries.
pub fn build(repo: &Repo) -> Result<Outcome, String> {
    repo.cargo().args(["build", "--workspace", "--all-targets", "--profile", "test", "--locked"]).run()?;
    Ok(Outcome::PASSED)
}

/// The tests, by nextest when it is installed.
pub fn unit(repo: &Repo) -> Result<Outcome, String> {
    if repo.cargo().args(["nextest", "--version"]).output().is_ok() {
        repo.cargo()
            .args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--no-tests", "pass"])
            .run()?;
    } else {
        let kinds = ["--lib", "--bins", "--tests"];
        repo.cargo().args(["test", "--workspace", "--locked", "--no-fail-fast"]).args(kinds).run()?;
    }
    Ok(Outcome::PASSED)
}

/// The examples in the documentation.
pub fn doc(repo: &Repo) -> Result<Outcome, String> {
    repo.cargo().args(["test", "--workspace", "--locked", "--doc"]).run()?;
    Ok(Outcome::PASSED)
}

/// Every bench, as a test: each case once.
pub fn benches(repo: &Repo) -> Result<Outcome, String> {
    let found = targets(repo, "bench")?;
    let run = |package: &str, name: &str| {
        repo.cargo().args(["test", "--locked", "--package", package, "--bench", name]).run()
    };
    run_each(&found, "there is no bench", run)
}

/// Every example; one that ends with a failure has failed.
pub fn examples(repo: &Repo) -> Result<Outcome, String> {
    let found = targets(repo, "example")?;
    let built = repo.target().join("debug").join("examples");
    run_each(&found, "there is no example", |_, name| repo.command(built.join(name)).run())
}

fn run_each(
    found: &[(String, String)],
    none: &str,
    run: impl Fn(&str, &str) -> Result<(), String>,
) -> Result<Outcome, String> {
    if found.is_empty() {
        return Ok(Outcome::Skipped(none.to_owned()));
    }
    let (mut passed, mut failed) = (0, 0);
    for (package, name) in found {
        match run(package, name) {
            Ok(()) => passed += 1,
            Err(problem) => {
                println!("{problem}");
                failed += 1;
            }
        }
    }
    Ok(Outcome::Ran { passed, failed })
}

/// Package and name of every target of a kind.
fn targets(repo: &Repo, kind: &str) -> Result<Vec<(String, String)>, String> {
    let text = repo.cargo().args(["metadata", "--offline", "--no-deps", "--format-version", "1"]).output()?;
    let json: Value = serde_json::from_str(&text).map_err(|e| format!("cannot read cargo metadata: {e}"))?;
    let mut found = Vec::new();
    for package in json["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            if target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind)) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.push((text(&package["name"]), text(&target["name"])));
            }
        }
    }
    Ok(found)
}

/// The binary that the `build` step left, or `None` when the workspace has no such crate.
pub fn spanloom(repo: &Repo) -> Option<PathBuf> {
    let name = format!("spanloom{}", std::env::consts::EXE_SUFFIX);
    repo.root.join(SERVER).exists().then(|| repo.target().join("debug").join(name))
}
