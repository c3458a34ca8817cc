//! Traces that few systems take well come back as they were sent: by id, in every form, while they are live, from
//! blocks, from both together, after a crash and after a drain.
//!
//! What is sent is built with the span model; what comes back must be the same model: every resource and scope as it
//! came, in order of arrival, each span once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod house;

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use house::{Answer, Client, House, json};
use spanloom_load::random::Random;
use spanloom_span::model::{
    AnyValue, Event, KeyValue, Link, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Trace,
};
use spanloom_span::proto::{Reader, Value, put_fixed64, put_message, put_uint};
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_span::{SpanId, TraceId, TracePart, decode, encode};

/// 2024, somewhere.
const NOON: u64 = 1_717_243_200_000_000_000;

/// The tenant of requests without `X-Scope-OrgID`.
const NOBODY: &str = "";

// What is sent.

fn trace_id(number: u8) -> TraceId {
    TraceId([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number])
}

fn span_id(number: u64) -> SpanId {
    SpanId((number + 1).to_be_bytes())
}

fn span(trace: u8, number: u64, parent: Option<u64>) -> Span {
    Span {
        trace_id: trace_id(trace),
        span_id: span_id(number),
        parent_span_id: parent.map_or_else(Vec::new, |parent| span_id(parent).0.to_vec()),
        name: format!("step {number}"),
        kind: 1,
        start_time_unix_nano: NOON + number * 1000,
        end_time_unix_nano: NOON + number * 1000 + 500,
        ..Span::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: AnyValue::Str(value.into()) }
}

fn from_service(service: &str, spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: Resource { attributes: vec![text("service.name", service)], ..Resource::default() },
        scope_spans: vec![ScopeSpans {
            scope: Scope { name: "lib".into(), version: "1.2".into(), ..Scope::default() },
            spans,
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    }
}

fn request(spans: Vec<Span>) -> Trace {
    Trace { resource_spans: vec![from_service("shop", spans)] }
}

/// One tenant's requests: some, and some more once the first are in a block.
struct Case {
    tenant: &'static str,
    first: Vec<Trace>,
    late: Vec<Trace>,
}

fn case(first: Vec<Trace>, late: Vec<Trace>) -> Case {
    Case { tenant: NOBODY, first, late }
}

/// A field that no version of OTLP has yet.
fn later_field() -> Vec<u8> {
    let mut out = Vec::new();
    put_uint(&mut out, 1000, 7);
    out
}

fn every_type() -> Vec<KeyValue> {
    let pair = |key: &str, value| KeyValue { key: key.into(), value };
    let mut deep = AnyValue::Int(0);
    // As deep as a request may be: 32 levels.
    for level in 0..16 {
        deep = AnyValue::Array(vec![AnyValue::Map(vec![
            pair("down", deep),
            pair("level", AnyValue::Int(level)),
        ])]);
    }
    let mixed = vec![
        AnyValue::Empty,
        AnyValue::Str(String::new()),
        AnyValue::Int(1),
        AnyValue::Double(1.0),
        AnyValue::Bool(false),
        AnyValue::Bytes(Vec::new()),
        AnyValue::Array(Vec::new()),
        AnyValue::Map(Vec::new()),
    ];
    vec![
        pair("none", AnyValue::Empty),
        pair("string", AnyValue::Str("value".into())),
        pair("string.empty", AnyValue::Str(String::new())),
        pair("string.control", AnyValue::Str("\u{0}\u{1}\n\t\"\\</script>\u{7f}\u{2028}".into())),
        pair("string.unicode", AnyValue::Str("Ω≈ç√ 漢字 עברית 👩‍👩‍👧‍👦 \u{fffd}\u{10ffff}".into())),
        pair("true", AnyValue::Bool(true)),
        pair("false", AnyValue::Bool(false)),
        pair("int", AnyValue::Int(42)),
        pair("int.zero", AnyValue::Int(0)),
        pair("int.least", AnyValue::Int(i64::MIN)),
        pair("int.most", AnyValue::Int(i64::MAX)),
        pair("double", AnyValue::Double(0.1)),
        pair("double.whole", AnyValue::Double(42.0)),
        pair("double.zero", AnyValue::Double(0.0)),
        pair("double.minus.zero", AnyValue::Double(-0.0)),
        pair("double.large", AnyValue::Double(1e300)),
        pair("double.nan", AnyValue::Double(f64::NAN)),
        pair("double.infinite", AnyValue::Double(f64::INFINITY)),
        pair("double.minus.infinite", AnyValue::Double(f64::NEG_INFINITY)),
        pair("bytes", AnyValue::Bytes((0..=255).collect())),
        pair("bytes.empty", AnyValue::Bytes(Vec::new())),
        pair("array", AnyValue::Array(mixed)),
        pair(
            "map",
            AnyValue::Map(vec![
                pair("", AnyValue::Int(1)),
                pair("x", AnyValue::Empty),
                pair("x", AnyValue::Bool(true)),
            ]),
        ),
        pair("deep", deep),
        // Empty and repeated keys, of one type and of several.
        pair("", AnyValue::Str("no key".into())),
        pair("", AnyValue::Int(2)),
        pair("twice", AnyValue::Str("same".into())),
        pair("twice", AnyValue::Str("same".into())),
        pair("twice", AnyValue::Int(3)),
        pair("ключ 🔑", AnyValue::Str("значение".into())),
    ]
}

/// Every field of the model with a value that is not its default.
fn everything() -> Case {
    let mut full = span(1, 0, Some(7));
    full.trace_state = "vendor=opaque,other=1".into();
    full.flags = 0x0000_0301;
    full.name = "GET /ünï/{id} ☃".into();
    full.kind = 5;
    full.attributes = every_type();
    (full.dropped_attributes_count, full.dropped_events_count, full.dropped_links_count) = (1, u32::MAX, 3);
    full.status = Status { message: "не вышло".into(), code: 2, unknown: later_field() };
    full.unknown = later_field();
    let event = |name: &str, attributes| Event {
        time_unix_nano: NOON,
        name: name.into(),
        attributes,
        dropped_attributes_count: 4,
        unknown: later_field(),
    };
    full.events = vec![event("exception", every_type()), event("", Vec::new()), Event::default()];
    let link = Link {
        trace_id: trace_id(99).0.to_vec(),
        span_id: span_id(99).0.to_vec(),
        trace_state: "a=b".into(),
        attributes: every_type(),
        dropped_attributes_count: 5,
        flags: 0x100,
        unknown: later_field(),
    };
    full.links = vec![link, Link::default()];
    let scope = Scope {
        name: "библиотека".into(),
        version: "0.0.0-β".into(),
        attributes: every_type(),
        dropped_attributes_count: 6,
        unknown: later_field(),
    };
    let resource = Resource { attributes: every_type(), dropped_attributes_count: 7, unknown: later_field() };
    let part = |span: Span| ResourceSpans {
        resource: resource.clone(),
        scope_spans: vec![ScopeSpans {
            scope: scope.clone(),
            spans: vec![span],
            schema_url: "https://s/1".into(),
        }],
        schema_url: "https://r/1".into(),
    };
    let mut late = full.clone();
    late.span_id = span_id(1);
    case(vec![Trace { resource_spans: vec![part(full)] }], vec![Trace { resource_spans: vec![part(late)] }])
}

/// Numbers that no enum names, times that make no sense.
fn strange_numbers() -> Case {
    let strange = |number: u64, kind, code, start, end| Span {
        kind,
        status: Status { code, ..Status::default() },
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        ..span(2, number, None)
    };
    let spans = vec![
        strange(0, 6, 3, NOON, NOON),
        strange(1, -1, -1, NOON, NOON - 1_000_000),
        strange(2, i32::MAX, i32::MAX, 0, 0),
        strange(3, i32::MIN, i32::MIN, u64::MAX, 0),
        strange(4, 0, 0, 0, u64::MAX),
        strange(5, 77, 1, 1, u64::MAX),
    ];
    // A child that is a year ahead of its parent, and one that is ten years behind.
    let year = 365 * 24 * 3600 * 1_000_000_000;
    let mut skewed = vec![span(2, 6, Some(0)), span(2, 7, Some(0))];
    skewed[0].start_time_unix_nano += year;
    skewed[0].end_time_unix_nano += year;
    skewed[1].start_time_unix_nano -= 10 * year;
    skewed[1].end_time_unix_nano -= 10 * year;
    case(vec![request(spans)], vec![request(skewed)])
}

/// No root, a parent that does not exist, a span that is its own parent, cycles within and across blocks.
fn no_tree() -> Case {
    let zero_parent = Span { parent_span_id: vec![0; 8], ..span(3, 9, None) };
    let first = vec![span(3, 0, Some(1000)), span(3, 1, Some(1)), span(3, 2, Some(3)), span(3, 3, Some(2))];
    let cycle = vec![span(3, 4, Some(6)), span(3, 5, Some(4))];
    let late = vec![span(3, 6, Some(5)), span(3, 7, None), span(3, 8, None), zero_parent];
    case(vec![request(first), request(cycle)], vec![request(late)])
}

/// Equal resources and scopes stay apart, empty ones stay, several scopes of a resource keep their order.
fn containers() -> Case {
    let twin = |number| from_service("twin", vec![span(4, number, Some(0))]);
    let mut bare = from_service("", vec![span(4, 10, None)]);
    bare.resource = Resource::default();
    bare.scope_spans[0].scope = Scope::default();
    let mut many = twin(20);
    for number in 21..25 {
        let mut more = many.scope_spans[0].clone();
        more.spans = vec![span(4, number, None), span(4, number + 10, None)];
        more.schema_url = if number % 2 == 0 { "https://s/2".into() } else { String::new() };
        many.scope_spans.push(more);
    }
    let mut bare_late = bare.clone();
    bare_late.scope_spans[0].spans = vec![span(4, 11, None)];
    case(
        vec![
            Trace { resource_spans: vec![twin(1), twin(2), bare, twin(3)] },
            Trace { resource_spans: vec![many] },
        ],
        vec![Trace { resource_spans: vec![twin(4), bare_late, twin(5)] }],
    )
}

/// The same span in a scope, in a request, in two requests, in a block and live. Of versions the first one stays; a
/// client and a server may share an id.
fn duplicates() -> Case {
    let plain = |number| span(5, number, None);
    let changed = |number| Span { name: "changed".into(), ..span(5, number, None) };
    let server = |number| Span { kind: 2, ..span(5, number, None) };
    let within = Trace {
        resource_spans: vec![
            from_service("a", vec![plain(0), plain(0), changed(0), plain(1), server(1)]),
            from_service("b", vec![changed(0), plain(2)]),
            // Nothing of this one stays.
            from_service("c", vec![plain(0), changed(1)]),
        ],
    };
    let again = request(vec![changed(2), plain(3), plain(0)]);
    let late = request(vec![plain(0), plain(4), changed(3), server(3), plain(4)]);
    case(vec![within.clone(), again], vec![late, within])
}

/// Several traces in one request, their spans between each other.
fn interleaved() -> Case {
    let spans = (0..40).map(|number| span(6 + (number % 3) as u8, number, None)).collect();
    let more = (40..80).map(|number| span(6 + (number % 4) as u8, number, None)).collect();
    case(vec![request(spans)], vec![request(more)])
}

/// One trace id, several tenants.
fn tenants() -> Vec<Case> {
    let of = |tenant, service: &str, number| {
        let part =
            |number| Trace { resource_spans: vec![from_service(service, vec![span(10, number, None)])] };
        Case { tenant, first: vec![part(number)], late: vec![part(number + 1)] }
    };
    // Two of them share a span's id, too.
    vec![of("blue", "of blue", 0), of("green", "of green", 1), of(NOBODY, "of nobody", 0)]
}

// What comes back.

/// Everything sent, in order, by tenant.
#[derive(Default)]
struct Sent(Vec<(&'static str, Trace)>);

impl Sent {
    fn send(&mut self, house: &House, tenant: &'static str, trace: Trace) {
        post(house, tenant, &encode::traces_data(&trace));
        self.0.push((tenant, trace));
    }

    /// The traces as they must come back.
    fn expected(&self) -> BTreeMap<(&'static str, TraceId), Trace> {
        let mut out: BTreeMap<_, Trace> = BTreeMap::new();
        let mut seen = HashSet::new();
        for (tenant, request) in &self.0 {
            let ids: HashSet<TraceId> = request.spans().map(|span| span.trace_id).collect();
            for id in ids {
                let mut part = request.clone();
                for resource_spans in &mut part.resource_spans {
                    for scope_spans in &mut resource_spans.scope_spans {
                        scope_spans.spans.retain(|span| {
                            span.trace_id == id && seen.insert((*tenant, id, span.span_id, span.kind))
                        });
                    }
                    resource_spans.scope_spans.retain(|scope_spans| !scope_spans.spans.is_empty());
                }
                part.resource_spans.retain(|resource_spans| !resource_spans.scope_spans.is_empty());
                out.entry((*tenant, id)).or_default().resource_spans.extend(part.resource_spans);
            }
        }
        out
    }

    /// Every trace in every form.
    fn check(&self, house: &House, moment: &str) {
        let mut client = house.client();
        for ((tenant, id), expected) in self.expected() {
            for form in FORMS {
                let got = form.ask(&mut client, tenant, id);
                let expected =
                    if form.keeps_unknown() { expected.clone() } else { without_unknown(&expected) };
                assert_same(&got, &expected, &format!("{moment}: {form:?} of {id} of tenant {tenant:?}"));
            }
        }
        for form in FORMS {
            // A trace of others, and a trace of nobody.
            assert_eq!(form.ask(&mut client, "red", trace_id(10)), Trace::default(), "{moment}");
            assert_eq!(form.ask(&mut client, NOBODY, trace_id(255)), Trace::default(), "{moment}");
        }
    }
}

fn post(house: &House, tenant: &str, body: &[u8]) {
    let mut client = Client::connect(house.otlp).unwrap();
    let headers = [("Content-Type", "application/x-protobuf"), ("X-Scope-OrgID", tenant)];
    let headers = if tenant == NOBODY { &headers[..1] } else { &headers };
    let answer = client.ask("POST", "/v1/traces", headers, body).unwrap();
    assert_eq!((answer.status, answer.body), (200, Vec::new()), "everything must be taken");
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    ProtoV1,
    ProtoV2,
    JsonV1,
    JsonV2,
}

const FORMS: [Form; 4] = [Form::ProtoV1, Form::ProtoV2, Form::JsonV1, Form::JsonV2];

impl Form {
    fn keeps_unknown(self) -> bool {
        matches!(self, Form::ProtoV1 | Form::ProtoV2)
    }

    fn get(self, client: &mut Client, tenant: &str, id: TraceId) -> Answer {
        let (path, accept) = match self {
            Form::ProtoV1 => ("/api/traces", "application/protobuf"),
            Form::ProtoV2 => ("/api/v2/traces", "application/protobuf"),
            Form::JsonV1 => ("/api/traces", "application/json"),
            Form::JsonV2 => ("/api/v2/traces", "application/json"),
        };
        let headers = [("Accept", accept), ("X-Scope-OrgID", tenant)];
        let headers = if tenant == NOBODY { &headers[..1] } else { &headers };
        let answer = client.ask("GET", &format!("{path}/{id}"), headers, &[]).unwrap();
        if answer.status == 200 {
            assert_eq!(answer.header("content-type"), Some(accept));
        }
        answer
    }

    /// A trace; the empty one when there is none.
    fn ask(self, client: &mut Client, tenant: &str, id: TraceId) -> Trace {
        let answer = self.get(client, tenant, id);
        match (self, answer.status) {
            (Form::ProtoV1 | Form::JsonV1, 404) => {
                assert_eq!(answer.body, b"", "a miss has no body");
                Trace::default()
            }
            (Form::ProtoV1, 200) => from_proto(answer.body.into()),
            (Form::ProtoV2, 200) => from_proto(trace_of_v2(&answer.body)),
            (Form::JsonV1, 200) => json::v1(&answer.body),
            (Form::JsonV2, 200) => json::v2(&answer.body),
            (_, status) => panic!("{self:?} {id}: {status} {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

/// The trace of a `TraceByIDResponse`, which must be whole.
fn trace_of_v2(body: &[u8]) -> Bytes {
    let mut reader = Reader::new(body);
    let mut trace = None;
    while let Some((field, value)) = reader.next().unwrap() {
        match (field, value) {
            (1, Value::Bytes(bytes)) => assert!(trace.replace(Bytes::copy_from_slice(bytes)).is_none()),
            (2, Value::Bytes(_)) => {}
            other => panic!("{other:?} in a whole answer"),
        }
    }
    trace.expect("the trace is there even when it is empty")
}

fn from_proto(bytes: Bytes) -> Trace {
    let batch = std::sync::Arc::new(slice(bytes, &SliceLimits::default()).unwrap());
    assert!(batch.groups().len() <= 1, "spans of several traces");
    match batch.groups().len() {
        0 => Trace::default(),
        _ => decode::trace_part(&TracePart { batch, group: 0, seq: 1 }).unwrap(),
    }
}

fn without_unknown(trace: &Trace) -> Trace {
    let mut out = trace.clone();
    for resource_spans in &mut out.resource_spans {
        resource_spans.resource.unknown.clear();
        for scope_spans in &mut resource_spans.scope_spans {
            scope_spans.scope.unknown.clear();
            for span in &mut scope_spans.spans {
                span.unknown.clear();
                span.status.unknown.clear();
                span.events.iter_mut().for_each(|event| event.unknown.clear());
                span.links.iter_mut().for_each(|link| link.unknown.clear());
            }
        }
    }
    out
}

/// Compared as bytes, in which NaN equals itself and 0 differs from -0.
fn assert_same(got: &Trace, expected: &Trace, what: &str) {
    if encode::traces_data(got) == encode::traces_data(expected) {
        return;
    }
    let one = |part: &ResourceSpans| encode::traces_data(&Trace { resource_spans: vec![part.clone()] });
    for (at, (got, expected)) in got.resource_spans.iter().zip(&expected.resource_spans).enumerate() {
        if one(got) != one(expected) {
            let (got, expected) = (format!("{got:#?}"), format!("{expected:#?}"));
            let lines = got.lines().zip(expected.lines()).enumerate();
            let first =
                lines.filter(|(_, (g, e))| g != e).map(|(at, (g, e))| format!("{at}: {g:.200} | {e:.200}"));
            let differing: Vec<_> = first.take(20).collect();
            panic!("{what}: resource spans {at} differ, got | expected:\n{}", differing.join("\n"));
        }
    }
    let counts = |trace: &Trace| (trace.resource_spans.len(), trace.span_count());
    panic!("{what}: got {:?} resource spans and spans, expected {:?}", counts(got), counts(expected));
}

/// Everything at each moment of its life.
fn live_through(cases: Vec<Case>) {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "");
    let mut sent = Sent::default();
    let mut late = Vec::new();
    for case in cases {
        case.first.into_iter().for_each(|request| sent.send(&house, case.tenant, request));
        late.push((case.tenant, case.late));
    }
    sent.check(&house, "live");
    house.flush();
    sent.check(&house, "in a block");
    for (tenant, requests) in late {
        requests.into_iter().for_each(|request| sent.send(&house, tenant, request));
    }
    sent.check(&house, "in a block and live");
    house.kill();
    let house = House::start(dir.path(), "");
    sent.check(&house, "in a block and replayed");
    house.flush();
    sent.check(&house, "in two blocks");
    // A sender that got no answer sends again.
    sent.0.iter().for_each(|(tenant, trace)| post(&house, tenant, &encode::traces_data(trace)));
    sent.check(&house, "all of it twice");
    house.stop();
    let house = House::start(dir.path(), "");
    assert_eq!(house.metric("spanloom_spans_replayed_total"), 0, "a drain leaves nothing to replay");
    sent.check(&house, "after a drain");
    house.stop();
}

#[test]
fn odd_traces_come_back_as_they_were_sent() {
    let mut cases =
        vec![everything(), strange_numbers(), no_tree(), containers(), duplicates(), interleaved()];
    cases.extend(tenants());
    live_through(cases);
}

#[test]
fn attributes_of_ten_megabytes_come_back() {
    const TEN_MB: usize = 10_000_000;
    let mut string = "é\n\"漢👍 ".repeat(TEN_MB / 14);
    string.push_str(&"x".repeat(TEN_MB - string.len()));
    assert_eq!(string.len(), TEN_MB);
    let bytes = (0..TEN_MB).map(|at| (at * 31 + at / 256) as u8).collect();
    let with = |number, value| {
        let attributes =
            vec![text("before", "1"), KeyValue { key: "large".into(), value }, text("after", "2")];
        request(vec![span(20, number, None), Span { attributes, ..span(20, number + 1, Some(number)) }])
    };
    live_through(vec![case(vec![with(0, AnyValue::Str(string))], vec![with(2, AnyValue::Bytes(bytes))])]);
}

#[test]
fn messages_that_are_not_there_come_back_empty() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), "");
    let bare =
        Span { trace_id: trace_id(30), span_id: span_id(0), start_time_unix_nano: NOON, ..Span::default() };
    // Neither resource, scope nor status; the span id and an attribute without a value.
    let mut body = Vec::new();
    put_message(&mut body, 1, |out| {
        put_message(out, 2, |out| {
            put_message(out, 2, |out| {
                put_message(out, 1, |out| out.extend(bare.trace_id.0));
                put_message(out, 2, |out| out.extend(bare.span_id.0));
                put_fixed64(out, 7, NOON);
                put_message(out, 9, |out| put_message(out, 1, |out| out.extend(b"key")));
                put_message(out, 9, |_| {});
            });
        });
    });
    post(&house, NOBODY, &body);
    let attributes = vec![KeyValue { key: "key".into(), value: AnyValue::Empty }, KeyValue::default()];
    let part = ScopeSpans { spans: vec![Span { attributes, ..bare }], ..ScopeSpans::default() };
    let part = ResourceSpans { scope_spans: vec![part], ..ResourceSpans::default() };
    let sent = Sent(vec![(NOBODY, Trace { resource_spans: vec![part] })]);
    sent.check(&house, "live");
    house.flush();
    sent.check(&house, "in a block");
    house.stop();
}

/// Requests of a few traces with the same few spans over and over, between flushes, crashes and drains in any
/// order. `SPANLOOM_ODD_SEED=7 SPANLOOM_ODD_LIVES=100` for other lives and more of them.
#[test]
fn traces_come_back_in_any_course_of_events() {
    let number = |name: &str, default| {
        std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok()).unwrap_or(default)
    };
    let (seed, lives) = (number("SPANLOOM_ODD_SEED", 1), number("SPANLOOM_ODD_LIVES", 6));
    for life in seed..seed + lives {
        let mut random = Random::new(life);
        let dir = tempfile::tempdir().unwrap();
        let mut house = House::start(dir.path(), "");
        let mut sent = Sent::default();
        for step in 0..30 {
            match random.below(8) {
                0 => house.flush(),
                1 => {
                    house.kill();
                    house = House::start(dir.path(), "");
                }
                2 => {
                    house.stop();
                    house = House::start(dir.path(), "");
                }
                _ => {
                    let request = any_request(&mut random);
                    sent.send(&house, ["", "blue", "green"][random.below(3) as usize], request);
                }
            }
            sent.check(&house, &format!("seed {life}, step {step}"));
        }
        house.stop();
    }
}

/// Spans of four traces, with so few ids that many come twice, in up to four resources of up to three scopes.
fn any_request(random: &mut Random) -> Trace {
    let any_span = |random: &mut Random| Span {
        kind: random.below(3) as i32,
        attributes: every_type().into_iter().skip(random.below(40) as usize).collect(),
        ..span(50 + random.below(4) as u8, u64::from(random.below(30)), Some(u64::from(random.below(30))))
    };
    let any_part = |random: &mut Random| {
        let mut part = from_service(["a", "b"][random.below(2) as usize], Vec::new());
        part.scope_spans = (0..=random.below(3))
            .map(|_| ScopeSpans {
                scope: Scope { name: ["", "lib"][random.below(2) as usize].into(), ..Scope::default() },
                spans: (0..=random.below(6)).map(|_| any_span(random)).collect(),
                schema_url: String::new(),
            })
            .collect();
        part
    };
    Trace { resource_spans: (0..=random.below(4)).map(|_| any_part(random)).collect() }
}

/// A trace of 300,000 spans in 60 requests of several services.
#[test]
fn a_trace_of_300_000_spans_comes_back_whole() {
    const REQUESTS: u64 = 60;
    const SPANS: u64 = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(dir.path(), "");
    let mut sent = Trace::default();
    let id = trace_id(40);
    let send = |house: &House, sent: &mut Trace, requests: std::ops::Range<u64>| {
        for number in requests {
            let numbers = number * SPANS..(number + 1) * SPANS;
            let spans = numbers.map(|n| Span {
                attributes: vec![text("peer", ["a", "b", "c"][n as usize % 3])],
                ..span(40, n, n.checked_sub(1).map(|n| n / 7))
            });
            let part = from_service(&format!("service {}", number % 5), spans.collect());
            post(house, NOBODY, &encode::traces_data(&Trace { resource_spans: vec![part.clone()] }));
            sent.resource_spans.push(part);
        }
    };
    let check = |house: &House, sent: &Trace, form: Form, moment: &str| {
        let got = form.ask(&mut house.client(), NOBODY, id);
        assert_same(&got, sent, &format!("{moment}: {form:?}"));
    };
    send(&house, &mut sent, 0..REQUESTS / 2);
    check(&house, &sent, Form::ProtoV1, "live");
    house.flush();
    check(&house, &sent, Form::ProtoV2, "in a block");
    send(&house, &mut sent, REQUESTS / 2..REQUESTS);
    assert_eq!(sent.span_count() as u64, REQUESTS * SPANS);
    check(&house, &sent, Form::ProtoV1, "in a block and live");
    check(&house, &sent, Form::JsonV2, "in a block and live");
    house.stop();
    house = House::start(dir.path(), "");
    check(&house, &sent, Form::ProtoV2, "after a drain");
    check(&house, &sent, Form::JsonV1, "after a drain");
    // All of it again, live and whole this time.
    send(&house, &mut Trace::default(), 0..REQUESTS);
    check(&house, &sent, Form::ProtoV1, "all of it twice");
    house.stop();
}
