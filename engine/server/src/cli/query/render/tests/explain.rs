//! Explanations as golden texts.

use super::super::golden;
use super::*;

const EXPLAIN: &str = r#"{"query":"{ .a = 1 }","sources":[
    {"name":"live","spans":10,"traces":2,"rowsRead":5,"rowsMatched":1,"candidates":1},
    {"name":"single-tenant/018c-000.block","spans":1200000,"traces":90000,"rowGroups":19,
     "rowGroupsPruned":[{"reason":"no row has the attribute","rowGroups":17}],"rowsRead":131072,"rowsMatched":12,
     "candidates":3,"joined":1},
    {"name":"single-tenant/018b-000.block","spans":500,"traces":40,"rowGroups":1,"pruned":"out of the time asked for"}],
    "steps":[{"name":"columns read","micros":1500},{"name":"traces judged","micros":20}],"tookMicros":2000}"#;

#[test]
fn what_was_read_and_what_was_not() {
    let check = |name: &str, json: &str, columns: usize| {
        golden::check(name, &explain(&Style::new(columns, false), &serde_json::from_str(json).unwrap()));
    };
    check("explain-100", EXPLAIN, 100);
    check("explain-40", EXPLAIN, 40);
    check("explain-nothing", r#"{"query":"{ }"}"#, 100);
    let source = r#"{"name":"a.block","pruned":"empty"}"#;
    let many = format!(r#"{{"query":"{{ }}","sources":[{}]}}"#, vec![source; 60].join(","));
    let text = explain(&Style::PIPED, &serde_json::from_str(&many).unwrap());
    assert_eq!(text.lines().last(), Some("  and 10 more sources"));
}
