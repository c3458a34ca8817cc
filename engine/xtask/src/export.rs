//! Readers of others: DuckDB, pyarrow and pandas, in pinned versions, read what `spanloom block export` writes.
//! `engine/server/tests/export/check.py` sends spans, exports them and compares.

use crate::repo::Repo;
use crate::script::Script;
use crate::steps::Outcome;

/// The check.
pub const EXPORT: Script =
    Script { name: "export", folder: "engine/server/tests/export", installs: "the readers" };

/// The step of `cargo xtask test`.
pub fn step(repo: &Repo) -> Result<Outcome, String> {
    EXPORT.step(repo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_lies_beside_the_script() {
        EXPORT.has(&["check.py", "made.py", "requirements.txt"]);
    }
}
