//! What must hold for any bytes that come as a query. Shared by the fuzz target and the seed test.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test answers by panicking

use spanloom_traceql::ast::Query;
use spanloom_traceql::{QueryError, check, complete, lenient_filter, parse, read};

/// The first byte says where the cursor stands, in 256ths of the text; the rest is the text.
pub fn holds(data: &[u8]) {
    let (cursor, text) = data.split_first().map_or((0, data), |(cursor, text)| (usize::from(*cursor), text));
    let text = String::from_utf8_lossy(text);
    completed(&text, text.len() * cursor / 255);
    match parse(&text) {
        Ok(query) => parsed(&text, &query),
        Err(error) => {
            assert!(error.offset <= text.len() && error.line > 0 && error.column > 0);
            assert_eq!(read(&text), Err(QueryError::Parse(error)), "the same text gets the same answer");
        }
    }
}

/// A tree prints to a text that parses to it, and is judged the same wherever it came from.
fn parsed(text: &str, query: &Query) {
    let printed = query.to_string();
    let again = parse(&printed);
    // Groups of a long chain nest deeper than the chain did, and spaces make a text longer.
    let grown = printed.len() > text.len() && printed.len() > 512;
    assert!(again.as_ref() == Ok(query) || (grown && again.is_err()), "{text} printed as {printed}");
    let (by_text, by_tree) = (read(text), check(query));
    match (by_text, by_tree) {
        (Ok(read), Ok(())) => assert!(read == *query),
        (Err(QueryError::Check(there)), Err(here)) => {
            assert_eq!((&there.part, &there.reason), (&here.part, &here.reason), "{text}");
            assert!(there.offset < text.len() && here.offset < printed.len());
            let found = text.get(there.offset..).and_then(|rest| rest.chars().next());
            let found = found.expect("a border between characters");
            assert!(!found.is_whitespace() && !"()".contains(found), "{text} at {}", there.offset);
            assert!(again.is_err() || read(&printed) == Err(QueryError::Check(here)));
        }
        (by_text, by_tree) => panic!("{text}: {by_text:?}, {by_tree:?}"),
    }
}

/// A completion replaces text at the cursor, and its filter is a query that means something.
fn completed(text: &str, cursor: usize) {
    let completion = complete(text, cursor);
    assert!(text.get(completion.replace.clone()).is_some());
    assert!(completion.replace.start <= cursor);
    let lenient = lenient_filter(text).map(|filter| format!("{{ {filter} }}"));
    for filter in completion.filter.iter().chain(&lenient) {
        assert!(read(filter).is_ok() || filter.len() > 512, "{text}: {filter}");
    }
}
