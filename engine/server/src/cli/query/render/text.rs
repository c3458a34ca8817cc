//! Text for a terminal: nothing that came from outside drives it, and everything is measured in columns.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What is cut off stands for itself by this.
const CUT: char = '…';

/// Whether a character would do something to the terminal or to the order of what is read.
fn drives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
        || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Text in which control characters, and those that turn the direction of writing, are escaped as Rust does:
/// `\n`, `\t`, `\u{1b}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(drives) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if drives(c) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Columns that an escaped text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// An escaped text cut to at most so many columns.
pub fn clip(text: &str, columns: usize) -> String {
    // A text of few bytes needs no measuring; a long one is not measured beyond what is shown.
    if text.len() <= columns || text.len() <= columns.saturating_mul(4) && width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let more = c.width().unwrap_or(0);
        if used + more + 1 > columns {
            break;
        }
        used += more;
        out.push(c);
    }
    if columns > 0 {
        out.push(CUT);
    }
    // Some characters, such as the selectors of emoji, make the one before them wider.
    while width(&out) > columns && out.pop().is_some() {}
    out
}

/// Cut or filled to exactly so many columns, text on the left.
pub fn left(text: &str, columns: usize) -> String {
    let mut out = clip(text, columns);
    fill(&mut out, columns);
    out
}

/// Cut or filled to exactly so many columns, text on the right.
pub fn right(text: &str, columns: usize) -> String {
    let clipped = clip(text, columns);
    format!("{}{clipped}", " ".repeat(columns.saturating_sub(width(&clipped))))
}

/// Spaces up to so many columns.
pub fn fill(text: &mut String, columns: usize) {
    let missing = columns.saturating_sub(width(text));
    text.extend(std::iter::repeat_n(' ', missing));
}

/// A text broken between words into lines of at most so many columns; a longer word is cut.
pub fn wrap(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, paragraph) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let mut used = 0;
        for word in paragraph.split(' ') {
            let word = clip(word, columns);
            let more = width(&word);
            if used > 0 && used + 1 + more > columns {
                out.push('\n');
                used = 0;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(&word);
            used += more;
        }
    }
    out
}

/// A line without the spaces at its end.
pub fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end_matches(' '));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_drives_the_terminal() {
        let check = |text: &str, expected: &str| assert_eq!(escape(text), expected);
        check("GET /cart", "GET /cart");
        check("a\u{1b}[2Jb", "a\\u{1b}[2Jb");
        check("\u{9b}31m", "\\u{9b}31m");
        check("one\r\n\ttwo\0", "one\\r\\n\\ttwo\\u{0}");
        check("\u{202e}evil\u{2066}", "\\u{202e}evil\\u{2066}");
        check("漢字 Ω 👩‍👩‍👧‍👦", "漢字 Ω 👩‍👩‍👧‍👦");
    }

    #[test]
    fn columns_are_counted_and_not_characters() {
        let check = |text: &str, columns: usize, expected: &str| {
            assert_eq!(left(text, columns), expected, "{text}, {columns}");
            assert_eq!(width(&left(text, columns)), columns);
            assert_eq!(width(&right(text, columns)), columns);
        };
        check("cart", 6, "cart  ");
        check("checkout", 6, "check…");
        check("漢字漢字", 8, "漢字漢字");
        check("漢字漢字", 7, "漢字漢…");
        check("漢字漢字", 6, "漢字… ");
        check("e\u{301}te\u{301}", 3, "e\u{301}te\u{301}");
        check("", 2, "  ");
        check("x", 0, "");
        check("xy", 1, "…");
        assert_eq!(right("7", 3), "  7");
        assert_eq!(clip(&"x".repeat(1000), 4), "xxx…");
    }

    fn any_text() -> impl Strategy<Value = String> {
        let odd =
            "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}\u{300}-\u{310}\u{fe0f}\u{1f3fb}❤☝1👩漢 a-c]{0,40}";
        prop_oneof![any::<String>(), odd]
    }

    proptest! {
        #[test]
        fn any_text_fits_and_drives_nothing(text in any_text(), columns in 0usize..50) {
            let text = escape(&text);
            prop_assert!(!text.contains(drives));
            prop_assert!(width(&clip(&text, columns)) <= columns);
            prop_assert_eq!(width(&left(&text, columns)), columns);
            prop_assert_eq!(width(&right(&text, columns)), columns);
            for line in wrap(&text, columns.max(1)).lines() {
                prop_assert!(width(line) <= columns.max(1), "{:?}", line);
            }
        }
    }

    #[test]
    fn lines_break_between_words() {
        let check = |text: &str, expected: &str| assert_eq!(wrap(text, 8), expected);
        check("at most 8", "at most\n8");
        check("at most\nof 漢字漢", "at most\nof\n漢字漢");
        check("unbreakable", "unbreak…");
        check("", "");
    }
}
