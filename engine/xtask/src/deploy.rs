//! `docs/deploy`, checked by pinned tools: Compose files, Kubernetes objects, the Helm chart, nginx, systemd, and every
//! configuration by the binary itself. `engine/server/tests/deploy/check.py` says what exactly, and plants mistakes to
//! see that they are found. Nothing is started or deployed.

use crate::repo::Repo;
use crate::script::Script;
use crate::steps::Outcome;

/// The check.
pub const DEPLOY: Script =
    Script { name: "deploy", folder: "engine/server/tests/deploy", installs: "the tools" };

/// The step of `cargo xtask test`.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    // The package that Helm comes in has it for this kind of machine alone.
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Ok(Outcome::Skipped("helm is there for Linux on x86-64 alone".to_owned()));
    }
    DEPLOY.step(repo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_lies_beside_the_script() {
        DEPLOY.has(&["check.py", "planted.py", "requirements.txt", "yamllint.yaml"]);
    }
}
