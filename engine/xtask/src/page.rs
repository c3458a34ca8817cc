//! The web page: built from its sources and compared with what is committed, its component tests, and a real browser
//! that drives it against a running `spanloom`. `engine/api/page/e2e/check.mjs` says what exactly.
//!
//! Everything is installed and built below `target/page`; pictures for a person to look at are in
//! `target/page/pictures`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::repo::Repo;
use crate::steps::Outcome;
use crate::{checks, install};

/// The sources, and what is built from them in `dist`.
const SOURCES: &str = "engine/api/page";

/// What lies beside the sources and is not copied.
const LEFT_OUT: [&str; 2] = ["node_modules", "dist"];

/// What a Chromium may be called.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Where it comes from when there is none.
const BROWSER_PACKAGE: &str = "chromium";

/// The step of `cargo xtask test`.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    match checks::spanloom(repo) {
        Some(binary) => run(repo, &binary, &[]),
        None => Ok(Outcome::Skipped("there is no spanloom-server".to_owned())),
    }
}

/// `cargo xtask page [--write | --spanloom PATH] [--only PART]`.
pub fn command(repo: &Repo, words: &[&str]) -> Result<bool, String> {
    if *words == ["--write"] {
        return write(repo).map(|()| true);
    }
    let (mut binary, mut only) = (None, Vec::new());
    for pair in words.chunks(2) {
        match *pair {
            ["--spanloom", path] => {
                binary = Some(std::path::absolute(path).map_err(|e| format!("{path} is no path: {e}"))?);
            }
            ["--only", part] => only.extend(["--only", part]),
            _ => {
                return Err(format!(
                    "`{}`, expected --write, --spanloom PATH or --only PART",
                    pair.join(" ")
                ));
            }
        }
    }
    if binary.is_none() {
        checks::build(repo)?;
        binary = checks::spanloom(repo);
    }
    let binary = binary.ok_or("there is no spanloom-server in the workspace, expected --spanloom PATH")?;
    run(repo, &binary, &only).map(|outcome| outcome.is_good())
}

/// Builds, compares, tests, drives.
fn run(repo: &Repo, binary: &Path, only: &[&str]) -> Result<Outcome, String> {
    let home = repo.target().join("page");
    let start = Instant::now();
    let build = install_all(repo, &home)?;
    let browser = browser(repo)?;
    println!("vite, vitest and a browser are installed, {:.1} s", start.elapsed().as_secs_f64());
    let mut failed = 0;
    let mut count = |what: Result<(), String>| {
        if let Err(problem) = what {
            println!("{problem}");
            failed += 1;
        }
    };
    count(npm(repo, &build, &["run", "--silent", "build"]).and_then(|()| compare(repo, &build)));
    count(npm(repo, &build, &["run", "--silent", "test"]));
    let pictures = home.join("pictures");
    let result = pictures.join("result.txt");
    let _ = std::fs::remove_file(&result); // it may not be there
    let checked = repo
        .command("node")
        .args(["e2e/check.mjs"])
        .args(["--spanloom".into(), binary.as_os_str().to_owned()])
        .args(["--chromium".into(), browser.into_os_string()])
        .args(["--out".into(), pictures.clone().into_os_string()])
        .args(only.iter().copied())
        .dir(&build)
        .run();
    println!("pictures of the page are in {}", pictures.display());
    Ok(match Outcome::counted(checked, &result)? {
        Outcome::Ran { passed, failed: more } => {
            Outcome::Ran { passed: passed + 2 - failed, failed: failed + more }
        }
        skipped => skipped,
    })
}

/// Builds the page and puts what was built beside its sources, to be committed.
fn write(repo: &Repo) -> Result<(), String> {
    let build = install_all(repo, &repo.target().join("page"))?;
    npm(repo, &build, &["run", "--silent", "build"])?;
    replace(&build.join("dist"), &repo.root.join(SOURCES).join("dist"))
}

/// A copy of the sources with the packages that they pin; yields where it lies.
fn install_all(repo: &Repo, home: &Path) -> Result<PathBuf, String> {
    let (from, build) = (repo.root.join(SOURCES), home.join("build"));
    let version = repo.command("node").args(["--version"]).output()?;
    let mut pins = version;
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        let path = from.join(name);
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        pins.push_str(&text);
    }
    install::install_once(&build, &pins, || {
        copy_sources(&from, &build)?;
        npm(repo, &build, &["ci"])
    })?;
    copy_sources(&from, &build)?;
    Ok(build)
}

fn npm(repo: &Repo, folder: &Path, words: &[&str]) -> Result<(), String> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    repo.command(program).args(words.iter().copied()).dir(folder).run()
}

/// Copies the sources as they are now; what is there no more goes.
fn copy_sources(from: &Path, to: &Path) -> Result<(), String> {
    for entry in entries(from)? {
        let name = entry.file_name().unwrap_or_default().to_owned();
        if LEFT_OUT.iter().all(|left_out| name != *left_out) {
            replace(&entry, &to.join(name))?;
        }
    }
    Ok(())
}

/// A copy of a file or folder in the place of another.
fn replace(from: &Path, to: &Path) -> Result<(), String> {
    let problem = |e: std::io::Error| format!("cannot copy {} to {}: {e}", from.display(), to.display());
    if !from.is_dir() {
        return std::fs::copy(from, to).map(|_| ()).map_err(problem);
    }
    let _ = std::fs::remove_dir_all(to); // it may not be there
    std::fs::create_dir_all(to).map_err(problem)?;
    for entry in entries(from)? {
        replace(&entry, &to.join(entry.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = std::fs::read_dir(folder).map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
    Ok(listed.flatten().map(|entry| entry.path()).collect())
}

/// Fails unless what is committed is what was built.
fn compare(repo: &Repo, build: &Path) -> Result<(), String> {
    let committed = repo.root.join(SOURCES).join("dist");
    let built = build.join("dist");
    let compared = repo.command("node").args(["e2e/compare.mjs".into(), built.into_os_string()]);
    compared
        .args([committed.into_os_string()])
        .dir(build)
        .run()
        .map_err(|_| format!("{SOURCES}/dist is not what its sources build; run `cargo xtask page --write`"))
}

/// A Chromium: the machine's, or that of its distribution, which is installed then.
fn browser(repo: &Repo) -> Result<PathBuf, String> {
    if let Some(found) = find_browser(repo) {
        return Ok(found);
    }
    let words =
        ["--quiet", "--yes", "--no-install-recommends", "install", BROWSER_PACKAGE, "fonts-dejavu-core"];
    let installed = repo.command("apt-get").args(["--quiet", "update"]).run();
    installed
        .and_then(|()| repo.command("apt-get").args(words).run())
        .or_else(|_| repo.command("sudo").args(["--non-interactive", "apt-get"]).args(words).run())
        .map_err(|problem| {
            format!(
                "there is no Chromium, expected one of {}, and Debian's cannot be installed: {problem}",
                BROWSERS.join(", ")
            )
        })?;
    find_browser(repo).ok_or_else(|| format!("{BROWSER_PACKAGE} is installed, and does not start"))
}

fn find_browser(repo: &Repo) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let places = BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places
        .filter(|place| place.is_file())
        .find(|place| repo.command(place).args(["--version"]).output().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_lies_there() {
        let sources = Repo::find().unwrap().root.join(SOURCES);
        for name in ["package.json", "package-lock.json", ".npmrc", "e2e/check.mjs", "e2e/compare.mjs"] {
            assert!(sources.join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_copy_takes_the_place_of_what_was_there() {
        let home = std::env::temp_dir().join(format!("spanloom-xtask-page-{}", std::process::id()));
        let (from, to) = (home.join("from"), home.join("to"));
        std::fs::create_dir_all(from.join("a/node_modules")).unwrap();
        std::fs::create_dir_all(from.join("node_modules")).unwrap();
        std::fs::create_dir_all(to.join("a")).unwrap();
        std::fs::write(from.join("a/new"), "1").unwrap();
        std::fs::write(to.join("a/old"), "2").unwrap();
        std::fs::write(to.join("kept"), "3").unwrap();
        copy_sources(&from, &to).unwrap();
        let is_there = |path: &str| to.join(path).exists();
        assert!(is_there("a/new") && is_there("kept") && !is_there("a/old") && !is_there("node_modules"));
        std::fs::remove_dir_all(&home).unwrap();
    }
}
