//! Limits are reached and kept: long chains, deep nesting, large patterns; on a small stack.
#![allow(clippy::expect_used)] // a test answers by panicking

use spanloom_traceql::plan::Plan;
use spanloom_traceql::{
    MAX_FIELDS, MAX_HEIGHT, MAX_NESTING, MAX_QUERY_BYTES, check, complete, lenient_filter, parse, read,
};

/// Of the thread that walks the highest trees; a quarter of what threads get by default.
const STACK_BYTES: usize = 512 * 1024;

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(test).expect("a thread");
    thread.join().expect("no stack overflow, no panic");
}

/// Reads, judges, prints and reads again, compares, copies, completes.
fn holds(query: &str) {
    let tree = read(query).unwrap_or_else(|error| panic!("{}: {error}", &query[..query.len().min(60)]));
    assert_eq!(check(&tree), Ok(()));
    let printed = tree.to_string();
    if printed.len() <= MAX_QUERY_BYTES {
        assert!(parse(&printed).as_ref() == Ok(&tree), "{}", &printed[..printed.len().min(2000)]);
    }
    assert!(tree.clone().to_string() == printed);
    drop(complete(query, query.len() / 2));
    drop(lenient_filter(query));
}

fn repeated(open: &str, first: &str, more: &str, close: &str) -> String {
    let times = (MAX_QUERY_BYTES - open.len() - first.len() - close.len()) / more.len();
    format!("{open}{first}{}{close}", more.repeat(times))
}

#[test]
fn chains_are_as_long_as_a_query_may_be() {
    for (open, first, more, close) in [
        ("{", ".a", "||.a", "}"),
        ("{", "true", "&&.a", "}"),
        ("{ ", ".a", " || .a", " }"),
        ("{ ", "true", " && .a", " }"),
        ("{", ".a=1", " || .a = \"some value\"", "}"),
        ("{", "(.a=1&&.b=2)", "||(.a=1&&.b=2)", "}"),
        ("{", "(.a||.b)", "||(.a||.b)", "}"),
        ("", "{}", "&&{}", ""),
        ("", "{}", "||{}", " | rate()"),
        ("", "({}||{})", "||({}||{})", ""),
        ("", "{.a}>{.b}", "||({.a}>>{.b})", ""),
        ("", "({}|count()>1)", "&&({}|count()>1)", ""),
        ("", "{}", "|{}", ""),
        ("", "{}", "|count()>1", ""),
        ("", "{}|rate()", "|>1", ""),
        ("", "{}|select(.a", ",.a", ")"),
        ("", "{}with(sample=0", ",sample=0", ")"),
        ("{", ".a=\"", "x", "\"}"),
        ("{.", "a", "a", "=1}"),
    ] {
        let query = repeated(open, first, more, close);
        on_a_small_stack(move || holds(&query));
    }
}

#[test]
fn a_chain_is_grouped_only_when_it_is_long() {
    let chain = |terms: usize| format!("{{ .a{} }}", " || .a".repeat(terms - 1));
    for terms in [2, 256, 512] {
        assert_eq!(parse(&chain(terms)).expect("short").to_string(), chain(terms));
    }
    let run = |terms: usize| vec![".a"; terms].join(" || ");
    let grouped = format!("{{ {} || ({}) || .a }}", run(256), run(256));
    assert_eq!(parse(&chain(513)).expect("long").to_string(), grouped);
    // Parentheses that make no difference to a chain make none to its groups.
    let halves = format!("{{ ({}) || {} }}", run(400), run(113));
    assert_eq!(parse(&halves).expect("long").to_string(), grouped);
    let mixed = format!("{{ {} && .b || {} }}", run(400), run(400));
    assert_eq!(parse(&mixed).expect("each run is short").to_string(), mixed);
}

#[test]
fn what_cannot_be_grouped_is_as_high_as_may_be() {
    for (open, first, more, close, operators) in [
        ("{ ", "1", " + 1", " = .a }", 1),
        ("{ ", "true", " && .a || .b", " }", 2),
        ("", "{}", " > {}", "", 1),
        ("{} | ", "count()", " + 1", " > 1", 1),
        ("", "({} | rate())", " + 1", "", 1),
    ] {
        on_a_small_stack(move || {
            let query = |times: usize| format!("{open}{first}{}{close}", more.repeat(times));
            let highest = (1..=MAX_HEIGHT).rev().find(|times| parse(&query(*times)).is_ok());
            let highest = highest.expect("some height");
            assert!(highest * operators >= MAX_HEIGHT - 8, "{highest} times `{more}`");
            holds(&query(highest));
            let error = parse(&query(MAX_HEIGHT + 1)).expect_err("too high").to_string();
            let reason = "the query has more than 1000 operators that build on one another";
            assert!(error.ends_with(reason), "{error}");
        });
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{{ {}.a{} }}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(MAX_NESTING - 3)).is_ok());
    on_a_small_stack(move || {
        for open in [
            "(",
            "{ (",
            "{ !",
            "{ -",
            "{ .a ^ ",
            "{ .a && (",
            "{} > (",
            "{} | (",
            "{} | count() > (",
            "{} | avg((",
        ] {
            let query = format!("{}{}", &open[..open.len().min(2)], open.repeat(8_000).replace('{', "("));
            let error = parse(&query).expect_err(open).to_string();
            assert!(!error.is_empty());
            drop(complete(&query, query.len()));
            drop(lenient_filter(&query));
        }
        let error = parse(&nested(20_000)).expect_err("too deep").to_string();
        assert!(error.ends_with("the query has more than 64 levels of nesting"), "{error}");
    });
}

/// Chains within the left operands of chains: no single one is high.
#[test]
fn heights_add_up() {
    on_a_small_stack(|| {
        let mut inner = ".a".to_owned();
        for level in 0..12 {
            let op = ["&&", "||"][level % 2];
            inner = format!("({inner}{})", format!(" {op} .a").repeat(200));
        }
        let error = parse(&format!("{{ {inner} }}")).expect_err("too high").to_string();
        assert!(error.ends_with("operators that build on one another"), "{error}");
        let mut sets = "{}".to_owned();
        for level in 0..12 {
            let op = ["&&", "||"][level % 2];
            sets = format!("({sets}{} | count() > 1)", format!(" {op} {{}}").repeat(200));
        }
        let error = parse(&sets).expect_err("too high").to_string();
        assert!(error.ends_with("operators that build on one another"), "{error}");
    });
}

#[test]
fn fields_are_bounded() {
    let select = |fields: usize| {
        let fields: Vec<String> = (0..fields).map(|at| format!(".a{at}")).collect();
        format!("{{}} | select({}, .a0)", fields.join(", "))
    };
    let plan = |fields: usize| Plan::new(&read(&select(fields)).expect("a query"));
    assert_eq!(plan(MAX_FIELDS).expect("as many as may be").fields.len(), MAX_FIELDS);
    let error = plan(MAX_FIELDS + 1).expect_err("too many").to_string();
    assert_eq!(error, "`.a1000`: the query mentions more than 1000 fields");
}

#[test]
fn bytes_and_patterns_are_bounded() {
    let error = parse(&" ".repeat(MAX_QUERY_BYTES + 1)).expect_err("too many bytes").to_string();
    assert_eq!(error, "line 1, column 1: the query has more than 131072 bytes");

    let patterns = |count: usize| format!("{{ .a =~ \"x\"{} }}", " || .a =~ \"x\"".repeat(count - 1));
    assert_eq!(read(&patterns(200)).err(), None);
    let error = read(&patterns(201)).expect_err("too many patterns").to_string();
    let reason = "the query has more than 200 regular expressions; join some by `|` within one";
    assert!(error.ends_with(reason), "{error}");

    for pattern in
        ["(a*)*".repeat(2_000), "(".repeat(60_000), "a|".repeat(50_000), "[a-z]{1000}{1000}".to_owned()]
    {
        on_a_small_stack(move || drop(read(&format!("{{ .a =~ `{pattern}` }}"))));
    }
}
