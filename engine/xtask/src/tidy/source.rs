//! Rust text told apart into code and comments, so that a law about code is not broken by a word in a string.
//!
//! Source: the lexical structure in <https://doc.rust-lang.org/reference/lexical-structure.html>.

/// A Rust file, line by line.
pub struct Source {
    /// The lines with comments and the insides of strings and characters blanked.
    pub code: Vec<String>,
    /// What the comments of each line say.
    pub comments: Vec<String>,
}

/// What the scanner is inside of.
enum Inside {
    Code,
    LineComment,
    /// How deep block comments are nested.
    BlockComment(u32),
    Text,
    /// How many `#` close the raw string.
    RawText(usize),
}

impl Source {
    /// Tells code and comments apart.
    pub fn read(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut scan = Scan { chars: &chars, at: 0, code: String::new(), comments: String::new() };
        let mut inside = Inside::Code;
        while scan.at < chars.len() {
            inside = scan.step(inside);
        }
        let lines = |text: &str| text.split('\n').map(str::to_owned).collect();
        Self { code: lines(&scan.code), comments: lines(&scan.comments) }
    }

    /// Line (from 0) on which the item ends that begins at or after `line`: at its `;` or its closing brace.
    pub fn end_of_item(&self, line: usize, column: usize) -> usize {
        let (mut braces, mut others) = (0_i32, 0_i32);
        for (number, code) in self.code.iter().enumerate().skip(line) {
            let from = if number == line { column } else { 0 };
            for found in code.chars().skip(from) {
                match found {
                    '(' | '[' => others += 1,
                    ')' | ']' => others -= 1,
                    '{' => braces += 1,
                    '}' => braces -= 1,
                    _ => {}
                }
                let ends = (found == ';' && braces == 0) || (found == '}' && braces <= 0);
                if ends && others <= 0 {
                    return number;
                }
            }
        }
        self.code.len().saturating_sub(1)
    }
}

struct Scan<'a> {
    chars: &'a [char],
    at: usize,
    code: String,
    comments: String,
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    /// Moves on by `count`, keeping what was passed as code, as comment, or as neither.
    fn pass(&mut self, count: usize, code: bool, comment: bool) {
        for _ in 0..count.min(self.chars.len() - self.at) {
            let found = self.chars[self.at];
            let keep = |wanted: bool| if wanted || found == '\n' { found } else { ' ' };
            self.code.push(keep(code));
            self.comments.push(keep(comment));
            self.at += 1;
        }
    }

    fn step(&mut self, inside: Inside) -> Inside {
        match inside {
            Inside::Code => self.step_code(),
            Inside::LineComment => {
                let ends = self.peek(0) == '\n';
                self.pass(1, false, true);
                if ends { Inside::Code } else { Inside::LineComment }
            }
            Inside::BlockComment(depth) => match (self.peek(0), self.peek(1)) {
                ('/', '*') => self.pass_into(2, Inside::BlockComment(depth + 1)),
                ('*', '/') if depth == 1 => self.pass_into(2, Inside::Code),
                ('*', '/') => self.pass_into(2, Inside::BlockComment(depth - 1)),
                _ => {
                    self.pass(1, false, true);
                    Inside::BlockComment(depth)
                }
            },
            Inside::Text => match self.peek(0) {
                '\\' => self.pass_into(2, Inside::Text),
                '"' => self.pass_into(1, Inside::Code),
                _ => self.pass_into(1, Inside::Text),
            },
            Inside::RawText(hashes) => {
                let closes = self.peek(0) == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == '#');
                if closes {
                    self.pass_into(1 + hashes, Inside::Code)
                } else {
                    self.pass_into(1, Inside::RawText(hashes))
                }
            }
        }
    }

    fn pass_into(&mut self, count: usize, next: Inside) -> Inside {
        self.pass(count, false, false);
        next
    }

    fn step_code(&mut self) -> Inside {
        let (first, second) = (self.peek(0), self.peek(1));
        let before = self.at.checked_sub(1).map_or(' ', |at| self.chars[at]);
        let in_word = before.is_alphanumeric() || before == '_';
        match (first, second) {
            ('/', '/') => Inside::LineComment,
            ('/', '*') => self.pass_into(2, Inside::BlockComment(1)),
            ('"', _) => self.pass_into(1, Inside::Text),
            ('r', '"' | '#') if !in_word || matches!(before, 'b' | 'c') => self.step_raw(),
            // A character, not a lifetime.
            ('\'', '\\') => {
                let closing = (3..12).find(|ahead| self.peek(*ahead) == '\'').unwrap_or(2);
                self.pass_into(closing + 1, Inside::Code)
            }
            ('\'', _) if self.peek(2) == '\'' => self.pass_into(3, Inside::Code),
            _ => {
                self.pass(1, true, false);
                Inside::Code
            }
        }
    }

    /// At an `r` that may open a raw string, or a raw name as `r#type`.
    fn step_raw(&mut self) -> Inside {
        let hashes = (1..).take_while(|ahead| self.peek(*ahead) == '#').count();
        if self.peek(1 + hashes) == '"' {
            return self.pass_into(2 + hashes, Inside::RawText(hashes));
        }
        self.pass(1, true, false);
        Inside::Code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, comments: &str) {
        let source = Source::read(text);
        let squeezed = |lines: &[String]| {
            lines.join("\n").split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(squeezed(&source.code), code, "code of {text}");
        assert_eq!(squeezed(&source.comments), comments, "comments of {text}");
    }

    #[test]
    fn code_and_comments() {
        check("let a = 1; // why\nb", "let a = 1; \nb", "// why\n");
        check("a /* x /* y */ z */ b", "a b", "x y z");
        check(r#"f("a // \" {", 1)"#, "f( , 1)", "");
        check(r##"f(r#"a " // {"#, 1)"##, "f( , 1)", "");
        check("f(b'{', '\\'', '\\u{7d}', 'a')", "f(b , , , )", "");
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)", "");
        check("r#type + for\"x\"", "r#type + for", "");
    }

    #[test]
    fn lines_stay_in_place() {
        let source = Source::read("a\n\"b\nc\"\n/* d\n e */ f\n");
        assert_eq!(source.code.len(), 6);
        assert_eq!(source.code[4].trim(), "f");
    }

    #[test]
    fn ends_of_items() {
        let end = |text: &str| Source::read(text).end_of_item(0, 0);
        assert_eq!(end("fn f() {}\nx"), 0);
        assert_eq!(end("fn f(\n a: [u8; 4],\n) -> [u8; 2] {\n if a {\n }\n}\nx"), 5);
        assert_eq!(end("fn f() -> [u8; 4];\nx {\n}"), 0);
        assert_eq!(end("fn f() {\n let x = '}'; // }\n \"}\";\n}\n"), 3);
    }
}
