//! Laws on Rust files: sizes, the opening line, no unfinished work, `unsafe` in one place, one file a stop.

use super::Violation;
use super::source::Source;
use crate::repo::TextFile;

/// Lines of a file without its tests.
const MAX_FILE_LINES: usize = 600;
/// Lines of a file that are not blank, tests and all.
const MAX_FULL_LINES: usize = 700;
/// Lines of a function, from its `fn` to its closing brace.
const MAX_FUNCTION_LINES: usize = 70;
/// Stops of the walk.
const STOPS: usize = 9;
/// The one file that may say `unsafe`.
const UNSAFE_FILE: &str = "storage/block/src/map.rs";

/// Words that mark unfinished work: in comments, and in code.
const UNFINISHED_COMMENT: [&str; 3] = ["TODO", "FIXME", "XXX"];
const UNFINISHED_CODE: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// Checks one file.
pub fn check(file: &TextFile) -> Vec<Violation> {
    let source = Source::read(&file.text);
    let mut found = Vec::new();
    if !file.text.starts_with("//!") {
        found.push(Violation::new(
            &file.path,
            1,
            "the file opens without `//!`, expected its purpose and promise",
        ));
    }
    check_sizes(file, &source, &mut found);
    check_functions(file, &source, &mut found);
    check_words(file, &source, &mut found);
    found
}

/// Checks that no two files claim the same stop of the walk.
pub fn check_stops(files: &[TextFile]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut taken: [Option<&str>; STOPS] = [None; STOPS];
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        for (at, line) in file.text.lines().enumerate() {
            let claim = line.strip_prefix("//! Stop ").and_then(|rest| rest.split_once(" of "));
            let Some((number, of)) = claim.filter(|(number, _)| number.chars().all(char::is_alphanumeric))
            else {
                continue; // `//! Stop 7, the columns` speaks of a stop and is not the stop
            };
            let stops = of.split(|c: char| !c.is_ascii_digit()).next().and_then(|stops| stops.parse().ok());
            let number: usize = number.parse().ok().filter(|_| stops == Some(STOPS)).unwrap_or(0);
            let text = match number.checked_sub(1).and_then(|index| taken.get_mut(index)) {
                None => format!("`{line}`, expected `//! Stop N of {STOPS}` with N from 1 to {STOPS}"),
                Some(Some(other)) => {
                    format!("stop {number} is also claimed by {other}, expected one file a stop")
                }
                Some(free) => {
                    *free = Some(&file.path);
                    continue;
                }
            };
            found.push(Violation::new(&file.path, at + 1, text));
        }
    }
    found
}

fn check_sizes(file: &TextFile, source: &Source, found: &mut Vec<Violation>) {
    let full = file.text.lines().filter(|line| !line.trim().is_empty()).count();
    if full > MAX_FULL_LINES {
        let text = format!("{full} lines that are not blank, expected at most {MAX_FULL_LINES}");
        found.push(Violation::new(&file.path, full, text));
    }
    if file.path.ends_with("/tests.rs") || file.path.contains("/tests/") {
        return;
    }
    let lines = file.text.lines().count() - lines_of_tests(source);
    if lines > MAX_FILE_LINES {
        let text = format!("{lines} lines without tests, expected at most {MAX_FILE_LINES}");
        found.push(Violation::new(&file.path, MAX_FILE_LINES + 1, text));
    }
}

/// Lines of all items under `#[cfg(test)]`.
fn lines_of_tests(source: &Source) -> usize {
    let (mut at, mut lines) = (0, 0);
    while at < source.code.len() {
        let mut next = at + 1;
        if source.code[at].trim() == "#[cfg(test)]" {
            next = source.end_of_item(at + 1, 0) + 1;
            lines += next - at;
        }
        at = next;
    }
    lines
}

fn check_functions(file: &TextFile, source: &Source, found: &mut Vec<Violation>) {
    for (at, line) in source.code.iter().enumerate() {
        let Some((column, name)) = function_name(line) else { continue };
        let lines = source.end_of_item(at, column) + 1 - at;
        if lines > MAX_FUNCTION_LINES {
            let text = format!("function `{name}` has {lines} lines, expected at most {MAX_FUNCTION_LINES}");
            found.push(Violation::new(&file.path, at + 1, text));
        }
    }
}

/// The name of the function that a line of code declares, and the column of its `fn`.
fn function_name(line: &str) -> Option<(usize, &str)> {
    let at = word_at(line, "fn")?;
    let name = line[at + 2..].trim_start();
    let name = name.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '#').next()?;
    (!name.is_empty()).then(|| (line[..at].chars().count(), name))
}

fn check_words(file: &TextFile, source: &Source, found: &mut Vec<Violation>) {
    for (at, (code, comment)) in source.code.iter().zip(&source.comments).enumerate() {
        let in_comment = UNFINISHED_COMMENT.iter().find(|word| word_at(comment, word).is_some());
        let in_code = UNFINISHED_CODE.iter().find(|word| code.contains(*word));
        for word in in_comment.into_iter().chain(in_code) {
            let text = format!("`{word}`, expected finished work");
            found.push(Violation::new(&file.path, at + 1, text));
        }
        if word_at(code, "unsafe").is_some() && file.path != UNSAFE_FILE {
            let text = format!("`unsafe`, expected it only in {UNSAFE_FILE}");
            found.push(Violation::new(&file.path, at + 1, text));
        }
    }
}

/// Where a whole word stands in a line.
fn word_at(line: &str, word: &str) -> Option<usize> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).find(|at| {
        !line[..*at].chars().next_back().is_some_and(in_word)
            && !line[at + word.len()..].chars().next().is_some_and(in_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.into(), text: text.into() }
    }

    #[track_caller]
    fn verdict(text: &str, expected: &[&str]) {
        let found = check(&file("a/src/b.rs", text));
        let found: Vec<String> = found.iter().map(|v| format!("{}: {}", v.line, v.text)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn opening_line() {
        verdict("//! What it is.\nfn f() {}\n", &[]);
        verdict("// x\n", &["1: the file opens without `//!`, expected its purpose and promise"]);
    }

    #[test]
    fn length_of_files() {
        let lines = |count: usize| format!("//! x\n{}", "const A: u8 = 1;\n".repeat(count - 1));
        verdict(&lines(600), &[]);
        verdict(&lines(601), &["601: 601 lines without tests, expected at most 600"]);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    const A: u8 = 1;\n".repeat(60));
        verdict(&(lines(600) + &tests), &[]);
        verdict(
            &(lines(600) + &tests + "const B: u8 = 1;\n"),
            &["601: 601 lines without tests, expected at most 600"],
        );
        let long = lines(600) + &tests + &tests;
        verdict(&long, &["726: 726 lines that are not blank, expected at most 700"]);
        assert_eq!(check(&file("a/tests/b.rs", &lines(650))).len(), 0);
    }

    #[test]
    fn length_of_functions() {
        let function = |inner: usize| {
            format!(
                "//! x\n    pub(crate) async fn long_one(\n    ) {{\n{}    }}\n",
                "        let a = \"}\";\n".repeat(inner)
            )
        };
        verdict(&function(67), &[]);
        verdict(&function(68), &["2: function `long_one` has 71 lines, expected at most 70"]);
        verdict("//! x\ntype F = fn(u8) -> u8;\nconst FN: &str = \"fn x() {\";\n", &[]);
    }

    #[test]
    fn unfinished_work() {
        verdict("//! x\n// TODO: more\n", &["2: `TODO`, expected finished work"]);
        verdict("//! x\nfn f() { todo!() }\n", &["2: `todo!`, expected finished work"]);
        verdict(
            "//! x\nfn f() { dbg!(1); } // FIXME\n",
            &["2: `FIXME`, expected finished work", "2: `dbg!`, expected finished work"],
        );
        verdict("//! x\nconst A: &str = \"TODO dbg!\"; // todo!() in words, TODOS\n", &[]);
    }

    #[test]
    fn unsafe_in_one_place() {
        let text = "//! x\n#![deny(unsafe_code)] // unsafe\nfn f() { unsafe { g() } }\n";
        verdict(text, &["3: `unsafe`, expected it only in storage/block/src/map.rs"]);
        assert_eq!(check(&file(UNSAFE_FILE, text)).len(), 0);
    }

    #[test]
    fn one_file_a_stop() {
        let stops = |files: &[(&str, &str)]| {
            let files: Vec<TextFile> = files.iter().map(|(path, text)| file(path, text)).collect();
            check_stops(&files).iter().map(Violation::to_string).collect::<Vec<_>>()
        };
        assert_eq!(stops(&[("a.rs", "//! Stop 1 of 9: x\n"), ("b.rs", "//! Stop 2 of 9\n")]), [""; 0]);
        assert_eq!(
            stops(&[("a.rs", "//! Stop 3 of 9\n"), ("b.rs", "//! x\n//! Stop 3 of 9\n")]),
            ["b.rs:2: stop 3 is also claimed by a.rs, expected one file a stop"]
        );
        assert_eq!(
            stops(&[("a.rs", "//! Stop 7 of 9\n"), ("b.rs", "//! Stop 7, the columns of it\n")]),
            [""; 0]
        );
        for wrong in ["//! Stop 10 of 9", "//! Stop 0 of 9", "//! Stop 3 of 8", "//! Stop x of 9"] {
            assert_eq!(stops(&[("a.rs", wrong)]).len(), 1, "{wrong}");
        }
    }
}
