//! Random traces and filters, as text.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Lines of a trace, in the format of `support.rs`: few ids, so that some are shared, missing or in circles.
pub fn lines() -> impl Strategy<Value = Vec<String>> {
    vec(line(), 1..9)
}

fn line() -> impl Strategy<Value = String> {
    let parent = select(vec!["-", "1", "2", "3", "4", "5", "6", "ff"]);
    let kind = select(vec!["", "kind=client", "kind=server", "kind=internal"]);
    let ids = (1..7u8, parent, 0..5u8, 0..4u8, kind);
    let value = || {
        select(vec![
            "1", "2", "1.0", "2.5", "x", "y", "\"1\"", "true", "false", "~", "(1,x)", "()", "(2,true)",
        ])
    };
    let attributes = vec((select(vec![".a", ".b", "res.a", "res.c", "lib.a"]), value()), 0..4);
    let events = vec((select(vec!["a", "a", "b"]), value()), 0..4);
    (ids, attributes, events).prop_map(|((id, parent, start, duration, kind), attributes, events)| {
        let mut line = format!("{id} {parent} {start} {duration} {kind} name=n{}", id % 3);
        attributes.iter().for_each(|(key, value)| line.push_str(&format!(" {key}={value}")));
        events.iter().for_each(|(key, value)| line.push_str(&format!(" event@{start}[{key}={value}]")));
        line
    })
}

/// What stands between braces; often of types that do not go together.
pub fn filter() -> impl Strategy<Value = String> {
    let field = || {
        select(vec![
            ".a",
            "span.a",
            "span.b",
            "resource.a",
            "resource.c",
            "event.a",
            "event.b",
            "parent.a",
            "parent.span.b",
            "duration",
            "name",
            "kind",
            "nestedSetParent",
            "span:childCount",
            "rootName",
        ])
    };
    let literal =
        || select(vec!["1", "2", "1.0", "0", "-1", "\"x\"", "\"y\"", "\"n1\"", "true", "false", "server"]);
    let compare = || select(vec!["=", "=", "!=", "!=", "<", "<=", ">", ">="]);
    let pattern = || select(vec!["x", "x|y", "[xy]", "n.*", ".*", "1"]);
    let chain = (
        select(vec!["event.a", ".a", "span.a", "event.b", "name", "duration", "parent.a"]),
        select(vec![("=", "||"), ("!=", "&&"), ("!=", "||"), ("=", "&&")]),
        vec(literal(), 2..5),
    );
    let patterns = (field(), select(vec![("=~", "||"), ("!~", "&&")]), vec(pattern(), 2..4));
    let leaf = prop_oneof![
        4 => (field(), compare(), literal()).prop_map(|(field, op, literal)| format!("{field} {op} {literal}")),
        1 => (field(), compare(), literal()).prop_map(|(field, op, literal)| format!("{literal} {op} {field}")),
        1 => (field(), select(vec!["=", "!="])).prop_map(|(field, op)| format!("{field} {op} nil")),
        1 => (field(), select(vec!["=~", "!~"]), pattern()).prop_map(|(field, op, text)| format!("{field} {op} \"{text}\"")),
        1 => field().prop_map(str::to_owned),
        1 => (field(), compare(), field()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
        1 => (field(), select(vec!["+", "-", "*", "/", "%"]), compare(), literal())
            .prop_map(|(field, arithmetic, op, literal)| format!("{field} {arithmetic} 2 {op} {literal}")),
        4 => chain.prop_map(|(field, (op, join), literals)| {
            literals.iter().map(|literal| format!("{field} {op} {literal}")).collect::<Vec<_>>().join(&format!(" {join} "))
        }),
        1 => patterns.prop_map(|(field, (op, join), texts)| {
            texts.iter().map(|text| format!("{field} {op} \"{text}\"")).collect::<Vec<_>>().join(&format!(" {join} "))
        }),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|of| format!("!({of})")),
            2 => (inner.clone(), select(vec!["&&", "||"]), inner.clone())
                .prop_map(|(left, op, right)| format!("({left}) {op} ({right})")),
            1 => (inner.clone(), select(vec!["&&", "||"]), inner.clone())
                .prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            1 => (inner, select(vec!["=", "!="]), select(vec!["true", ".a"]))
                .prop_map(|(left, op, right)| format!("({left}) {op} {right}")),
        ]
    })
}
