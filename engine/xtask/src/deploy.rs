//! `docs/deploy`, checked by pinned tools: Compose files, Kubernetes objects, the Helm chart, nginx, systemd, and every
//! configuration by the binary itself. `engine/server/tests/deploy/check.py` says what exactly, and plants mistakes to
//! see that they are found.
//!
//! Everything is installed below `target/deploy`. Nothing is started or deployed.

use std::path::Path;
use std::time::Instant;

use crate::repo::Repo;
use crate::steps::Outcome;
use crate::{checks, install};

const SCRIPTS: &str = "engine/server/tests/deploy";

/// The step of `cargo xtask test`.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    match checks::spanloom(repo) {
        // The package that Helm comes in has it for this kind of machine alone.
        Some(_) if !cfg!(all(target_os = "linux", target_arch = "x86_64")) => {
            Ok(Outcome::Skipped("helm is there for Linux on x86-64 alone".to_owned()))
        }
        Some(binary) => run(repo, &binary),
        None => Ok(Outcome::Skipped("there is no spanloom-server".to_owned())),
    }
}

/// `cargo xtask deploy [--spanloom PATH]`.
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
    let (scripts, home) = (repo.root.join(SCRIPTS), repo.target().join("deploy"));
    let start = Instant::now();
    let environment = home.join("python");
    let pins = scripts.join("requirements.txt");
    install::environment(repo, &install::find_python(repo)?, &pins, &environment)?;
    println!("the tools are installed, {:.1} s", start.elapsed().as_secs_f64());
    let result = home.join("result.txt");
    let _ = std::fs::remove_file(&result); // it may not be there
    let checked = repo
        .command(install::interpreter(&environment))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args([scripts.join("check.py").into_os_string()])
        .args(["--spanloom".into(), binary.as_os_str().to_owned()])
        .args(["--root".into(), repo.root.clone().into_os_string()])
        .args(["--home".into(), home.into_os_string()])
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
        for name in ["check.py", "planted.py", "requirements.txt", "yamllint.yaml"] {
            assert!(scripts.join(name).exists(), "{name}");
        }
    }
}
