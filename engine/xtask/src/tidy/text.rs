//! Laws on every text file: nothing that is true on one machine only (paths of somebody's home, private
//! registries in lock files), and no merge left undone.

use super::Violation;
use crate::repo::TextFile;

/// How paths begin that exist on one machine. (Written apart, or this file would break its own law.)
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!(":\\Us", "ers\\"),
];

/// In a file whose name ends so, a line that holds the first must hold the second.
const REGISTRIES: [(&str, &str, &str); 4] = [
    // What cargo itself writes for the public registry.
    ("Cargo.lock", "source = \"registry+", "source = \"registry+https://github.com/rust-lang/"),
    ("package-lock.json", "\"resolved\":", "no download addresses (npm's omit-lockfile-registry-resolved)"),
    ("requirements.txt", "://", "a pinned name alone"),
    ("requirements.txt", "-index", "a pinned name alone"),
];

/// How the lines begin that an unfinished merge leaves. (The one in between also underlines headings.)
const UNMERGED: [&str; 2] = [concat!("<<<", "<<<<"), concat!(">>>", ">>>>")];

/// Checks one text file.
pub fn check(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for marker in MACHINE_PATHS.iter().filter(|marker| begins_a_path(line, marker)) {
            let text = format!("a path of one machine (`{marker}`), expected a relative path");
            found.push(Violation::new(&file.path, at + 1, text));
        }
        if UNMERGED.contains(&line.split(' ').next().unwrap_or_default()) {
            found.push(Violation::new(&file.path, at + 1, format!("`{line}`, expected a finished merge")));
        }
        for (name, sign, expected) in REGISTRIES {
            if file.path.ends_with(name) && line.contains(sign) && !line.contains(expected) {
                let text = format!("`{}`, expected {expected}", line.trim());
                found.push(Violation::new(&file.path, at + 1, text));
            }
        }
    }
    found
}

/// Whether `marker` stands in the line as the begin of a path, not within an address or a longer path.
fn begins_a_path(line: &str, marker: &str) -> bool {
    line.match_indices(marker).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        marker.starts_with(':') || !before.is_some_and(|c| c.is_alphanumeric() || "._-/}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn verdict(path: &str, line: &str, expected: usize) {
        let found = check(&TextFile { path: path.into(), text: format!("\n{line}\n") });
        assert_eq!(found.len(), expected, "{path}: {line}: {found:?}");
        assert!(found.iter().all(|v| v.line == 2));
    }

    #[test]
    fn machine_paths() {
        for marker in MACHINE_PATHS {
            verdict("a.md", &format!("see {marker}x"), 1);
        }
        verdict("a.rs", &format!("let a = \"{}ann\";", MACHINE_PATHS[0]), 1);
        verdict("a.md", &format!("https://example.org{}x", MACHINE_PATHS[0]), 0);
        verdict("a.md", "at home, at work/", 0);
    }

    #[test]
    fn unmerged() {
        for sign in UNMERGED {
            verdict("a.toml", &format!("{sign} main"), 1);
            verdict("a.md", &format!("see {sign}"), 0);
        }
        verdict("a.md", "=======", 0);
    }

    #[test]
    fn registries() {
        verdict("Cargo.lock", "source = \"registry+https://github.com/rust-lang/some-index\"", 0);
        verdict("Cargo.lock", "source = \"registry+https://mirror.example/index\"", 1);
        verdict("x/package-lock.json", "\"integrity\": \"sha512-x\",", 0);
        verdict("x/package-lock.json", "\"resolved\": \"https://mirror.example/a-1.tgz\",", 1);
        verdict("x/requirements.txt", "grpcio==1.2.3", 0);
        verdict("x/requirements.txt", "--extra-index-url https://mirror.example", 2);
    }
}
