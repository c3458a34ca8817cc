//! The servers of the tests of stores and caches: moto (S3), a server of Google's protocol, Azurite, memcached and
//! Redis, in pinned versions, installed below `target/stores` and run on free ports of the loopback address.
//!
//! `storage/bucket/tests/servers/servers.py` starts and stops them: they end when this process does, in whichever way.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use crate::install;
use crate::repo::Repo;
use crate::steps::Outcome;

const SCRIPTS: &str = "storage/bucket/tests/servers";

/// Where memcached comes from when the system has none.
const MEMCACHED_PACKAGE: &str = "memcached";

/// The tests that need the servers, and skip what they would do without them.
const TESTS: [&str; 3] = ["conformance", "shared", "store_down"];

/// The step of `cargo xtask test`.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    let tests = TESTS.iter().flat_map(|test| ["--test", test]);
    with_servers(repo, |servers| {
        let mut cargo = repo.cargo().args(["test", "--workspace", "--locked"]).args(tests);
        for (name, value) in servers {
            cargo = cargo.env(name, value);
        }
        cargo.run()
    })?;
    Ok(Outcome::PASSED)
}

/// `cargo xtask stores PROGRAM [ARGUMENT]...`: runs a program beside the servers.
pub fn command(repo: &Repo, words: &[&str]) -> Result<bool, String> {
    let [program, arguments @ ..] = words else {
        return Err("no program, expected `stores PROGRAM [ARGUMENT]...`, as `stores env`".to_owned());
    };
    with_servers(repo, |servers| {
        let mut command = repo.command(program).args(arguments.iter().copied());
        for (name, value) in servers {
            command = command.env(name, value);
        }
        command.run()
    })?;
    Ok(true)
}

/// Does something while the servers run. It is given the environment that tells tests where they are:
/// `SPANLOOM_TEST_S3`, `_S3_WITH_KEYS` with `_S3_KEY_ID` and `_S3_KEY`, `_GCS`, `_GCS_TLS` with `_CA`, `_AZURE`
/// (addresses with `http://`), `_MEMCACHED` and `_REDIS` (host and port), and `SPANLOOM_TEST_REQUIRED`, by which a test knows that it must not do
/// without. The stores have the bucket `spanloom-test`.
pub fn with_servers<T>(
    repo: &Repo,
    work: impl FnOnce(&BTreeMap<String, String>) -> Result<T, String>,
) -> Result<T, String> {
    let start = Instant::now();
    let home = repo.target().join("stores");
    let memcached = install_all(repo, &home)?;
    println!("the servers are installed, {:.1} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let (servers, environment) = Servers::start(repo, &home, &memcached)?;
    println!("the servers run, {:.1} s", start.elapsed().as_secs_f64());
    let result = work(&environment);
    servers.stop();
    result
}

/// A program, and where its libraries are if the system has none.
struct Program {
    path: PathBuf,
    libraries: Option<PathBuf>,
}

/// Installs everything that is not there yet.
fn install_all(repo: &Repo, home: &Path) -> Result<Program, String> {
    let scripts = repo.root.join(SCRIPTS);
    let python = install::find_python(repo)?;
    let pins = scripts.join("requirements.txt");
    let (packages, modules) = std::thread::scope(|scope| {
        let packages = scope.spawn(|| install::environment(repo, &python, &pins, &home.join("python")));
        let modules = install::node_modules(repo, &scripts, &home.join("node"));
        (packages.join(), modules)
    });
    packages.map_err(|_| "an installation panicked".to_owned())??;
    modules?;
    memcached(repo, home)
}

/// The system's memcached, or that of its distribution, unpacked beside the rest: installing it would start it.
fn memcached(repo: &Repo, home: &Path) -> Result<Program, String> {
    let named = PathBuf::from(MEMCACHED_PACKAGE);
    if repo.command(&named).args(["-V"]).output().is_ok() {
        return Ok(Program { path: named, libraries: None });
    }
    let home = home.join("debian");
    let libraries = home.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
    let program = Program { path: home.join("usr/bin/memcached"), libraries: Some(libraries) };
    install::install_once(&home, MEMCACHED_PACKAGE, || unpack(repo, &home)).map_err(|problem| {
        format!("there is no memcached, and it cannot be had from Debian's packages: {problem}")
    })?;
    Ok(program)
}

/// Fetches the package, and those that it needs and the system lacks, and unpacks them into `home`.
fn unpack(repo: &Repo, home: &Path) -> Result<(), String> {
    let fetched = home.join("packages");
    let partial = fetched.join("partial");
    std::fs::create_dir_all(&partial).map_err(|e| format!("cannot create {}: {e}", partial.display()))?;
    let mut folder = std::ffi::OsString::from("Dir::Cache::archives=");
    folder.push(&fetched);
    repo.command("apt-get").args(["--quiet", "update"]).run()?;
    repo.command("apt-get")
        .args(["--quiet", "--yes", "--no-install-recommends", "--download-only", "--option"])
        .args([folder])
        .args(["install", MEMCACHED_PACKAGE])
        .run()?;
    let entries =
        std::fs::read_dir(&fetched).map_err(|e| format!("cannot list {}: {e}", fetched.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "deb") {
            repo.command("dpkg").args(["--extract".into(), path.into_os_string()]).args([home]).run()?;
        }
    }
    Ok(())
}

/// The servers while they run. They end when this is dropped.
struct Servers {
    process: Child,
    /// They run until this ends.
    input: Option<ChildStdin>,
}

impl Servers {
    /// Starts them, waits until all answer, and yields the environment for the tests.
    fn start(
        repo: &Repo,
        home: &Path,
        memcached: &Program,
    ) -> Result<(Self, BTreeMap<String, String>), String> {
        let mut command = Command::new(install::interpreter(&home.join("python")));
        command.arg("-B").arg(repo.root.join(SCRIPTS).join("servers.py"));
        command.arg("--home").arg(home).arg("--memcached").arg(&memcached.path);
        if let Some(libraries) = &memcached.libraries {
            command.arg("--libraries").arg(libraries);
        }
        command.current_dir(&repo.root).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|e| format!("cannot start the servers: {e}"))?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let servers = Self { process, input };
        let output = output.ok_or("the servers' output cannot be read")?;
        let mut environment = BTreeMap::from([("SPANLOOM_TEST_REQUIRED".to_owned(), "1".to_owned())]);
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|e| format!("the servers' output cannot be read: {e}"))?;
            match line.split_once('=') {
                Some((name, value)) => environment.insert(name.to_owned(), value.to_owned()),
                None if line == "ready" => return Ok((servers, environment)),
                None => return Err(format!("the servers said `{line}`, expected NAME=value or `ready`")),
            };
        }
        Err("a server does not run; what it said stands above".to_owned())
    }

    /// Stops them, and waits until they are gone.
    fn stop(self) {
        drop(self);
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait(); // it has ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_lies_beside_the_script() {
        let scripts = Repo::find().unwrap().root.join(SCRIPTS);
        for name in ["servers.py", "gcs.py", "requirements.txt", "package.json", "package-lock.json"] {
            assert!(scripts.join(name).exists(), "{name}");
        }
    }
}
