//! Regular expressions of `=~` and `!~`: the syntax and meaning of RE2, anchored at both ends, within a limit of size.
//!
//! Source: <https://github.com/google/re2/wiki/Syntax>. The crate `regex` reads the same syntax but for a few things,
//! which are translated: `\d`, `\s`, `\w` and `\b` are of ASCII in RE2, `\Q...\E` is a literal, and within a class
//! `[`, `&` and `~` mean themselves. Matching takes time linear in the text, whatever the pattern looks like; what a
//! pattern may cost is the size of its automaton, which is bounded here.

use regex::bytes::{Regex, RegexBuilder, RegexSetBuilder};

/// How large the automaton of one pattern may become, and how much memory its lazy DFA may use, in bytes each.
pub const MAX_REGEX_BYTES: usize = 1024 * 1024;

/// How large the automata of all patterns of a query may become together, in bytes.
const MAX_REGEXES_BYTES: usize = 16 * 1024 * 1024;

/// How deep the groups of a pattern may nest.
const MAX_REGEX_NESTING: u32 = 64;

/// Compiles a pattern as `=~` means it: a text matches as a whole or not at all.
///
/// Says why a pattern is refused: what is wrong with its syntax, or that it is larger than [`MAX_REGEX_BYTES`].
pub fn compile_regex(pattern: &str) -> Result<Regex, String> {
    let refused = |reason: &str| format!("the regular expression cannot be read: {reason}");
    let translated = Translation::of(pattern).map_err(refused)?;
    let built = RegexBuilder::new(&format!("^(?:{translated})$"))
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .nest_limit(MAX_REGEX_NESTING)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the regular expression needs more than {limit} bytes when compiled; make it simpler")
        }
        error => refused(last_line(&error.to_string())),
    })
}

/// Refuses patterns whose automata would be too large together. Each is one that [`compile_regex`] takes.
pub(crate) fn check_together(patterns: &[&str]) -> Result<(), String> {
    if patterns.len() <= MAX_REGEXES_BYTES / MAX_REGEX_BYTES {
        return Ok(());
    }
    let translated = patterns.iter().filter_map(|pattern| Translation::of(pattern).ok());
    let anchored = translated.map(|pattern| format!("^(?:{pattern})$"));
    match RegexSetBuilder::new(anchored).size_limit(MAX_REGEXES_BYTES).nest_limit(MAX_REGEX_NESTING).build() {
        Err(regex::Error::CompiledTooBig(limit)) => {
            Err(format!("the regular expressions need more than {limit} bytes together; make them simpler"))
        }
        // Others are told of the pattern that is wrong, when it is compiled.
        _ => Ok(()),
    }
}

/// The reason alone: the lines before it show the pattern and point into it.
fn last_line(error: &str) -> &str {
    let line = error.trim_end().rsplit('\n').next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

/// A pattern of RE2 on its way to one of the crate `regex`.
struct Translation<'a> {
    rest: &'a str,
    out: String,
    /// Groups that are open.
    groups: usize,
}

impl<'a> Translation<'a> {
    /// The translated pattern. Refused is what would reach out of the group that it is put in.
    fn of(pattern: &'a str) -> Result<String, &'static str> {
        let mut translation =
            Translation { rest: pattern, out: String::with_capacity(pattern.len()), groups: 0 };
        while let Some(c) = translation.next() {
            match c {
                '\\' if translation.rest.is_empty() => return Err("incomplete escape sequence"),
                '\\' => translation.escape(),
                '[' => translation.class(),
                '(' => {
                    translation.groups += 1;
                    translation.out.push(c);
                }
                ')' => {
                    translation.groups = translation.groups.checked_sub(1).ok_or("unopened group")?;
                    translation.out.push(c);
                }
                c => translation.out.push(c),
            }
        }
        Ok(translation.out)
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// What follows a backslash.
    fn escape(&mut self) {
        match self.next() {
            Some('Q') => {
                let end = self.rest.find("\\E").unwrap_or(self.rest.len());
                let (literal, rest) = self.rest.split_at(end);
                self.out.push_str(&regex::escape(literal));
                self.rest = rest.strip_prefix("\\E").unwrap_or(rest);
            }
            Some('b') => self.out.push_str("(?-u:\\b)"),
            Some('B') => self.out.push_str("(?-u:\\B)"),
            Some(c) => match ascii_class(c) {
                Some((negated, class)) => {
                    self.out.push_str(if negated { "[^" } else { "[" });
                    self.out.push_str(class);
                    self.out.push(']');
                }
                None => self.out.extend(['\\', c]),
            },
            None => {}
        }
    }

    /// What follows `[`, up to and with the closing `]`.
    fn class(&mut self) {
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        if self.eat("]") {
            self.out.push_str("\\]");
        }
        while let Some(c) = self.next() {
            match c {
                ']' => return self.out.push(c),
                '\\' => self.escape_in_class(),
                '[' if self.rest.starts_with(':') => {
                    let end = self.rest.find(":]").map_or(0, |end| end + 2);
                    let (name, rest) = self.rest.split_at(end);
                    self.out.push('[');
                    self.out.push_str(name);
                    self.rest = rest;
                }
                '[' | '&' | '~' => self.out.extend(['\\', c]),
                c => self.out.push(c),
            }
        }
    }

    fn escape_in_class(&mut self) {
        let Some(c) = self.next() else {
            return;
        };
        match ascii_class(c) {
            Some((true, class)) => {
                self.out.push_str("[^");
                self.out.push_str(class);
                self.out.push(']');
            }
            Some((false, class)) => self.out.push_str(class),
            None => self.out.extend(['\\', c]),
        }
    }
}

/// Whether the class of a letter is negated, and what stands between its brackets.
fn ascii_class(letter: char) -> Option<(bool, &'static str)> {
    let class = match letter.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r"\t\n\f\r\x20",
        'w' => "0-9A-Za-z_",
        _ => return None,
    };
    Some((letter.is_ascii_uppercase(), class))
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
            (".", "é", true),
            ("[^a]", "é", true),
            (".*", "a\nb", false),
            ("(?s).*", "a\nb", true),
            ("(?i)get /", "GET /", true),
            ("^a$", "a", true),
            ("(?m)^a$", "a\nb", false),
            (r"\pL+", "größe", true),
            ("(?P<n>a)(?:b)", "ab", true),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn classes_are_those_of_re2() {
        for (pattern, text, expected) in [
            (r"\d{3}", "503", true),
            (r"\d", "٣", false),
            (r"\D", "٣", true),
            (r"\w+", "a_1", true),
            (r"\w", "é", false),
            (r"\W", "é", true),
            (r"\s+", " \t\n\r\u{c}", true),
            (r"\s", "\u{b}", false),
            (r"\S", "\u{a0}", true),
            (r"[\w.-]+", "a.b-c", true),
            (r"[^\d]", "x", true),
            (r"[^\d]", "5", false),
            (r"[\D]", "5", false),
            (r"[x\W]+", "x é", true),
            (r"[[:alpha:]]+", "abc", true),
            (r"[[:^alpha:]x]+", "1x", true),
            (r"a\b.*", "a b", true),
            (r".\b.", "éa", true),
            (r"é\Ba", "éa", false),
            (r"\Qa.b*(\E.", "a.b*(x", true),
            (r"\Qa|b", "a|b", true),
            ("[]a]+", "]a", true),
            ("[^]a]", "]", false),
            ("[[]", "[", true),
            ("[a&&b]+", "a&b", true),
            ("[a~~b]+", "~", true),
            (r"[\]\[]+", "[]", true),
            (r"\\d", "\\d", true),
            (r"[(]\)", "()", true),
        ] {
            check(pattern, text, expected);
        }
    }

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let regex = compile_regex(pattern).expect(pattern);
        assert_eq!(regex.is_match(text.as_bytes()), expected, "{pattern} on {text}");
    }

    #[test]
    fn what_is_refused_is_told_why() {
        for (pattern, reason) in [
            ("(", "cannot be read: unclosed group"),
            ("[a", "cannot be read: unclosed character class"),
            ("[[:alpha", "cannot be read: unclosed character class"),
            ("a\\", "cannot be read: incomplete escape sequence"),
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
