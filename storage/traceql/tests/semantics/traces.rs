//! The trace that is judged: order, duplicates, parents, roots, nested sets.

use super::support::{check, check_parts, over, plan, trace};
use spanloom_traceql::plan::Plan;

/// What a query's first field is in each span: `id=value`, in the order of spans.
fn values(query: &str, text: &str) -> String {
    let plan: Plan = plan(query);
    over(&plan, &[trace(text)], |whole| {
        let mut out = Vec::new();
        for span in 0..whole.len() {
            let field = spanloom_traceql::plan::FieldId(0);
            let id = whole.span(span).id;
            whole
                .see(span, field, &mut |value| {
                    out.push(format!("{id:x}={}", super::support::show_value(&value.to_any())))
                })
                .expect("a value");
        }
        out.join(" ")
    })
}

#[test]
fn spans_stand_by_start_then_id_then_kind() {
    let text = "3 - 10 0
                2 - 5 0 kind=client .k=c
                2 - 5 0 kind=server .k=s
                1 - 10 0
                9 - 0 0";
    check(
        text,
        &[("{ }", "9 2 2 1 3"), ("{ } | by(.k)", "{by(.k)=nil} 9 1 3 | {by(.k)=s} 2 | {by(.k)=c} 2")],
    );
}

#[test]
fn of_spans_with_the_same_id_and_kind_the_first_counts() {
    let first = trace("1 - 0 10 .a=1\n2 1 1 5 .a=1 kind=server");
    let second = trace("2 1 1 7 .a=2 kind=client\n1 - 0 20 .a=2\n3 2 4 1 .a=3");
    check_parts(
        &[first.clone(), second.clone()],
        &[
            ("{ .a = 1 }", "1 2"),
            ("{ .a = 2 }", "2"),
            ("{ } | count() = 4", "{count()=4} 1 2 2 3"),
            ("{ duration = 20 }", ""),
        ],
    );
    check_parts(&[second, first], &[("{ .a = 1 }", "2"), ("{ .a = 2 }", "1 2"), ("{ duration = 20 }", "1")]);
}

#[test]
fn a_span_that_ends_before_it_starts_has_no_duration() {
    check(
        "1 - 10 -5
         2 1 12 4",
        &[("{ duration = 0 }", "1"), ("{ traceDuration = 6ns }", "1 2")],
    );
}

#[test]
fn the_first_root_names_the_trace() {
    check(
        "2 - 5 0 name=late res.service.name=b
         1 - 3 0 name=early res.service.name=a
         3 9 0 0 name=orphan res.service.name=c",
        &[
            ("{ rootName = \"early\" }", "3 1 2"),
            ("{ rootServiceName = \"a\" }", "3 1 2"),
            ("{ trace:rootService != \"a\" }", ""),
        ],
    );
    check(
        "1 9 3 0 name=orphan",
        &[
            ("{ rootName = \"orphan\" }", ""),
            ("{ rootName != \"orphan\" }", ""),
            ("{ rootServiceName = \"\" }", ""),
        ],
    );
    check("1 - 3 0 name=x", &[("{ rootServiceName = \"\" }", "1")]);
}

#[test]
fn roots_have_no_parent_id_and_orphans_one_that_is_not_there() {
    check(
        "1 - 0 0
         2 0 1 0
         3 1 2 0
         4 ff 3 0
         5 odd 4 0
         6 6 5 0
         7 4 6 0",
        &[
            ("{ nestedSetParent < 0 }", "1 2"),
            ("{ nestedSetParent = -1 }", "1 2"),
            ("{ nestedSetParent <= -1 }", "1 2"),
            ("{ nestedSetParent >= 0 }", "3 4 5 6 7"),
            ("{ nestedSetParent != -1 }", "3 4 5 6 7"),
            ("{ nestedSetParent > -1 }", "3 4 5 6 7"),
            ("{ nestedSetParent < -1 }", ""),
            ("{ nestedSetParent = 0 }", "4 5 6 7"),
            ("{ nestedSetParent > 0 }", "3"),
            ("{ nestedSetParent < 1 && nestedSetLeft = 0 }", "4 5 6 7"),
            ("{ parent = nil }", "1 2 4 5 6"),
            ("{ parent != nil }", "3 7"),
        ],
    );
}

#[test]
fn nested_sets_are_numbered_depth_first_in_the_order_of_spans() {
    let text = "1 - 0 0
                2 1 1 0
                3 2 2 0
                4 1 3 0
                5 - 4 0
                6 ff 5 0
                7 6 6 0";
    assert_eq!(values("{ nestedSetLeft > 0 }", text), "1=1 2=2 3=3 4=6 5=9 6=0 7=0");
    assert_eq!(values("{ nestedSetRight > 0 }", text), "1=8 2=5 3=4 4=7 5=10 6=0 7=0");
    assert_eq!(values("{ nestedSetParent > 0 }", text), "1=-1 2=1 3=2 4=1 5=-1 6=0 7=0");
    assert_eq!(values("{ span:childCount > 0 }", text), "1=2 2=1 3=0 4=0 5=0 6=1 7=0");
    // A child that starts before its parent.
    let early = "1 2 0 0\n2 3 1 0\n3 - 2 0";
    assert_eq!(values("{ nestedSetLeft > 0 }", early), "1=3 2=2 3=1");
    assert_eq!(values("{ nestedSetRight > 0 }", early), "1=4 2=5 3=6");
}

#[test]
fn a_shared_id_is_the_client_s_and_below_it_the_server_s() {
    // 2 is shared; 3 is below the server; 4 names an id that only clients and internal spans share.
    let text = "1 - 0 0 kind=server
                2 1 1 0 kind=client .a=client
                2 1 2 0 kind=server .a=server
                3 2 3 0 .a=below
                5 1 4 0 kind=internal .a=first
                5 1 5 0 kind=client .a=second
                4 5 6 0
                6 6 7 0 kind=server .a=self
                6 6 8 0 kind=producer .a=other";
    check(
        text,
        &[
            ("{ .a = \"client\" } > { }", "2"),
            ("{ .a = \"client\" } > { .a = \"server\" }", "2"),
            ("{ .a = \"server\" } > { }", "3"),
            ("{ .a = \"first\" } > { }", "4"),
            ("{ .a = \"second\" } > { }", ""),
            // Each is the other's parent: a circle, of which the first is an orphan.
            ("{ .a = \"self\" } > { }", "6"),
            ("{ .a = \"other\" } > { }", ""),
            ("{ .a = \"self\" && nestedSetParent = 0 }", "6"),
        ],
    );
    // A root stays one, shared id or not.
    check(
        "1 - 0 0 kind=client
         1 - 1 0 kind=server",
        &[("{ nestedSetParent < 0 }", "1 1"), ("{ kind = client } > { kind = server }", "")],
    );
}

#[test]
fn the_first_span_of_a_circle_is_an_orphan() {
    check(
        "4 - 0 0
         1 3 1 0
         2 1 2 0
         3 2 3 0
         5 3 4 0",
        &[
            ("{ span:id = \"0000000000000001\" } >> { }", "2 3 5"),
            ("{ } > { }", "2 3 5"),
            ("{ nestedSetLeft = 0 }", "1 2 3 5"),
            ("{ parent = nil }", "4 1"),
        ],
    );
}

#[test]
fn values_of_the_parent() {
    check(
        "1 - 0 0 .a=1 res.b=x
         2 1 1 0 .a=2 res.b=y
         3 2 2 0 .a=3
         4 ff 3 0 .a=4",
        &[
            ("{ parent.a = 1 }", "2"),
            ("{ parent.span.a = 2 }", "3"),
            ("{ parent.resource.b = \"x\" }", "2"),
            ("{ parent.a = nil }", "1 4"),
            ("{ parent.a != nil }", "2 3"),
            ("{ parent.a < .a }", "2 3"),
            ("{ parent.a != 1 }", "3"),
        ],
    );
}

#[test]
fn a_chain_of_all_spans_is_walked_without_recursion() {
    let mut text = String::from("1 - 0 1 .a=first\n");
    for at in 2..=30_000 {
        // Every child before its parent, so that the order of spans is no help.
        text.push_str(&format!("{at:x} {:x} {} 1\n", at - 1, 30_001 - at));
    }
    let trace = [trace(&text)];
    check_parts(
        &trace,
        &[
            ("{ .a = \"first\" } >> { } | count() = 29999 | { span:childCount = 0 }", "{count()=29999} 7530"),
            ("{ span:childCount = 0 } << { .a = \"first\" }", "1"),
            ("{ nestedSetLeft = 30000 && nestedSetRight = 30001 }", "7530"),
        ],
    );
}
