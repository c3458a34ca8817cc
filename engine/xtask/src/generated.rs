//! Files that the binary writes and the repository keeps: `docs/CONFIG.md`, from `spanloom --print-config-docs`.

use crate::checks;
use crate::repo::Repo;
use crate::steps::Outcome;

const CONFIG_PAGE: &str = "docs/CONFIG.md";

/// Writes the page anew.
pub fn write(repo: &Repo) -> Result<bool, String> {
    checks::build(repo)?;
    let page = print(repo)?.ok_or("there is no spanloom-server in the workspace")?;
    std::fs::write(repo.root.join(CONFIG_PAGE), page)
        .map_err(|e| format!("cannot write {CONFIG_PAGE}: {e}"))?;
    Ok(true)
}

/// Compares the page that is kept with what the binary says.
pub fn check(repo: &Repo) -> Result<Outcome, String> {
    let Some(page) = print(repo)? else {
        return Ok(Outcome::Skipped("there is no spanloom-server".to_owned()));
    };
    let kept = std::fs::read_to_string(repo.root.join(CONFIG_PAGE)).unwrap_or_default();
    match first_difference(&kept, &page) {
        None => Ok(Outcome::PASSED),
        Some((line, found, expected)) => Err(format!(
            "{CONFIG_PAGE}:{line}: found `{found}`, expected `{expected}`; `cargo xtask config-docs` writes it anew"
        )),
    }
}

fn print(repo: &Repo) -> Result<Option<String>, String> {
    let Some(binary) = checks::spanloom(repo) else { return Ok(None) };
    repo.command(binary).args(["--print-config-docs"]).output().map(Some)
}

/// Line (from 1) and both texts where two pages part.
fn first_difference<'a>(kept: &'a str, fresh: &'a str) -> Option<(usize, &'a str, &'a str)> {
    if kept == fresh {
        return None;
    }
    let (mut kept, mut fresh) = (kept.lines(), fresh.lines());
    for line in 1.. {
        match (kept.next(), fresh.next()) {
            (None, None) => return Some((line, "no line end", "a line end")),
            (one, other) if one == other => {}
            (one, other) => return Some((line, one.unwrap_or("the end"), other.unwrap_or("the end"))),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some((2, "b", "c")));
        assert_eq!(first_difference("", "a\n"), Some((1, "the end", "a")));
        assert_eq!(first_difference("a", "a\n"), Some((2, "no line end", "a line end")));
    }
}
