//! Installing what tests need, in pinned versions, below `target/`: environments of Python and folders of Node
//! modules. Only once, and again when a pin changes.

use std::path::{Path, PathBuf};

use crate::repo::Repo;

/// The minor versions of Python 3 that all pins have packages for.
const MINORS: std::ops::RangeInclusive<u32> = 10..=13;

/// Prints the version, if environments can be made at all: some systems have Python without `venv`.
const ASK: &str = "import ensurepip, platform, venv; print(platform.python_version())";

/// The interpreter of an environment.
pub fn interpreter(environment: &Path) -> PathBuf {
    environment.join("bin").join("python")
}

/// A Python that our pins run on.
#[derive(Debug, PartialEq, Eq)]
pub struct Python {
    program: PathBuf,
    version: String,
}

/// The one that is called `python3`; else one that is called by its version; else one that pyenv keeps.
pub fn find_python(repo: &Repo) -> Result<Python, String> {
    let named = MINORS.rev().map(|minor| format!("python3.{minor}").into());
    let candidates = std::iter::once("python3".into()).chain(named).chain(kept_by_pyenv());
    choose(candidates, |program| repo.command(program).args(["-c", ASK]).output())
}

/// The first candidate whose answer is a version that our pins run on.
fn choose(
    candidates: impl Iterator<Item = PathBuf>,
    ask: impl Fn(&Path) -> Result<String, String>,
) -> Result<Python, String> {
    let mut found = Vec::new();
    for program in candidates {
        let Ok(answer) = ask(&program) else { continue };
        let version = answer.trim().to_owned();
        let minor = version.strip_prefix("3.").and_then(|rest| rest.split('.').next()?.parse().ok());
        if minor.is_some_and(|minor| MINORS.contains(&minor)) {
            return Ok(Python { program, version });
        }
        found.push(format!("{} is {version}", program.display()));
    }
    let found = if found.is_empty() { "no Python that has venv".to_owned() } else { found.join(", ") };
    let (first, last) = (MINORS.start(), MINORS.end());
    Err(format!(
        "the tests run on Python 3.{first} to 3.{last} with its module venv, found {found}; \
         install one of them as python3 or python3.N (Debian: python3-venv)"
    ))
}

/// What pyenv keeps, newest names first.
fn kept_by_pyenv() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let listed = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let mut kept: Vec<PathBuf> =
        listed.into_iter().flatten().flatten().map(|entry| entry.path().join("bin").join("python")).collect();
    kept.sort();
    kept.reverse();
    kept
}

/// A virtual environment in `home`, with the packages that a file pins.
pub fn environment(repo: &Repo, python: &Python, requirements: &Path, home: &Path) -> Result<(), String> {
    let pins = read(requirements)? + &python.version;
    install_once(home, &pins, || {
        repo.command(&python.program).args(["-m", "venv"]).args([home]).run()?;
        let pip =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
        repo.command(interpreter(home)).args(pip).args([requirements]).run()
    })
}

/// A folder with the `node_modules` that the lock file in `from` pins, and the scripts that lie there beside them,
/// since modules are looked up from there.
pub fn node_modules(repo: &Repo, from: &Path, home: &Path) -> Result<(), String> {
    let version = repo.command("node").args(["--version"]).output()?;
    let (package, lock) = (read(&from.join("package.json"))?, read(&from.join("package-lock.json"))?);
    install_once(home, &format!("{package}{lock}{version}"), || {
        write(&home.join("package.json"), &package)?;
        write(&home.join("package-lock.json"), &lock)?;
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        repo.command(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).dir(home).run()
    })?;
    let entries = std::fs::read_dir(from).map_err(|e| format!("cannot list {}: {e}", from.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if let (Some("mjs"), Some(name)) = (path.extension().and_then(|e| e.to_str()), path.file_name()) {
            write(&home.join(name), &read(&path)?)?;
        }
    }
    Ok(())
}

/// Installs into an empty folder, unless it holds what the same pins installed before.
pub fn install_once(
    home: &Path,
    pins: &str,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let stamp = home.join("installed-pins.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(());
    }
    let _ = std::fs::remove_dir_all(home); // it may not be there
    std::fs::create_dir_all(home).map_err(|e| format!("cannot create {}: {e}", home.display()))?;
    install()?;
    write(&stamp, pins)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installs_again_only_for_other_pins() {
        let home = std::env::temp_dir().join(format!("spanloom-xtask-{}", std::process::id()));
        let mut installs = 0;
        for (pins, expected) in [("a==1", 1), ("a==1", 1), ("a==2", 2)] {
            install_once(&home, pins, || {
                installs += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(installs, expected, "{pins}");
        }
        assert!(install_once(&home, "a==3", || Err("no network".to_owned())).is_err());
        install_once(&home, "a==3", || Ok(())).unwrap();
        std::fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn the_first_python_of_the_right_age_is_chosen() {
        #[track_caller]
        fn check(machine: &[(&str, &str)], expected: Result<&str, &str>) {
            let programs = machine.iter().map(|(program, _)| PathBuf::from(program));
            let ask = |program: &Path| {
                let (_, answer) = machine.iter().find(|(name, _)| Path::new(name) == program).unwrap();
                if answer.is_empty() { Err("cannot start".to_owned()) } else { Ok(format!("{answer}\n")) }
            };
            let chosen = choose(programs, ask).map(|python| python.program.display().to_string());
            match (chosen, expected) {
                (Ok(program), Ok(expected)) => assert_eq!(program, expected),
                (Err(problem), Err(expected)) => assert!(problem.contains(expected), "{problem}"),
                (chosen, expected) => panic!("{chosen:?}, expected {expected:?}"),
            }
        }
        check(&[("python3", "3.11.2"), ("python3.13", "3.13.0")], Ok("python3"));
        check(&[("python3", "3.9.2"), ("python3.13", ""), ("python3.12", "3.12.1")], Ok("python3.12"));
        check(&[("python3", "3.14.0"), ("kept", "3.10.13")], Ok("kept"));
        check(
            &[("python3", "3.14.0"), ("python", "2.7.18")],
            Err("found python3 is 3.14.0, python is 2.7.18;"),
        );
        check(&[("python3", "")], Err("found no Python that has venv;"));
    }
}
