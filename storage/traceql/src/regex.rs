//! Regular expressions of `=~` and `!~`: the syntax of RE2, anchored at both ends, within a limit of size.
//!
//! Source of the syntax: <https://github.com/google/re2/wiki/Syntax>. Matching takes time linear in the text,
//! whatever the pattern looks like; what a pattern may cost is the size of its automaton, which is bounded here.

use regex::bytes::{Regex, RegexBuilder};

/// How large the automaton of one pattern may become, and how much memory its lazy DFA may use, in bytes each.
pub const MAX_REGEX_BYTES: usize = 1024 * 1024;

/// How deep the groups of a pattern may nest.
const MAX_REGEX_NESTING: u32 = 64;

/// Compiles a pattern as `=~` means it: a text matches as a whole or not at all.
///
/// Says why a pattern is refused: where its syntax is wrong, or that it is larger than [`MAX_REGEX_BYTES`].
pub fn compile_regex(pattern: &str) -> Result<Regex, String> {
    // By itself first: `a)|(b` is no pattern, though it would be one within the group.
    let parsed = build(pattern).and_then(|_| build(&format!("^(?:{pattern})$")));
    parsed.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the regular expression needs more than {limit} bytes when compiled; make it simpler")
        }
        error => format!("the regular expression cannot be read: {}", last_line(&error.to_string())),
    })
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .nest_limit(MAX_REGEX_NESTING)
        .build()
}

/// The reason alone: the lines before it show the pattern and point into it.
fn last_line(error: &str) -> &str {
    let line = error.trim_end().rsplit('\n').next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_matches_as_a_whole_or_not_at_all() {
        for (pattern, text, expected) in [
            ("a|ab", "ab", true),
            ("a", "ba", false),
            ("a", "ab", false),
            ("a", "a\n", false),
            ("", "", true),
            (".*", "日本", true),
            (".*", "a\nb", false),
            ("(?s).*", "a\nb", true),
            ("(?i)get /", "GET /", true),
            ("^a$", "a", true),
            (r"\d{3}", "503", true),
            (r"\w+", "größe", true),
        ] {
            let regex = compile_regex(pattern).expect("a pattern");
            assert_eq!(regex.is_match(text.as_bytes()), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_is_refused_is_told_why() {
        for (pattern, reason) in [
            ("(", "cannot be read: unclosed group"),
            ("a)|(b", "cannot be read: unopened group"),
            ("[z-a]", "cannot be read: invalid character class range, the start must be <= the end"),
            ("*", "cannot be read: repetition operator missing expression"),
            (r"\q", "cannot be read: unrecognized escape sequence"),
            ("a(?=b)", "cannot be read: look-around, including look-ahead and look-behind, is not supported"),
            (r"(a)\1", "cannot be read: backreferences are not supported"),
            ("((a{1000}){1000}){1000}", "needs more than 1048576 bytes when compiled; make it simpler"),
        ] {
            let found = compile_regex(pattern).expect_err(pattern);
            assert_eq!(found, format!("the regular expression {reason}"), "{pattern}");
        }
        let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
        assert!(compile_regex(&deep).expect_err("deep").contains("nest"));
    }
}
