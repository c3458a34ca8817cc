//! `key=value key="value with spaces"`, as the parameter `tags` has it. Within quotes a backslash stands before
//! `"`, `\`, `n`, `r` and `t`.

/// Names and values, in the order given; else what was found and what was expected.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let ends = rest.find(|c: char| c == '=' || c == '"' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(ends);
        let Some(value) = after.strip_prefix('=').filter(|_| !key.is_empty()) else {
            return Err(format!("{:?}, expected key=value or key=\"value\"", crate::params::shown(rest)));
        };
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let ends = value.find(char::is_whitespace).unwrap_or(value.len());
                let (value, after) = value.split_at(ends);
                (value.to_owned(), after)
            }
        };
        if !after.is_empty() && !after.starts_with(char::is_whitespace) {
            return Err(format!("{:?} behind a value, expected a space", crate::params::shown(after)));
        }
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// A text up to its closing quote, and what follows.
fn unquote(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(match letters.next() {
                Some((_, 'n')) => '\n',
                Some((_, 'r')) => '\r',
                Some((_, 't')) => '\t',
                Some((_, letter @ ('"' | '\\'))) => letter,
                Some((_, other)) => return Err(format!("\\{other}, expected one of \\\" \\\\ \\n \\r \\t")),
                None => break,
            }),
            letter => value.push(letter),
        }
    }
    Err("a value without its closing quote, expected \"".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(parse(text), Ok(expected), "{text}");
        };
        check("", &[]);
        check("  ", &[]);
        check("a=b", &[("a", "b")]);
        check(" a=b  c.d=\"e f\" ", &[("a", "b"), ("c.d", "e f")]);
        check("a=b=c", &[("a", "b=c")]);
        check("a= b=1", &[("a", ""), ("b", "1")]);
        check(r#"a="x\"y\\z\n" b="""#, &[("a", "x\"y\\z\n"), ("b", "")]);
        check("ä=ö", &[("ä", "ö")]);
        check("a=b\"c", &[("a", "b\"c")]);
    }

    #[test]
    fn what_is_no_pair_is_named() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("a", "\"a\", expected key=value");
        check("=b", "\"=b\", expected key=value");
        check("a=b c", "\"c\", expected key=value");
        check("\"a\"=b", "expected key=value");
        check("a=\"b", "without its closing quote");
        check("a=\"b\\", "without its closing quote");
        check("a=\"\\x\"", "\\x, expected one of");
        check("a=\"b\"c=d", "\"c=d\" behind a value, expected a space");
    }
}
