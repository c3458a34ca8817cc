//! The laws of the house as code. Each broken law is printed as `file:line: what was found, what is expected`.
//!
//! | file | laws |
//! |---|---|
//! | `crates.rs` | the folder law, the doors, roles apart |
//! | `manifests.rs` | versions in one place, lints in every crate |
//! | `source.rs` | Rust text told apart into code and comments |
//! | `rust.rs` | sizes, opening lines, unfinished work, `unsafe`, stops of the walk |
//! | `page.rs` | the web page's sources: sizes, opening lines, nothing that makes markup of text |
//! | `links.rs` | links in Markdown lead somewhere |
//! | `text.rs` | nothing that is true on one machine only, no merge left undone |

mod crates;
mod links;
mod manifests;
mod page;
mod rust;
mod source;
mod text;

use std::fmt;

use crate::repo::{Repo, TextFile};

/// A broken law.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Path from the root.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What was found and what is expected.
    pub text: String,
}

impl Violation {
    fn new(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// Checks every law on the repository.
pub fn check(repo: &Repo) -> Result<Vec<Violation>, String> {
    let files = repo.text_files()?;
    let metadata =
        repo.cargo().args(["metadata", "--offline", "--no-deps", "--format-version", "1"]).output()?;
    let mut found = crates::check(&crates::parse(&metadata)?, &files);
    found.extend(check_files(&files));
    found.sort();
    Ok(found)
}

/// Checks the laws that need nothing but the files.
fn check_files(files: &[TextFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        found.extend(text::check(file));
        found.extend(page::check(file));
        if file.path.ends_with("Cargo.toml") {
            found.extend(manifests::check(file));
        }
        if file.path.ends_with(".rs") {
            found.extend(rust::check(file));
        }
    }
    found.extend(rust::check_stops(files));
    found.extend(links::check(files));
    found
}

/// Prints every broken law; `Ok(true)` when there is none.
pub fn report(repo: &Repo) -> Result<bool, String> {
    let found = check(repo)?;
    for violation in &found {
        println!("{violation}");
    }
    if found.is_empty() {
        println!("tidy: all laws hold");
    } else {
        println!("tidy: {} broken", found.len());
    }
    Ok(found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_its_laws() {
        let found = check(&Repo::find().unwrap()).unwrap();
        let lines: Vec<String> = found.iter().map(Violation::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }
}
