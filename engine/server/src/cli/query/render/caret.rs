//! Where a query is wrong: its line, and a caret under the column.

use spanloom_traceql::QueryError;

use super::Style;
use super::text::{clip, escape, width};

/// Columns before the text of the line.
const MARGIN: &str = "  ";

/// What is wrong, the line of the query, and a caret under the place.
pub fn wrong_query(style: &Style, query: &str, error: &QueryError) -> String {
    let (line, column) = match error {
        QueryError::Parse(error) => (error.line, error.column),
        QueryError::Check(error) => (error.line, error.column),
    };
    let mut out = format!("the query is wrong: {}", escape(&error.to_string()));
    let text = query.split('\n').nth(line.saturating_sub(1)).unwrap_or_default();
    if text.trim().is_empty() {
        return out;
    }
    let room = style.width - 2 * MARGIN.len();
    let before: Vec<char> = text.chars().take(column.saturating_sub(1)).collect();
    // As much of what stands before the caret as fits in two thirds of the line.
    let mut shown = String::new();
    for from in (0..before.len()).rev() {
        let more: String = before[from..=from].iter().collect();
        let more = escape(&more).into_owned();
        if width(&shown) + width(&more) + 1 > room * 2 / 3 {
            shown.insert(0, '…');
            break;
        }
        shown.insert_str(0, &more);
    }
    let rest: String = text.chars().skip(column.saturating_sub(1)).take(room).collect();
    let caret = " ".repeat(width(&shown));
    let rest = clip(&escape(rest.trim_end()), room - width(&shown));
    out.push_str(&format!("\n{MARGIN}{}\n{MARGIN}{caret}^", format!("{shown}{rest}").trim_end()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: usize, query: &str, expected: &str) {
        let error = spanloom_traceql::read(query).unwrap_err();
        assert_eq!(wrong_query(&Style::new(columns, false), query, &error), expected);
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        let wrong = "the query is wrong:";
        let expected = "found `}`, expected an attribute, an intrinsic, a value or `(`";
        check(100, "{ .a = }", &format!("{wrong} line 1, column 8: {expected}\n  {{ .a = }}\n         ^"));
        check(
            100,
            "{ .a = 1 }\n| cuont() > 2",
            "the query is wrong: line 2, column 3: unknown function `cuont`, did you mean `count`?\n  \
             | cuont() > 2\n    ^",
        );
        check(
            100,
            "{ .a = \"漢字\" && }",
            &format!("{wrong} line 1, column 16: {expected}\n  {{ .a = \"漢字\" && }}\n                   ^"),
        );
        check(
            100,
            "\t{ \u{1b} }",
            &format!(
                "{wrong} line 1, column 4: found '\\u{{1b}}', which begins nothing in TraceQL\n  \
                 \\t{{ \\u{{1b}} }}\n      ^"
            ),
        );
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        check(
            40,
            "{ .a = 1 && .b = 2 && .c = 3 && .d = 4 && }",
            "the query is wrong: line 1, column 43: found `}`, expected an attribute, an intrinsic, a value or `(`\n  \
             …&& .c = 3 && .d = 4 && }\n                          ^",
        );
        check(
            40,
            "{ 1 + true && .a = 1 && .b = 2 && .c = 3 }",
            "the query is wrong: line 1, column 3: `1 + true`: found an integer and a boolean, expected two numbers\n  \
             { 1 + true && .a = 1 && .b = 2 && .…\n    ^",
        );
        check(
            40,
            "",
            "the query is wrong: line 1, column 1: found the end of the query, expected `{`, `(`, or a function such \
             as `count()`",
        );
    }
}
