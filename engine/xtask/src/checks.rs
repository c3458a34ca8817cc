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

/// One of the server's long tests, for as long as asked.
pub fn server_test(repo: &Repo, test: &str, knob: &str, value: &str) -> Result<bool, String> {
    value.parse::<u32>().map_err(|_| format!("`{value}`, expected a number"))?;
    let test = ["test", "--workspace", "--locked", "--test", test, "--", "--nocapture"];
    repo.cargo().args(test).env(knob, value).run()?;
    Ok(true)
}

/// The examples in the documentation.
pub fn doc(repo: &Repo) -> Result<Outcome, String> {
    repo.cargo().args(["test", "--workspace", "--locked", "--doc"]).run()?;
    Ok(Outcome::PASSED)
}

/// Every example; one that ends with a failure has failed.
pub fn examples(repo: &Repo) -> Result<Outcome, String> {
    let built = repo.target().join("debug").join("examples");
    let (mut passed, mut failed) = (0, 0);
    for name in examples_of_workspace(repo)? {
        match repo.command(built.join(name)).run() {
            Ok(()) => passed += 1,
            Err(problem) => {
                println!("{problem}");
                failed += 1;
            }
        }
    }
    if passed + failed == 0 {
        return Ok(Outcome::Skipped("there is no example".to_owned()));
    }
    Ok(Outcome::Ran { passed, failed })
}

/// The name of every example.
fn examples_of_workspace(repo: &Repo) -> Result<Vec<String>, String> {
    let text = repo.cargo().args(["metadata", "--offline", "--no-deps", "--format-version", "1"]).output()?;
    let json: Value = serde_json::from_str(&text).map_err(|e| format!("cannot read cargo metadata: {e}"))?;
    let packages = json["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let is_example =
        |target: &&Value| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == "example"));
    Ok(targets.filter(is_example).filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

/// The binary that the `build` step left, or `None` when the workspace has no such crate.
pub fn spanloom(repo: &Repo) -> Option<PathBuf> {
    let name = format!("spanloom{}", std::env::consts::EXE_SUFFIX);
    repo.root.join(SERVER).exists().then(|| repo.target().join("debug").join(name))
}
