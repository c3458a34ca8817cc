//! Real senders: the clients of OpenTelemetry, Jaeger, Zipkin and OpenCensus, in pinned versions, send traces to a
//! running `spanloom`, which are read back from both APIs and compared field by field; then the process is
//! stopped, started on the same data and asked again. `engine/server/tests/clients/check.py` does the comparing.
//!
//! Everything is installed below `target/clients`.

mod install;

use std::path::Path;
use std::time::Instant;

use crate::checks;
use crate::repo::Repo;
use crate::steps::Outcome;

const SCRIPTS: &str = "engine/server/tests/clients";

/// The step of `cargo xtask test`.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    match checks::spanloom(repo) {
        Some(binary) => run(repo, &binary, None),
        None => Ok(Outcome::Skipped("there is no spanloom-server".to_owned())),
    }
}

/// `cargo xtask clients [--spanloom PATH] [--only NAME]`; a name stands for all that begin so.
pub fn command(repo: &Repo, words: &[&str]) -> Result<bool, String> {
    let (mut binary, mut only) = (None, None);
    for pair in words.chunks(2) {
        match *pair {
            ["--spanloom", path] => {
                let path = std::path::absolute(path).map_err(|e| format!("{path} is no path: {e}"))?;
                binary = Some(path);
            }
            ["--only", name] => only = Some(name),
            _ => return Err(format!("`{}`, expected --spanloom PATH or --only NAME", pair.join(" "))),
        }
    }
    if binary.is_none() {
        checks::build(repo)?;
        binary = checks::spanloom(repo);
    }
    let binary = binary.ok_or("there is no spanloom-server in the workspace, expected --spanloom PATH")?;
    let outcome = run(repo, &binary, only)?;
    if let Outcome::Ran { passed, failed } = outcome {
        println!("{passed} passed, {failed} failed");
    }
    Ok(outcome.is_good())
}

fn run(repo: &Repo, binary: &Path, only: Option<&str>) -> Result<Outcome, String> {
    let scripts = repo.root.join(SCRIPTS);
    let home = repo.target().join("clients");
    let start = Instant::now();
    install::all(repo, &scripts, &home)?;
    println!("the senders are installed, {:.1} s", start.elapsed().as_secs_f64());
    let result = home.join("result.txt");
    let _ = std::fs::remove_file(&result); // it may not be there
    let checked = repo
        .command(install::interpreter(&home, "otlp"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args([scripts.join("check.py").into_os_string()])
        .args(["--spanloom".into(), binary.as_os_str().to_owned()])
        .args(["--clients".into(), home.into_os_string()])
        .args(["--result".into(), result.clone().into_os_string()])
        .args(only.into_iter().flat_map(|name| ["--only", name]))
        .run();
    Outcome::counted(checked, &result)
}
