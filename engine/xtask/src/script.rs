//! Checks that are written in Python, with pinned packages: a step of `cargo xtask test`, and a command of its own that
//! can be given another binary.
//!
//! Each has a folder with `check.py` and `requirements.txt`, and a folder below `target/` where all is installed.

use std::path::Path;
use std::time::Instant;

use crate::repo::Repo;
use crate::steps::Outcome;
use crate::{checks, install};

/// A script that checks the binary.
pub struct Script {
    /// Its command and the folder below `target/`.
    pub name: &'static str,
    /// Its folder in the repository.
    pub folder: &'static str,
    /// What is installed for it, as it is told.
    pub installs: &'static str,
}

impl Script {
    /// The step of `cargo xtask test`.
    pub fn step(&self, repo: &Repo) -> Result<Outcome, String> {
        match checks::spanloom(repo) {
            Some(binary) => self.run(repo, &binary),
            None => Ok(Outcome::Skipped("there is no spanloom-server".to_owned())),
        }
    }

    /// `cargo xtask NAME [--spanloom PATH]`.
    pub fn command(&self, repo: &Repo, words: &[&str]) -> Result<bool, String> {
        let binary = match *words {
            [] => {
                checks::build(repo)?;
                checks::spanloom(repo)
                    .ok_or("there is no spanloom-server in the workspace, expected --spanloom PATH")?
            }
            ["--spanloom", path] => {
                std::path::absolute(path).map_err(|error| format!("{path} is no path: {error}"))?
            }
            _ => return Err(format!("`{}`, expected --spanloom PATH", words.join(" "))),
        };
        self.run(repo, &binary).map(|outcome| outcome.is_good())
    }

    fn run(&self, repo: &Repo, binary: &Path) -> Result<Outcome, String> {
        let (scripts, home) = (repo.root.join(self.folder), repo.target().join(self.name));
        let start = Instant::now();
        let environment = home.join("python");
        let pins = scripts.join("requirements.txt");
        install::environment(repo, &install::find_python(repo)?, &pins, &environment)?;
        println!("{} are installed, {:.1} s", self.installs, start.elapsed().as_secs_f64());
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

    /// Fails unless these lie in its folder.
    #[cfg(test)]
    #[track_caller]
    pub fn has(&self, names: &[&str]) {
        let folder = Repo::find().unwrap().root.join(self.folder);
        for name in names {
            assert!(folder.join(name).exists(), "{name}");
        }
    }
}
