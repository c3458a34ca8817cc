//! Readers of others: DuckDB, pyarrow and pandas, in pinned versions, read what `spanloom block export` writes.
//! `engine/server/tests/export/check.py` sends spans, exports them and compares.
//!
//! Everything is installed below `target/export`.

use std::path::Path;
use std::time::Instant;

use crate::repo::Repo;
use crate::steps::Outcome;
use crate::{checks, install};

const SCRIPTS: &str = "engine/server/tests/export";

/// The step of `cargo xtask test`.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    match checks::spanloom(repo) {
        Some(binary) => run(repo, &binary),
        None => Ok(Outcome::Skipped("there is no spanloom-server".to_owned())),
    }
}

/// `cargo xtask export [--spanloom PATH]`.
pub fn command(repo: &Repo, words: &[&str]) -> Result<bool, String> {
    let binary = match *words {
        [] => {
            checks::build(repo)?;
            checks::spanloom(repo)
                .ok_or("there is no spanloom-server in the workspace, expected --spanloom PATH")?
        }
        ["--spanloom", path] => std::path::absolute(path).map_err(|e| format!("{path} is no path: {e}"))?,
        _ => return Err(format!("`{}`, expected --spanloom PATH", words.join(" "))),
    };
    run(repo, &binary).map(|outcome| outcome.is_good())
}

fn run(repo: &Repo, binary: &Path) -> Result<Outcome, String> {
    let (scripts, home) = (repo.root.join(SCRIPTS), repo.target().join("export"));
    let start = Instant::now();
    let environment = home.join("python");
    let pins = scripts.join("requirements.txt");
    install::environment(repo, &install::find_python(repo)?, &pins, &environment)?;
    println!("the readers are installed, {:.1} s", start.elapsed().as_secs_f64());
    let result = home.join("result.txt");
    let _ = std::fs::remove_file(&result); // it may not be there
    let checked = repo
        .command(install::interpreter(&environment))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args([scripts.join("check.py").into_os_string()])
        .args(["--spanloom".into(), binary.as_os_str().to_owned()])
        .args(["--result".into(), result.clone().into_os_string()])
        .run();
    Outcome::counted(checked, &result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_lies_beside_the_script() {
        let scripts = Repo::find().unwrap().root.join(SCRIPTS);
        for name in ["check.py", "made.py", "requirements.txt"] {
            assert!(scripts.join(name).exists(), "{name}");
        }
    }
}
