//! Laws on the sources of the web page: the opening comment, sizes, no unfinished work, and nothing that turns text
//! into markup or code.

use super::Violation;
use crate::repo::TextFile;

/// Where the sources are.
const FOLDER: &str = "engine/api/page/";
/// What is built from them.
const BUILT: &str = "engine/api/page/dist/";
/// Lines of a file.
const MAX_LINES: usize = 330;
/// Style sheets are lists.
const MAX_STYLE_LINES: usize = 450;

/// Words that mark unfinished work. (Written apart, or this file would break a law of its own.)
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// What turns text into markup or code. Everything that senders say is text.
const FORBIDDEN: [&str; 8] = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "createContextualFragment",
    "srcdoc",
    "eval(",
    "new Function",
];

/// Checks one file, if it is a source of the page.
pub fn check(file: &TextFile) -> Vec<Violation> {
    let path = file.path.as_str();
    if !path.starts_with(FOLDER) || path.starts_with(BUILT) {
        return Vec::new();
    }
    let ending = path.rsplit('.').next().unwrap_or_default();
    let (opening, most) = match ending {
        "ts" | "tsx" | "mjs" => ("//", MAX_LINES),
        "css" => ("/*", MAX_STYLE_LINES),
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    if !file.text.starts_with(opening) {
        let text = format!("the file opens without `{opening}`, expected its purpose");
        found.push(Violation::new(path, 1, text));
    }
    let lines = file.text.lines().count();
    if lines > most {
        found.push(Violation::new(path, most + 1, format!("{lines} lines, expected at most {most}")));
    }
    for (at, line) in file.text.lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| line.contains(*word)) {
            found.push(Violation::new(path, at + 1, format!("`{word}`, expected finished work")));
        }
        for word in FORBIDDEN.iter().filter(|word| line.contains(*word)) {
            found.push(Violation::new(path, at + 1, format!("`{word}`, expected text that stays text")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn verdict(path: &str, text: &str, expected: usize) {
        let found = check(&TextFile { path: format!("{FOLDER}{path}"), text: text.into() });
        assert_eq!(found.len(), expected, "{path}: {found:?}");
    }

    #[test]
    fn sources_keep_the_laws() {
        verdict("src/a.ts", "// What it is.\n", 0);
        verdict("src/a.tsx", "const a = 1;\n", 1);
        verdict("src/a.css", "// What it is.\n", 1);
        verdict("src/a.ts", &format!("// {}\n", UNFINISHED[0]), 1);
        verdict("src/a.ts", "// A\nbox.innerHTML = name;\neval(name);\n", 2);
        verdict("src/a.ts", &format!("//\n{}", "\n".repeat(MAX_LINES)), 1);
        verdict("dist/a.js", "eval(1)", 0);
        verdict("package.json", "{}", 0);
    }
}
