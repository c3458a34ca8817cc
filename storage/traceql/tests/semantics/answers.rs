//! What a search answers with.

use super::support::{over, plan, show_value, trace};
use spanloom_traceql::answer::{FoundTrace, ServiceStats};
use spanloom_traceql::eval::{found_trace, judge};

const TEXT: &str =
    "2 1 1000 50 name=b res.service.name=back status=error .http.method=GET event@1[a=1] event@2[a=2]
                    1 - 900 400 name=a res.service.name=front kind=server .http.method=POST .list=(1,x)
                    3 1 1100 -7 name=c status=error
                    4 ff 1200 200 res.service.name=back";

fn answer(query: &str, text: &str, spans: usize) -> FoundTrace {
    let plan = plan(query);
    over(&plan, &[trace(text)], |whole| {
        let pipeline = plan.pipeline().expect("a search");
        let spansets = judge(pipeline, whole, &mut |_, _, _| Ok(false)).expect("spansets");
        found_trace(whole, &spansets, spans).expect("an answer")
    })
}

/// The attributes that each span is shown with.
fn shown(query: &str) -> String {
    let found = answer(query, TEXT, 10);
    let spans = found.spansets.iter().flat_map(|spanset| &spanset.spans).map(|span| {
        let attributes = span.attributes.iter().map(|(key, value)| format!("{key}={}", show_value(value)));
        format!("{}({})", span.name, attributes.collect::<Vec<_>>().join(" "))
    });
    spans.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_trace_is_shown_with_its_root_and_all_its_services() {
    let found = answer("{ name = \"b\" }", TEXT, 10);
    assert_eq!((found.root_name.as_deref(), found.root_service.as_deref()), (Some("a"), Some("front")));
    assert_eq!((found.start, found.duration), (900, 500));
    let stats = |service: &str, spans, errors| ServiceStats { service: service.to_owned(), spans, errors };
    assert_eq!(found.services, [stats("", 1, 1), stats("back", 2, 1), stats("front", 1, 0)]);
    let spanset = &found.spansets[0];
    assert_eq!((spanset.matched, spanset.spans.len()), (1, 1));
    let span = &spanset.spans[0];
    assert_eq!((span.name.as_str(), span.start, span.duration), ("b", 1000, 50));
    assert_eq!(span.id.to_string(), "0000000000000002");
    let rootless = answer("{ }", "4 ff 1200 200", 10);
    assert_eq!((rootless.root_name, rootless.root_service), (None, None));
}

#[test]
fn the_first_spans_are_shown_and_all_are_counted() {
    let found = answer("{ } | by(.http.method) | count() > 0", TEXT, 1);
    let spansets: Vec<_> = found
        .spansets
        .iter()
        .map(|spanset| {
            let attributes =
                spanset.attributes.iter().map(|(name, value)| format!("{name}={}", show_value(value)));
            (attributes.collect::<Vec<_>>().join(" "), spanset.spans[0].name.clone(), spanset.matched)
        })
        .collect();
    let spanset = |attributes: &str, first: &str, matched| (attributes.to_owned(), first.to_owned(), matched);
    assert_eq!(
        spansets,
        [
            spanset("by(.http.method)=POST count()=1", "a", 1),
            spanset("by(.http.method)=GET count()=1", "b", 1),
            spanset("by(.http.method)=nil count()=2", "c", 2),
        ]
    );
}

#[test]
fn spans_are_shown_with_the_fields_that_the_query_mentions() {
    for (query, expected) in [
        (
            "{ name = \"a\" && duration > 1 && rootName = \"a\" && traceDuration > 0 && span:id != \"\" }",
            "a()",
        ),
        ("{ .http.method != nil }", "a(http.method=POST) b(http.method=GET)"),
        ("{ status = error && .http.method = nil }", "c(status=error)"),
        ("{ name = \"b\" } | select(kind, status, event.a)", "b(kind=unspecified status=error a=1)"),
        ("{ nestedSetParent < 0 } | by(span.http.method)", "a(nestedSetParent=-1 http.method=POST)"),
        ("{ name = \"b\" } | max(.http.method) = 1 || { }", ""),
        ("{ name = \"a\" } | select(.list) | max(.none) != 1", ""),
        ("{ resource.service.name = \"front\" && .kind = nil }", "a(service.name=front)"),
        ("{ parent.http.method = \"POST\" }", "b(http.method=POST) c(http.method=POST)"),
        ("{ span:parentID != nil && name = \"b\" }", "b(span:parentID=0000000000000001)"),
    ] {
        let Ok(_) = spanloom_traceql::parse(query) else { continue };
        assert_eq!(shown(query), expected, "{query}");
    }
}

#[test]
fn services_of_duplicates_are_counted_once() {
    let plan = plan("{ }");
    let (first, second) = (
        trace("1 - 0 0 res.service.name=a\n2 1 1 0 res.service.name=b"),
        trace("2 1 1 0 res.service.name=c\n3 1 1 0 res.service.name=b"),
    );
    over(&plan, &[first, second], |whole| {
        let services = whole.services().expect("services");
        let services: Vec<_> = services.iter().map(|stats| (stats.service.as_str(), stats.spans)).collect();
        assert_eq!(services, [("a", 1), ("b", 2)]);
        assert!(whole.overlaps(1, 5) && whole.overlaps(0, 0) && !whole.overlaps(2, 5));
    });
}
