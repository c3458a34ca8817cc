//! The simulated cluster: any seeds in a release build, eight fixed ones in every test run.

use crate::repo::Repo;
use crate::steps::Outcome;

/// `cargo xtask sim`: what follows goes to `spanloom-sim`.
pub fn command(repo: &Repo, words: &[&str]) -> Result<bool, String> {
    let build = ["run", "-q", "--release", "--locked", "-p", "spanloom-sim", "--"];
    repo.cargo().args(build).args(words).run()?;
    Ok(true)
}

/// Eight seeds, each twice, with the binary that the `build` step left.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    let name = format!("spanloom-sim{}", std::env::consts::EXE_SUFFIX);
    let binary = repo.target().join("debug").join(name);
    repo.command(binary).args(["--seeds", "8", "--seed", "1", "--hours", "0.1", "--twice"]).run()?;
    Ok(Outcome::PASSED)
}
