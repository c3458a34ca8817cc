//! What may stand at a cursor, and which conditions an unfinished query has.
//!
//! In the table, `§` is the cursor; the outcome is what is replaced, the filter if there is one, and what may stand
//! there, where long lists of words are cut.
#![allow(clippy::expect_used)] // a test answers by panicking

use spanloom_traceql::ast::Attribute;
use spanloom_traceql::ast::Field;
use spanloom_traceql::{Expected, WordKind, check, complete, lenient_filter, parse};

const CURSOR: char = '§';

fn outcome(marked: &str) -> String {
    let cursor = marked.find(CURSOR).expect("a cursor");
    let query = marked.replace(CURSOR, "");
    let completion = complete(&query, cursor);
    let replaced = &query[completion.replace.clone()];
    let filter = completion.filter.map(|filter| format!(" {filter}")).unwrap_or_default();
    if !filter.is_empty() {
        let filter = parse(&filter).expect("a filter is a query");
        assert_eq!(check(&filter), Ok(()));
    }
    format!("[{replaced}]{filter} {}", shown(&completion.expected))
}

fn shown(expected: &[Expected]) -> String {
    let mut shown: Vec<String> = Vec::new();
    let mut kind_before = None;
    let mut in_kind = 0;
    for one in expected {
        let Expected::Word(kind, word) = one else {
            shown.push(thing(one));
            continue;
        };
        if kind_before != Some(*kind) {
            shown.push(format!("{kind:?}:").to_lowercase());
            in_kind = 0;
        }
        kind_before = Some(*kind);
        in_kind += 1;
        match in_kind {
            1..=4 => shown.push((*word).to_owned()),
            5 => shown.push("...".to_owned()),
            _ => {}
        }
    }
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(" ") }
}

fn thing(one: &Expected) -> String {
    match one {
        Expected::Attribute { parent, scope, prefix } => {
            let name = if prefix.is_empty() { "§" } else { prefix };
            let attribute = Attribute { parent: *parent, scope: *scope, name: name.to_owned() };
            format!("attribute({})", Field::Attribute(attribute))
        }
        Expected::Value { field, prefix } => format!("value({field}, {prefix})"),
        Expected::Word(..) => String::new(),
    }
}

fn check_table(table: &str, least: usize, outcome: impl Fn(&str) -> String) {
    let lines: Vec<&str> = table.lines().collect();
    let rows: Vec<(&str, &str)> = lines.chunks_exact(2).map(|row| (row[0], row[1])).collect();
    assert!(rows.len() >= least, "the table has {} rows", rows.len());
    let wrong: Vec<String> = rows
        .into_iter()
        .map(|(query, expected)| (query, expected, format!("=> {}", outcome(query))))
        .filter(|(_, expected, found)| expected != found)
        .map(|(query, _, found)| format!("{query}\n{found}"))
        .collect();
    assert!(wrong.is_empty(), "these rows differ from the table, found:\n{}", wrong.join("\n"));
}

#[test]
fn a_cursor_is_told_what_may_stand_there() {
    check_table(include_str!("complete.txt"), 80, outcome);
}

#[test]
fn a_broken_filter_keeps_the_conditions_that_can_be_read() {
    check_table(include_str!("lenient.txt"), 30, |q| {
        lenient_filter(q).map_or("nothing".to_owned(), |filter| format!("{{ {filter} }}"))
    });
}

#[test]
fn every_cursor_of_every_query_is_answered() {
    for query in include_str!("valid.txt").lines().chain(include_str!("refused.txt").lines()) {
        for cursor in 0..query.len() + 3 {
            let completion = complete(query, cursor);
            assert!(query.get(completion.replace.clone()).is_some(), "{query} at {cursor}");
            assert!(completion.replace.start <= cursor, "{query} at {cursor}");
            if let Some(filter) = completion.filter {
                assert_eq!(parse(&filter).map(|tree| check(&tree)), Ok(Ok(())), "{query} at {cursor}");
            }
        }
    }
}

/// Writing a query from left to right: the word that is written is among what is offered.
#[test]
fn what_is_offered_includes_what_is_written() {
    for (query, wanted) in [
        ("{ span.a = 1 && dur§ation", (WordKind::Intrinsic, "duration")),
        ("{ sp§an.a", (WordKind::Scope, "span.")),
        ("{ span:§id", (WordKind::Intrinsic, "span:id")),
        ("{ status = §error }", (WordKind::Keyword, "error")),
        ("{ kind != cl§ient }", (WordKind::Keyword, "client")),
        ("{ .a § && .b }", (WordKind::Operator, "&&")),
        ("{ .a !§= 1 }", (WordKind::Operator, "!=")),
        ("{} §&>> {}", (WordKind::Operator, "&>>")),
        ("{} | §quantile_over_time(duration, .5)", (WordKind::Function, "quantile_over_time")),
        ("{} | rate() §by(name)", (WordKind::Stage, "by")),
        ("{} | rate() by(§name)", (WordKind::Intrinsic, "name")),
        ("{} | rate() | §topk(5)", (WordKind::Function, "topk")),
        ("{} | sel§ect(name)", (WordKind::Stage, "select")),
        ("{} | select(name, §kind)", (WordKind::Intrinsic, "kind")),
        ("{} | rate() §with(sample=true)", (WordKind::Keyword, "with")),
        ("{} with(most§_recent=true)", (WordKind::Hint, "most_recent")),
        ("{} with(sample=§true)", (WordKind::Keyword, "true")),
    ] {
        let cursor = query.find(CURSOR).expect("a cursor");
        let found = complete(&query.replace(CURSOR, ""), cursor).expected;
        assert!(found.contains(&Expected::Word(wanted.0, wanted.1)), "{query}: {found:?}");
    }
}
