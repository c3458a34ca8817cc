//! Real senders: OpenTelemetry SDKs, installed in pinned versions, send traces to a running `spanloom`, which
//! are read back from both APIs and compared field by field; then the process is stopped, started on the same
//! data and asked again. The comparing is done by `engine/server/tests/clients/check.py`.
//!
//! Everything is installed below `target/clients`, and again only when a pin changes.

use std::path::{Path, PathBuf};

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

/// `cargo xtask clients [--spanloom PATH] [--only SENDER]`.
pub fn command(repo: &Repo, words: &[&str]) -> Result<bool, String> {
    let (mut binary, mut only) = (None, None);
    for pair in words.chunks(2) {
        match *pair {
            ["--spanloom", path] => {
                let path = std::path::absolute(path).map_err(|e| format!("{path} is no path: {e}"))?;
                binary = Some(path);
            }
            ["--only", sender] => only = Some(sender),
            _ => return Err(format!("`{}`, expected --spanloom PATH or --only SENDER", pair.join(" "))),
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
    let python = install_python(repo, &scripts, &home.join("python"))?;
    let node = install_node(repo, &scripts, &home.join("node"))?;
    let result = home.join("result.txt");
    let _ = std::fs::remove_file(&result); // it may not be there
    let checked = repo
        .command(python)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args([scripts.join("check.py").into_os_string()])
        .args(["--spanloom".into(), binary.as_os_str().to_owned()])
        .args(["--node-dir".into(), node.into_os_string()])
        .args(["--result".into(), result.clone().into_os_string()])
        .args(only.into_iter().flat_map(|sender| ["--only", sender]))
        .run();
    let counts = std::fs::read_to_string(&result).unwrap_or_default();
    match counts.split_whitespace().map(str::parse).collect::<Result<Vec<usize>, _>>().as_deref() {
        Ok([passed, failed]) if checked.is_ok() || *failed > 0 => {
            Ok(Outcome::Ran { passed: *passed, failed: *failed })
        }
        _ => Err(checked.err().unwrap_or_else(|| "check.py did not say what passed".to_owned())),
    }
}

/// A virtual environment with the pinned packages; answers with its interpreter.
fn install_python(repo: &Repo, scripts: &Path, home: &Path) -> Result<PathBuf, String> {
    let version = repo.command("python3").args(["--version"]).output()?;
    let requirements = scripts.join("requirements.txt");
    let pins = read(&requirements)? + &version;
    let python = home.join("bin").join("python");
    install_once(home, &pins, || {
        repo.command("python3").args(["-m", "venv"]).args([home]).run()?;
        let pip =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
        repo.command(&python).args(pip).args([&requirements]).run()
    })?;
    Ok(python)
}

/// A folder with the pinned `node_modules` and the sender beside it, since modules are looked up from there.
fn install_node(repo: &Repo, scripts: &Path, home: &Path) -> Result<PathBuf, String> {
    let version = repo.command("node").args(["--version"]).output()?;
    let (package, lock) = (read(&scripts.join("package.json"))?, read(&scripts.join("package-lock.json"))?);
    install_once(home, &format!("{package}{lock}{version}"), || {
        write(&home.join("package.json"), &package)?;
        write(&home.join("package-lock.json"), &lock)?;
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        repo.command(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).dir(home).run()
    })?;
    write(&home.join("send.mjs"), &read(&scripts.join("send.mjs"))?)?;
    Ok(home.to_path_buf())
}

/// Installs into an empty folder, unless it holds what the same pins installed before.
fn install_once(home: &Path, pins: &str, install: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
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
}
