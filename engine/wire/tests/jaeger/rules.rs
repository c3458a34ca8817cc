//! The rules of translation one by one, in every form.

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span as Otlp};
use prost::Message;

use crate::model::{Batch, Log, Ref, Span, Val, batch_of, plain, proto, tag, text};
use crate::{FORMS, Form, ROOM, render, translate};

fn encode(batch: &Batch, form: Form) -> Vec<u8> {
    match form {
        Form::Batch(protocol) => batch.thrift(protocol),
        Form::Datagram(protocol) => batch.datagram(protocol),
        Form::PostSpans => batch.proto(),
    }
}

/// What a batch becomes, which must be the same in every form.
#[track_caller]
fn resources(batch: &Batch) -> Vec<ResourceSpans> {
    let mut all =
        FORMS.map(|form| translate(form, &encode(batch, form), ROOM).unwrap().resource_spans).into_iter();
    let first = all.next().unwrap();
    all.for_each(|other| assert_eq!(other, first));
    first
}

#[track_caller]
fn one(span: Span) -> Otlp {
    let mut resources = resources(&batch_of(vec![span]));
    assert_eq!((resources.len(), resources[0].scope_spans.len()), (1, 1));
    resources[0].scope_spans[0].spans.remove(0)
}

fn with_tags(tags: &[(&str, Val)]) -> Span {
    let tags = tags.iter().map(|(key, value)| tag(key, value.clone())).collect();
    Span { tags, ..plain() }
}

fn attributes(list: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> Vec<String> {
    list.iter().map(|pair| format!("{}={}", pair.key, render::value(pair.value.as_ref()))).collect()
}

fn s(text: &str) -> Val {
    Val::Str(text.to_owned())
}

#[test]
fn values_keep_their_types() {
    let values = [
        ("s", s("é")),
        ("b", Val::Bool(false)),
        ("i", Val::Int(i64::MIN)),
        ("d", Val::Double(-0.25)),
        ("y", Val::Bytes(vec![0xff, 0])),
        ("empty", s("")),
        ("", s("no key")),
    ];
    let expected = [
        "s=\"é\"",
        "b=false",
        "i=-9223372036854775808",
        "d=-0.25",
        "y=bytes ff00",
        "empty=\"\"",
        "=\"no key\"",
    ];
    assert_eq!(attributes(&one(with_tags(&values)).attributes), expected);
}

#[test]
fn kinds_come_from_a_tag() {
    let check = |value: Val, kind: i32, left: &[&str]| {
        let span = one(with_tags(&[("span.kind", value)]));
        assert_eq!(
            (span.kind, attributes(&span.attributes)),
            (kind, left.iter().map(|l| (*l).into()).collect())
        );
    };
    check(s("internal"), 1, &[]);
    check(s("server"), 2, &[]);
    check(s("client"), 3, &[]);
    check(s("producer"), 4, &[]);
    check(s("consumer"), 5, &[]);
    check(s("SERVER"), 2, &[]);
    check(s("broker"), 0, &["span.kind=\"broker\""]);
    check(Val::Int(2), 0, &["span.kind=2"]);
}

#[test]
fn statuses_come_from_tags() {
    let check = |tags: &[(&str, Val)], code: i32, message: &str, left: &[&str]| {
        let span = one(with_tags(tags));
        let status = span.status.clone().unwrap_or_default();
        assert_eq!((status.code, &*status.message), (code, message), "{tags:?}");
        assert_eq!(attributes(&span.attributes), left, "{tags:?}");
    };
    let (error, yes, no) = ("error", Val::Bool(true), Val::Bool(false));
    let (code, description) = ("otel.status_code", "otel.status_description");
    let (http, http_message, kind) = ("http.status_code", "http.status_message", "span.kind");
    check(&[], 0, "", &[]);
    check(&[(error, yes.clone())], 2, "", &[]);
    check(&[(error, s("true"))], 2, "", &[]);
    check(&[(error, no)], 0, "", &["error=false"]);
    check(&[(error, s("timeout"))], 0, "", &["error=\"timeout\""]);
    check(&[(description, s("why")), (error, yes.clone())], 2, "why", &[]);
    check(&[(code, s("OK"))], 1, "", &[]);
    check(&[(code, s("ERROR")), (description, s("why"))], 2, "why", &[]);
    check(&[(code, s("Unset"))], 0, "", &[]);
    check(
        &[(code, s("2")), (description, s("why"))],
        0,
        "",
        &["otel.status_code=\"2\"", "otel.status_description=\"why\""],
    );
    check(&[(description, s("why"))], 0, "", &["otel.status_description=\"why\""]);
    // The error tag decides; a code that says otherwise stays to be seen.
    check(&[(code, s("ERROR")), (error, yes.clone()), (description, s("why"))], 2, "why", &[]);
    check(&[(code, s("OK")), (error, yes.clone())], 2, "", &["otel.status_code=\"OK\""]);
    // HTTP's status counts when nothing else does, and stays.
    let left = |code: &str| format!("http.status_code={code}");
    for (value, of_server, of_client) in [(99, 2, 2), (100, 0, 0), (399, 0, 0), (404, 0, 2), (503, 2, 2)] {
        let tags = [(http, Val::Int(value)), (kind, s("server"))];
        check(&tags, of_server, "", &[&left(&value.to_string())]);
        check(&[(kind, s("client")), (http, Val::Int(value))], of_client, "", &[&left(&value.to_string())]);
        check(&[(http, Val::Int(value))], of_client, "", &[&left(&value.to_string())]);
    }
    check(&[(http, s("500"))], 2, "", &[&left("\"500\"")]);
    check(&[(http, Val::Double(500.0))], 2, "", &[&left("500.0")]);
    check(&[(http, s("none"))], 0, "", &[&left("\"none\"")]);
    let busy = "http.status_message=\"busy\"";
    check(&[(http_message, s("busy")), (http, Val::Int(503))], 2, "busy", &[busy, &left("503")]);
    check(&[(http_message, s("busy")), (http, Val::Int(200))], 0, "", &[busy, &left("200")]);
    check(&[(http_message, s("busy")), (error, yes.clone())], 2, "busy", &[busy]);
    check(&[(http, Val::Int(503)), (code, s("OK"))], 1, "", &[&left("503")]);
}

#[test]
fn of_two_tags_for_one_field_the_last_counts_and_the_first_stays() {
    let span = one(with_tags(&[
        ("span.kind", s("server")),
        ("a", s("x")),
        ("span.kind", s("client")),
        ("a", s("y")),
    ]));
    let expected = ["a=\"x\"", "span.kind=\"server\"", "a=\"y\""];
    assert_eq!((span.kind, attributes(&span.attributes)), (3, expected.map(str::to_owned).to_vec()));
}

#[test]
fn trace_state_and_counts_come_from_tags() {
    let span = one(with_tags(&[
        ("w3c.tracestate", s("a=b")),
        ("otel.dropped_attributes_count", Val::Int(3)),
        ("otel.dropped_events_count", Val::Double(4.0)),
        ("otel.dropped_links_count", Val::Int(-1)),
    ]));
    assert_eq!((&*span.trace_state, span.dropped_attributes_count, span.dropped_events_count), ("a=b", 3, 4));
    assert_eq!(span.dropped_links_count, 0);
    assert_eq!(attributes(&span.attributes), ["otel.dropped_links_count=-1"]);
}

#[test]
fn spans_are_put_together_by_scope_in_order_of_appearance() {
    let of = |id: u64, tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(key, value)| text(key, value)).collect();
        Span { id, tags, ..plain() }
    };
    let batch = batch_of(vec![
        of(1, &[("otel.library.name", "b"), ("otel.library.version", "1")]),
        of(2, &[]),
        of(3, &[("otel.scope.name", "b"), ("otel.scope.version", "1"), ("otel.library.name", "b")]),
        of(4, &[("otel.scope.name", "a"), ("otel.library.name", "old")]),
        of(5, &[]),
        of(6, &[("otel.scope.version", "9")]),
    ]);
    let resources = resources(&batch);
    assert_eq!(resources.len(), 1);
    let scopes = resources[0].scope_spans.iter().map(|group| {
        let scope = group.scope.clone().unwrap_or_default();
        let ids: Vec<u8> = group.spans.iter().map(|span| span.span_id[7]).collect();
        (format!("{}@{}", scope.name, scope.version), ids)
    });
    let expected = [("b@1", vec![1, 3]), ("@", vec![2, 5]), ("a@", vec![4]), ("@9", vec![6])];
    assert_eq!(scopes.collect::<Vec<_>>(), expected.map(|(name, ids)| (name.to_owned(), ids)));
    let left: Vec<String> = resources[0]
        .scope_spans
        .iter()
        .flat_map(|g| &g.spans)
        .flat_map(|s| attributes(&s.attributes))
        .collect();
    assert_eq!(left, ["otel.library.name=\"old\""]);
}

#[test]
fn a_process_is_a_resource() {
    let check = |service: &str, tags: &[(&str, Val)], expected: &[&str]| {
        let tags = tags.iter().map(|(key, value)| tag(key, value.clone())).collect();
        let batch = Batch { service: service.to_owned(), tags, spans: vec![plain()] };
        let resources = resources(&batch);
        assert_eq!(attributes(&resources[0].resource.as_ref().unwrap().attributes), expected);
    };
    let shop = "service.name=\"shop\"";
    check("shop", &[], &[shop]);
    check("", &[("a", Val::Int(1))], &["a=1"]);
    check("OTLPResourceNoServiceName", &[], &[]);
    check("shop", &[("ip", s("::1")), ("client-uuid", s("u"))], &[shop, "ip=\"::1\"", "client-uuid=\"u\""]);
    check("shop", &[("hostname", s("web"))], &[shop, "host.name=\"web\""]);
    check(
        "shop",
        &[("hostname", s("web")), ("host.name", s("db"))],
        &[shop, "host.name=\"db\"", "hostname=\"web\""],
    );
    check("shop", &[("jaeger.version", s("Go-2"))], &[shop, "opencensus.exporterversion=\"Jaeger-Go-2\""]);
    check("shop", &[("jaeger.version", Val::Int(2))], &[shop, "jaeger.version=2"]);
    let both = [("opencensus.exporterversion", s("x")), ("jaeger.version", s("Go-2"))];
    check("shop", &both, &[shop, "opencensus.exporterversion=\"x\"", "jaeger.version=\"Go-2\""]);
    // The process's own field is the service's name in Jaeger; a tag counts when that is empty.
    check("shop", &[("service.name", s("other"))], &[shop]);
    check("", &[("service.name", s("other"))], &["service.name=\"other\""]);
}

#[test]
fn logs_are_events() {
    let check = |fields: &[(&str, Val)], name: &str, left: &[&str], dropped: u32| {
        let fields = fields.iter().map(|(key, value)| tag(key, value.clone())).collect();
        let span = one(Span { logs: vec![Log { micros: 5, fields }], ..plain() });
        let [event] = &span.events[..] else { panic!("{span:?}") };
        assert_eq!((event.time_unix_nano, &*event.name), (5000, name));
        assert_eq!(
            (attributes(&event.attributes), event.dropped_attributes_count),
            (left.iter().map(|l| (*l).into()).collect(), dropped)
        );
    };
    check(&[], "", &[], 0);
    check(
        &[("a", Val::Int(1)), ("event", s("retry")), ("message", s("again"))],
        "retry",
        &["a=1", "message=\"again\""],
        0,
    );
    check(&[("message", s("again"))], "again", &["message=\"again\""], 0);
    check(&[("message", Val::Int(3))], "", &["message=3"], 0);
    check(&[("event", s("")), ("message", s("again"))], "", &["message=\"again\""], 0);
    check(&[("event", s("a")), ("event", s("b"))], "a", &["event=\"b\""], 0);
    check(&[("event", Val::Bool(true))], "", &["event=true"], 0);
    check(&[("otel.event.dropped_attributes_count", Val::Int(2))], "", &[], 2);
    check(&[("otel.dropped_attributes_count", Val::Double(2.0))], "", &[], 2);
    check(&[("otel.dropped_attributes_count", s("2"))], "", &["otel.dropped_attributes_count=\"2\""], 0);
}

#[test]
fn references_are_the_parent_and_links() {
    let own = plain().trace;
    let child = |trace, span| Ref { child: true, trace, span };
    let follows = |trace, span| Ref { child: false, trace, span };
    let check = |parent: u64, refs: &[Ref], expected: u64, links: &[(u128, u64, &str)]| {
        let span = one(Span { parent, refs: refs.to_vec(), ..plain() });
        let wanted = if expected == 0 { vec![] } else { expected.to_be_bytes().to_vec() };
        assert_eq!(span.parent_span_id, wanted, "{parent} {refs:?}");
        let found = span.links.iter().map(|link| {
            let [kind] = &attributes(&link.attributes)[..] else { panic!("{link:?}") };
            let kind = kind.strip_prefix("opentracing.ref_type=").unwrap().trim_matches('"').to_owned();
            let trace = u128::from_be_bytes(link.trace_id[..].try_into().unwrap());
            (trace, u64::from_be_bytes(link.span_id[..].try_into().unwrap()), kind)
        });
        let links: Vec<_> =
            links.iter().map(|(trace, span, kind)| (*trace, *span, (*kind).to_owned())).collect();
        assert_eq!(found.collect::<Vec<_>>(), links, "{parent} {refs:?}");
    };
    check(0, &[], 0, &[]);
    check(7, &[], 7, &[]);
    check(7, &[child(own, 7)], 7, &[]);
    check(0, &[child(own, 7)], 7, &[]);
    check(0, &[child(own, 7), child(own, 8)], 7, &[(own, 8, "child_of")]);
    check(0, &[child(5, 7)], 0, &[(5, 7, "child_of")]);
    check(0, &[follows(5, 6), child(5, 7), child(own, 8)], 8, &[(5, 6, "follows_from"), (5, 7, "child_of")]);
    // What it follows in its own trace is its parent when it has no other, and the link says how.
    check(0, &[follows(own, 6)], 6, &[(own, 6, "follows_from")]);
    check(0, &[follows(own, 6), child(own, 8)], 8, &[(own, 6, "follows_from")]);
    check(7, &[follows(own, 7)], 7, &[(own, 7, "follows_from")]);
    check(7, &[child(5, 7)], 7, &[(5, 7, "child_of")]);
    check(0, &[follows(0, 0)], 0, &[(0, 0, "follows_from")]);
}

#[test]
fn ids_of_64_bits_get_zeros_on_the_left() {
    let span = one(Span { trace: u64::MAX.into(), id: u64::MAX, ..plain() });
    assert_eq!(render::hex(&span.trace_id), "0000000000000000ffffffffffffffff");
    assert_eq!(render::hex(&span.span_id), "ffffffffffffffff");
    let wide = one(Span { trace: u128::MAX - 1, ..plain() });
    assert_eq!(render::hex(&wide.trace_id), "fffffffffffffffffffffffffffffffe");
}

#[test]
fn times_keep_within_what_otlp_has() {
    let check = |start: i64, duration: i64, expected: (u64, u64)| {
        let span = one(Span { start, duration, ..plain() });
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), expected, "{start} {duration}");
    };
    check(1_700_000_000_000_001, 5, (1_700_000_000_000_001_000, 1_700_000_000_000_006_000));
    check(0, 0, (0, 0));
    // Before 1970 there is nothing; what ends later keeps its end.
    check(-10, 15, (0, 5_000));
    check(-10, 5, (0, 0));
    // A clock that was set back: the end is where it was said to be.
    check(20, -5, (20_000, 15_000));
    check(2, -5, (2_000, 0));
    check(i64::MAX, 1, (u64::MAX, u64::MAX));
    check(i64::MIN, i64::MIN, (0, 0));
    check(5, i64::MAX, (5_000, u64::MAX));
}

#[test]
fn flags_other_than_sampled_are_an_attribute() {
    let check = |flags: u32, expected: u32, left: &[&str]| {
        let span = one(Span { flags, ..plain() });
        assert_eq!(
            (span.flags, attributes(&span.attributes)),
            (expected, left.iter().map(|l| (*l).into()).collect())
        );
    };
    check(0, 0, &[]);
    check(1, 1, &[]);
    check(3, 1, &["jaeger.flags=3"]);
    check(2, 0, &["jaeger.flags=2"]);
    check(u32::MAX, 1, &["jaeger.flags=4294967295"]);
}

#[test]
fn nanoseconds_of_protobuf_are_kept() {
    let mut span = plain().proto();
    span.start_time = Some(proto::Time { seconds: 5, nanos: 7 });
    span.duration = Some(proto::Time { seconds: 0, nanos: 2 });
    let span = post(vec![span], None).remove(0).scope_spans.remove(0).spans.remove(0);
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (5_000_000_007, 5_000_000_009));
}

fn post(spans: Vec<proto::Span>, process: Option<proto::Process>) -> Vec<ResourceSpans> {
    let batch = proto::Batch { spans, process };
    let bytes = proto::PostSpansRequest { batch: Some(batch) }.encode_to_vec();
    translate(Form::PostSpans, &bytes, ROOM).unwrap().resource_spans
}

#[test]
fn spans_with_a_process_of_their_own_have_a_resource_of_their_own() {
    let process = |name: &str| proto::Process { service_name: name.to_owned(), tags: vec![] };
    let of = |id: u8, name: Option<&str>| proto::Span {
        span_id: vec![0, 0, 0, 0, 0, 0, 0, id],
        process: name.map(process),
        ..plain().proto()
    };
    let spans = vec![of(1, Some("a")), of(2, None), of(3, Some("b")), of(4, Some("a")), of(5, None)];
    let found = post(spans, Some(process("shop"))).into_iter().map(|resource| {
        let ids =
            resource.scope_spans.iter().flat_map(|group| &group.spans).map(|span| span.span_id[7]).collect();
        (attributes(&resource.resource.unwrap().attributes), ids)
    });
    let expected: [(Vec<String>, Vec<u8>); 3] = [
        (vec!["service.name=\"a\"".into()], vec![1, 4]),
        (vec!["service.name=\"shop\"".into()], vec![2, 5]),
        (vec!["service.name=\"b\"".into()], vec![3]),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    // Without any process there is a resource that says nothing.
    let found = post(vec![of(1, None)], None);
    assert_eq!(found[0].resource.as_ref().unwrap().attributes, []);
}

#[test]
fn warnings_and_ids_of_64_bits_in_protobuf() {
    let span = proto::Span {
        trace_id: vec![0, 0, 0, 0, 0, 0, 0, 5],
        warnings: vec!["clock skew".to_owned(), "late".to_owned()],
        process_id: "p1".to_owned(),
        ..plain().proto()
    };
    let span = post(vec![span], None).remove(0).scope_spans.remove(0).spans.remove(0);
    assert_eq!(render::hex(&span.trace_id), "00000000000000000000000000000005");
    assert_eq!(attributes(&span.attributes), ["@jaeger@warnings=[\"clock skew\", \"late\"]"]);
}

#[test]
fn a_batch_without_spans_is_nothing() {
    assert_eq!(resources(&batch_of(vec![])), []);
    assert_eq!(translate(Form::PostSpans, &[], ROOM).unwrap().resource_spans, []);
}
