//! Manifests: versions stand in `[workspace.dependencies]` and nowhere else, and every crate takes the
//! workspace's lints.
//!
//! Read line by line: our manifests are written one entry a line, and a line number is what the reader needs.

use super::Violation;
use crate::repo::TextFile;

/// The fuzz targets are a workspace of their own, built by another compiler mode.
const APART: &str = "engine/fuzz/Cargo.toml";

/// The crate with the one mapping file states its lints itself: what is forbidden cannot be allowed for a file.
const OWN_LINTS: &str = "storage/block/Cargo.toml";

/// Checks one `Cargo.toml`.
pub fn check(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    if file.path == APART || !file.text.lines().any(|line| line.trim() == "[package]") {
        return found;
    }
    for (number, section, entry) in entries(&file.text) {
        let Some(section) = dependency_section(section) else { continue };
        let whole_table = !section.is_empty(); // `[dependencies.name]`: its `workspace = true` stands alone
        let inherits = entry.replace(' ', "").contains("workspace=true");
        let pins = entry.starts_with("version") || entry.starts_with("path") || entry.starts_with("git");
        if (whole_table && pins) || (!whole_table && !inherits) {
            let text = format!("`{entry}`, expected `workspace = true` and the version in the root manifest");
            found.push(Violation::new(&file.path, number, text));
        }
    }
    let says = |section: &str, setting: &str| {
        entries(&file.text).any(|(_, of, entry)| of == section && entry.replace(' ', "") == setting)
    };
    let own = file.path == OWN_LINTS && says("lints.rust", "unsafe_code=\"deny\"");
    if !own && !says("lints", "workspace=true") {
        found.push(Violation::new(
            &file.path,
            1,
            "no `[lints]` with `workspace = true`, expected it in every crate",
        ));
    }
    found
}

/// The line on which a dependency is named, or 1.
pub fn line_of_entry(manifest: &str, name: &str) -> usize {
    let named = |section: &str, entry: &str| {
        let key = entry.split(['=', '.', ' ']).next().unwrap_or_default();
        dependency_section(section).is_some_and(|of| of == name || (of.is_empty() && key == name))
            || (dependency_section(section).is_some() && entry.contains(&format!("package = \"{name}\"")))
    };
    entries(manifest).find(|(_, section, entry)| named(section, entry)).map_or(1, |(number, ..)| number)
}

/// `Some("")` for a table of dependencies, `Some(name)` for the table of one dependency.
fn dependency_section(section: &str) -> Option<&str> {
    for kind in ["dev-dependencies", "build-dependencies", "dependencies"] {
        let at = if section.starts_with(kind) {
            Some(0)
        } else {
            section.find(&format!(".{kind}")).map(|at| at + 1)
        };
        if let Some(at) = at.filter(|_| !section.starts_with("workspace.")) {
            return Some(section[at + kind.len()..].trim_start_matches('.'));
        }
    }
    None
}

/// Line number, section and first line of every entry.
fn entries(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let mut section = "";
    let mut open = 0_i32; // brackets of an entry that goes over several lines
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        let continued = open > 0;
        let is_section = !continued && line.starts_with('[');
        if is_section {
            section = line.trim_matches(['[', ']']);
        } else {
            open += count(line, ['[', '{']) - count(line, [']', '}']);
        }
        let is_entry = !is_section && !continued && !line.is_empty() && !line.starts_with('#');
        is_entry.then_some((at + 1, section, line))
    })
}

fn count(line: &str, of: [char; 2]) -> i32 {
    line.matches(of).count() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn verdict(body: &str, expected: &[usize]) {
        let text = format!("[package]\nname = \"x\"\n[lints]\nworkspace = true\n{body}");
        let found = check(&TextFile { path: "storage/x/Cargo.toml".into(), text });
        assert_eq!(found.iter().map(|v| v.line).collect::<Vec<_>>(), expected, "{body}: {found:?}");
    }

    #[test]
    fn versions_stand_in_the_root() {
        verdict("[dependencies]\nbytes.workspace = true\n", &[]);
        verdict("[dependencies]\nbytes = { workspace = true, features = [\n  \"x\",\n] }\n", &[]);
        verdict("[dependencies]\n# why\nbytes = \"1.2\"\n", &[7]);
        verdict("[dev-dependencies]\nbytes = { version = \"1\" }\n", &[6]);
        verdict("[target.'cfg(unix)'.dependencies]\nbytes = { path = \"../b\" }\n", &[6]);
        verdict("[build-dependencies.bytes]\nversion = \"1\"\n", &[6]);
        verdict("[dependencies.bytes]\nworkspace = true\nfeatures = [\"x\"]\n", &[]);
        verdict("[[bench]]\nname = \"slice\"\nharness = false\n", &[]);
    }

    #[test]
    fn every_crate_has_lints() {
        let file = |text: &str| TextFile { path: "storage/x/Cargo.toml".into(), text: text.into() };
        assert_eq!(check(&file("[package]\nname = \"x\"\n")).len(), 1);
        assert_eq!(check(&file("[package]\nname = \"x\"\n[lints.rust]\nunsafe_code = \"allow\"\n")).len(), 1);
        assert_eq!(check(&file("[package]\nname = \"x\"\n[lints]\nworkspace=true\n")).len(), 0);
        let own = "[package]\n[lints.rust]\nunsafe_code = \"deny\"\n";
        assert_eq!(check(&file(own)).len(), 1);
        assert_eq!(check(&TextFile { path: OWN_LINTS.into(), text: own.into() }).len(), 0);
        assert_eq!(check(&file("[workspace]\nmembers = []\n[workspace.dependencies]\nx = \"1\"\n")).len(), 0);
    }

    #[test]
    fn dependencies_are_found() {
        let text = "[package]\nname = \"bytes\"\n[dependencies]\nb = { package = \"brotli\" }\nbytes.workspace = true\n";
        assert_eq!(line_of_entry(text, "bytes"), 5);
        assert_eq!(line_of_entry(text, "brotli"), 4);
        assert_eq!(line_of_entry(text, "zstd"), 1);
    }
}
