//! What must hold for all spans: each encoding gives the OTLP that the model says; no cut body is taken; nothing
//! hostile breaks anything.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Otlp, Status, span::Event};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use spanloom_wire::Fault;
use spanloom_wire::thrift::{CompactReader, Limits, Protocol};

use super::model::{self, Endpoint, Span};
use super::*;

pub(crate) fn endpoint() -> impl Strategy<Value = Endpoint> {
    let ips = (proptest::option::of(any::<[u8; 4]>()), proptest::option::of(any::<[u8; 16]>()));
    ("[a-c]{1,2}", ips, any::<u16>()).prop_map(|(service, (ipv4, ipv6), port)| Endpoint {
        service,
        // All zeros is no address in Thrift.
        ipv4: ipv4.filter(|ip| *ip != [0; 4]),
        ipv6,
        port,
    })
}

/// Keys that stand for something else than an attribute.
const SPECIAL: &[&str] = &[
    "error",
    "otel.status_code",
    "otel.status_description",
    "otel.scope.name",
    "otel.library.name",
    "otel.library.version",
    "w3c.tracestate",
    "otel.dropped_events_count",
    "peer.service",
    "host.name",
    "telemetry.sdk.name",
    "net.peer.ip",
    "span.kind",
];

/// Values that some of them take and others do not.
const TELLING: &[&str] = &["", "true", "false", "OK", "ERROR", "UNSET", "0", "2", "client", "7"];

/// Tags of every meaning, each key once, in order.
fn tags() -> impl Strategy<Value = Vec<(String, String)>> {
    let key = prop_oneof!["[a-z]{1,3}\\.[a-zé]{1,3}", select(SPECIAL).prop_map(str::to_owned)];
    let value = prop_oneof![".{0,40}", select(TELLING).prop_map(str::to_owned)];
    vec((key, value), 1..8)
        .prop_map(|pairs| pairs.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
}

pub(crate) fn span() -> impl Strategy<Value = Span> {
    let ids = (any::<[u8; 16]>(), any::<[u8; 8]>(), proptest::option::of(any::<[u8; 8]>()), any::<bool>());
    let times = (1u64..1 << 51, 0u64..1 << 40);
    let annotations = vec((1u64..1 << 51, "[a-z.:| ]{3,12}"), 0..3);
    let rest = (".{0,12}", 0u8..5, endpoint(), endpoint(), annotations, tags(), any::<(bool, bool, bool)>());
    (ids, times, rest).prop_map(|(ids, times, (name, kind, local, remote, annotations, tags, flags))| {
        let (mut trace_id, id, parent, short) = ids;
        if short {
            trace_id[..8].fill(0);
        }
        trace_id[15] |= 1;
        Span {
            trace_id,
            id: id.map(|byte| byte | 1),
            parent: parent.map(|parent| parent.map(|byte| byte & !1 | 2)),
            name,
            kind,
            timestamp: times.0,
            duration: times.1,
            local,
            remote: if flags.2 { remote } else { Endpoint::default() },
            annotations,
            tags,
            debug: flags.0,
            shared: flags.1,
        }
    })
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// The attributes of an endpoint's address and port.
fn network(endpoint: &Endpoint, side: &str, long: &str, ip_given: bool) -> Vec<KeyValue> {
    let mut out = Vec::new();
    let other = |field: &str| format!("zipkin.{long}Endpoint.{field}");
    let own = format!("net.{side}.ip");
    if let Some(ip) = endpoint.ipv4 {
        let key = if ip_given || endpoint.ipv6.is_some() { other("ipv4") } else { own.clone() };
        out.push(text(&key, &std::net::Ipv4Addr::from(ip).to_string()));
    }
    if let Some(ip) = endpoint.ipv6 {
        let key = if ip_given { other("ipv6") } else { own };
        out.push(text(&key, &std::net::Ipv6Addr::from(ip).to_string()));
    }
    if endpoint.port > 0 {
        out.push(pair(&format!("net.{side}.port"), Value::IntValue(endpoint.port.into())));
    }
    out
}

/// What a span becomes: its resource's attributes, its scope, itself.
fn expected(span: &Span, v1: bool) -> (Vec<KeyValue>, InstrumentationScope, Otlp) {
    let mut tags: BTreeMap<&str, &str> = span.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let mut resource = vec![text("service.name", &span.local.service)];
    for key in ["host.name", "telemetry.sdk.name"] {
        resource.extend(tags.remove(key).map(|value| text(key, value)));
    }
    let mut out = Otlp {
        trace_id: span.trace_id.into(),
        span_id: span.id.into(),
        parent_span_id: span.parent.map(Vec::from).unwrap_or_default(),
        name: span.name.clone(),
        kind: [0, 3, 2, 4, 5][usize::from(span.kind)],
        start_time_unix_nano: span.timestamp * 1000,
        end_time_unix_nano: (span.timestamp + span.duration) * 1000,
        flags: span.debug.into(),
        trace_state: tags.remove("w3c.tracestate").unwrap_or_default().to_owned(),
        ..Default::default()
    };
    if span.kind == 0 && tags.get("span.kind") == Some(&"client") {
        tags.remove("span.kind");
        out.kind = 3;
    }
    if let Some(count) = tags.get("otel.dropped_events_count").and_then(|count| count.parse().ok()) {
        tags.remove("otel.dropped_events_count");
        out.dropped_events_count = count;
    }
    let mut scope = InstrumentationScope::default();
    if tags.get("otel.scope.name") == tags.get("otel.library.name") {
        tags.remove("otel.library.name");
    }
    let name = tags.remove("otel.scope.name").or_else(|| tags.remove("otel.library.name"));
    scope.name = name.unwrap_or_default().to_owned();
    scope.version = tags.remove("otel.library.version").unwrap_or_default().to_owned();
    out.status = status(&mut tags);
    let is_own = |key: &str| tags.get(key) == Some(&span.remote.service.as_str());
    let is_own_socket = v1 && span.kind == 2 && same_service(span);
    if !span.remote.is_empty() && !is_own("peer.service") && !is_own_socket {
        let given = tags.contains_key("peer.service");
        let key = if given { "zipkin.remoteEndpoint.serviceName" } else { "peer.service" };
        out.attributes.push(text(key, &span.remote.service));
    }
    out.attributes.extend(network(&span.local, "host", "local", false));
    out.attributes.extend(network(&span.remote, "peer", "remote", tags.contains_key("net.peer.ip")));
    out.attributes.extend(tags.iter().map(|(key, value)| text(key, value)));
    if span.shared && !v1 {
        out.attributes.push(pair("zipkin.shared", Value::BoolValue(true)));
    }
    for (at, value) in &span.annotations {
        out.events.push(Event { time_unix_nano: at * 1000, name: value.clone(), ..Default::default() });
    }
    (resource, scope, out)
}

fn same_service(span: &Span) -> bool {
    span.remote.service == span.local.service
}

fn status(tags: &mut BTreeMap<&str, &str>) -> Option<Status> {
    let told = match tags.get("otel.status_code").copied() {
        Some("UNSET" | "0") => Some(0),
        Some("OK" | "1") => Some(1),
        Some("ERROR" | "2") => Some(2),
        _ => None,
    };
    let failed = tags.get("error").is_some_and(|value| *value != "false");
    let code = if failed { 2 } else { told? };
    if told == Some(code) {
        tags.remove("otel.status_code");
    }
    let mut message = tags.remove("otel.status_description").unwrap_or_default();
    if failed {
        let error = tags["error"];
        if ["", "true", message].contains(&error) {
            tags.remove("error");
        } else if message.is_empty() {
            message = error;
            tags.remove("error");
        }
    }
    let status = Status { code, message: message.to_owned() };
    Some(status).filter(|status| *status != Status::default())
}

/// All of a request, with attributes sorted.
fn expected_request(spans: &[Span], v1: bool) -> Vec<ResourceSpans> {
    let mut out: Vec<ResourceSpans> = Vec::new();
    for span in spans {
        let (attributes, scope, span) = expected(span, v1);
        let scope = Some(scope).filter(|scope| *scope != InstrumentationScope::default());
        let resource = Some(Resource { attributes, ..Default::default() });
        let at = out.iter().position(|known| known.resource == resource).unwrap_or_else(|| {
            out.push(ResourceSpans { resource, ..Default::default() });
            out.len() - 1
        });
        let scopes = &mut out[at].scope_spans;
        let at = scopes.iter().position(|known| known.scope == scope).unwrap_or_else(|| {
            scopes.push(ScopeSpans { scope, ..Default::default() });
            scopes.len() - 1
        });
        scopes[at].spans.push(span);
    }
    sorted(out)
}

fn sorted(mut request: Vec<ResourceSpans>) -> Vec<ResourceSpans> {
    let scopes = request.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    for span in scopes.flat_map(|scope| &mut scope.spans) {
        span.attributes.sort_by_key(|pair| (pair.key.clone(), line(pair.value.as_ref())));
    }
    request
}

fn compact(body: &[u8], options: &Options, room: usize, out: &mut Vec<u8>) -> Result<u64, Foreign> {
    let mut input = CompactReader::new(body, Limits::default())?;
    zipkin::thrift_spans(&mut input, options, room, out)
}

/// The spans in each encoding, and how it is read.
fn bodies(spans: &[Span]) -> [(&'static str, Translate, Vec<u8>, bool); 5] {
    [
        ("v2 JSON", zipkin::v2_json, model::v2_json(spans), false),
        ("v2 protobuf", zipkin::v2_proto, model::v2_proto(spans), false),
        ("v1 JSON", zipkin::v1_json, model::v1_json(spans), true),
        ("v1 Thrift", zipkin::v1_thrift, model::thrift_list(Protocol::Binary, spans), true),
        ("v1 Thrift, compact", compact, model::thrift_list(Protocol::Compact, spans), true),
    ]
}

proptest! {
    #[test]
    fn every_encoding_becomes_what_the_model_says(spans in vec(span(), 0..5)) {
        for (name, with, body, v1) in bodies(&spans) {
            let got = sorted(translate(with, &body, &Options::default()).resource_spans);
            prop_assert_eq!(got, expected_request(&spans, v1), "{}", name);
        }
    }

    #[test]
    fn room_is_kept_to(spans in vec(span(), 1..4)) {
        for (name, with, body, _) in bodies(&spans) {
            let mut out = vec![7; 3];
            with(&body, &Options::default(), ROOM, &mut out).unwrap();
            let exact = out.len() - 3;
            let mut again = vec![7; 3];
            let options = Options::default();
            prop_assert_eq!(with(&body, &options, exact, &mut again), Ok(spans.len() as u64), "{}", name);
            prop_assert_eq!(&again, &out);
            let error = with(&body, &options, exact - 1, &mut again).unwrap_err();
            prop_assert_eq!(error.fault, Fault::Room, "{}", name);
            prop_assert_eq!(&again, &out);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_cut_body_is_taken(spans in vec(span(), 1..3)) {
        for (name, with, body, _) in bodies(&spans) {
            for cut in 0..body.len() {
                let mut out = Vec::new();
                let result = with(&body[..cut], &Options::default(), ROOM, &mut out);
                match result {
                    // A list in protobuf has no end of its own: whole spans are a shorter list.
                    Ok(fewer) => {
                        prop_assert_eq!(name, "v2 protobuf");
                        let whole = model::v2_proto(&spans[..fewer as usize]);
                        prop_assert_eq!(&body[..cut], whole);
                    }
                    Err(error) => {
                        prop_assert_eq!(error.fault, Fault::Truncated, "{} at {}: {}", name, cut, error);
                        prop_assert!(error.at <= cut && out.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn damaged_bodies_never_panic(spans in vec(span(), 1..3), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for (_, with, mut body, _) in bodies(&spans) {
            let at = at.index(body.len());
            body[at] = byte;
            let mut out = Vec::new();
            if with(&body, &Options::default(), ROOM, &mut out).is_ok() {
                translate(with, &body, &Options::default());
            } else {
                prop_assert!(out.is_empty());
            }
        }
    }
}

#[test]
fn an_empty_list_is_no_spans() {
    for (name, with, body, _) in bodies(&[]) {
        assert_eq!(translate(with, &body, &Options::default()), Default::default(), "{name}");
    }
}

#[test]
fn what_is_not_a_list_is_refused() {
    let check = |with: Translate, body: &[u8], expected: &str| {
        assert_eq!(fails(with, body).to_string(), expected);
    };
    for with in [zipkin::v2_json as Translate, zipkin::v1_json] {
        check(with, b"", "the end at byte 0, expected a list of spans");
        check(with, b"{}", "an object at byte 0, expected a list of spans");
        check(with, b"null", "null at byte 0, expected a list of spans");
        check(with, b"[1]", "a number in span 0 at byte 1, expected a span");
        check(with, b"[] []", "a list at byte 3, expected the end");
        check(with, b"[{}]", "no trace id in span 0 at byte 3, expected one that is not zero");
        check(with, b"\x0a\x01", "'\\u{1}' at byte 1, expected a list of spans");
        let one = br#"[{"traceId":"1"}]"#;
        check(with, one, "no span id in span 0 at byte 16, expected one that is not zero");
    }
    check(zipkin::v2_proto, b"[]", "wire type 3 of ListOfSpans at byte 0, expected 0, 1, 2 or 5");
}

#[test]
fn spans_without_end_are_grouped_in_time() {
    // Each in a group of its own: as many lookups as spans, not as many squared.
    let mut span = Span { trace_id: [1; 16], id: [1; 8], ..Span::default() };
    let spans: Vec<Span> = (0..30_000)
        .map(|number| {
            span.local.service = format!("s{number}");
            span.clone()
        })
        .collect();
    let request = translate(zipkin::v2_proto, &model::v2_proto(&spans), &Options::default());
    assert_eq!(request.resource_spans.len(), 30_000);
}

#[test]
fn hostile_nesting_and_lengths_are_refused() {
    let deep = "[".repeat(1_000_000);
    for body in [format!("[{{\"later\":{deep}"), format!("[{{\"tags\":{{\"a\":{deep}"), deep.clone()] {
        for with in [zipkin::v2_json as Translate, zipkin::v1_json] {
            fails(with, body.as_bytes());
        }
    }
    // Deep text in an annotation is its name.
    let nested = format!("a: {{\"k\":{}1{}}}", "[".repeat(3000), "]".repeat(3000));
    let span =
        Span { trace_id: [1; 16], id: [1; 8], annotations: vec![(1, nested.clone())], ..Span::default() };
    let request = translate(zipkin::v2_json, &model::v2_json(&[span]), &Options::default());
    assert_eq!(only(&request).1.events[0].name, nested);
    // A list of 2^31 - 1 spans, a span of 2^63 bytes.
    assert_eq!(fails(zipkin::v1_thrift, &[12, 0x7f, 0xff, 0xff, 0xff, 0]).fault, Fault::Limit);
    let long = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    assert_eq!(fails(zipkin::v2_proto, &long).fault, Fault::Truncated);
}
