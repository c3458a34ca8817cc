//! Values of every shape, and their JSON.

use std::collections::BTreeMap;

use base64::Engine;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::model::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z.]{1,12}", "\\PC{1,6}", Just("é".repeat(80))]
}

fn truncatable() -> impl Strategy<Value = Truncatable> {
    (text(), -1..3).prop_map(|(value, truncated_byte_count)| Truncatable { value, truncated_byte_count })
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let usual = Just(Timestamp { seconds: 1_583_020_799, nanos: 500_000_000 });
    let any = (-70_000_000_000i64..250_000_000_000, 0..1_000_000_000);
    prop_oneof![3 => usual, 1 => any.prop_filter("after the year 1", |(s, _)| *s > -62_135_596_800)
        .prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })]
}

fn attribute_value() -> impl Strategy<Value = AttributeValue> {
    let choice = prop_oneof![
        truncatable().prop_map(Choice::Text),
        any::<i64>().prop_map(Choice::Int),
        any::<bool>().prop_map(Choice::Bool),
        (-1e300..1e300).prop_map(Choice::Double),
    ];
    option::of(choice).prop_map(|value| AttributeValue { value })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    (btree_map(text(), attribute_value(), 0..4), -1..5)
        .prop_map(|(attribute_map, dropped)| Attributes { attribute_map, dropped })
}

/// Attributes that may say something of the span.
fn span_attributes() -> impl Strategy<Value = Attributes> {
    let kind = prop_oneof![Just("consumer"), Just("producer"), Just("internal"), Just("server")];
    let kind = kind.prop_map(|name| Choice::Text(Truncatable::new(name)));
    let code = prop_oneof![(-1..4i64).prop_map(Choice::Int), Just(Choice::Bool(true))];
    (attributes(), option::of(kind), option::of(code)).prop_map(|(mut attributes, kind, code)| {
        for (key, value) in [("span.kind", kind), ("otel.status_code", code)] {
            if value.is_some() {
                attributes.attribute_map.insert(key.to_owned(), AttributeValue { value });
            }
        }
        attributes
    })
}

fn strings() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key = prop_oneof![text(), Just("service.name".to_owned()), Just("zone".to_owned())];
    btree_map(key, text(), 0..4)
}

fn tracestate() -> impl Strategy<Value = Tracestate> {
    let entry = ("[a-z]{0,4}", "[a-z]{0,4}").prop_map(|(key, value)| Entry { key, value });
    vec(entry, 0..3).prop_map(|entries| Tracestate { entries })
}

fn time_event() -> impl Strategy<Value = TimeEvent> {
    let annotation = (option::of(truncatable()), option::of(attributes()))
        .prop_map(|(description, attributes)| What::Annotation(Annotation { description, attributes }));
    let message =
        (-1..5, any::<u64>(), any::<u64>(), 0..3u64).prop_map(|(kind, id, size, compressed_size)| {
            What::Message(MessageEvent { kind, id, uncompressed_size: size, compressed_size })
        });
    (option::of(timestamp()), option::of(prop_oneof![annotation, message]))
        .prop_map(|(time, what)| TimeEvent { time, what })
}

fn time_events() -> impl Strategy<Value = TimeEvents> {
    (vec(time_event(), 0..3), -1..3, prop_oneof![-1..3, Just(i32::MAX)]).prop_map(
        |(time_event, dropped_annotations, dropped_messages)| TimeEvents {
            time_event,
            dropped_annotations,
            dropped_messages,
        },
    )
}

fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => vec(any::<u8>(), bytes..=bytes), 1 => Just(Vec::new()), 1 => Just(vec![0; bytes])]
}

fn links() -> impl Strategy<Value = Links> {
    let link = (id(16), id(8), -1..4, option::of(attributes()), option::of(tracestate())).prop_map(
        |(trace_id, span_id, kind, attributes, tracestate)| Link {
            trace_id,
            span_id,
            kind,
            attributes,
            tracestate,
        },
    );
    (vec(link, 0..3), -1..3).prop_map(|(link, dropped)| Links { link, dropped })
}

fn resource() -> impl Strategy<Value = Resource> {
    (text(), strings()).prop_map(|(kind, labels)| Resource { kind, labels })
}

fn node() -> impl Strategy<Value = Node> {
    let start = Just(Timestamp { seconds: 1_583_020_799, nanos: 500_000_000 });
    let identifier = (text(), 0..3u32, option::of(start))
        .prop_map(|(host_name, pid, start_timestamp)| Identifier { host_name, pid, start_timestamp });
    let library = (-1..13, text(), text()).prop_map(|(language, exporter_version, core_library_version)| {
        Library { language, exporter_version, core_library_version }
    });
    let service = text().prop_map(|name| Service { name });
    (option::of(identifier), option::of(library), option::of(service), strings()).prop_map(
        |(identifier, library_info, service_info, attributes)| Node {
            identifier,
            library_info,
            service_info,
            attributes,
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (id(16), id(8), id(8));
    let times = (option::of(timestamp()), option::of(timestamp()));
    let lists = (option::of(span_attributes()), option::of(time_events()), option::of(links()));
    let status = (-1..15, text()).prop_map(|(code, message)| Status { code, message });
    let flag = any::<bool>().prop_map(|value| Flag { value });
    let own = prop_oneof![4 => Just(None), 1 => resource().prop_map(Some),
        1 => Just(Some(Resource { kind: "same".to_owned(), labels: BTreeMap::new() }))];
    let rest = (
        option::of(truncatable()),
        option::of(status),
        option::of(flag),
        -1..4,
        option::of(tracestate()),
        own,
    );
    (ids, times, lists, rest).prop_map(|(ids, times, lists, rest)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        name: rest.0,
        start_time: times.0,
        end_time: times.1,
        attributes: lists.0,
        time_events: lists.1,
        links: lists.2,
        status: rest.1,
        same_process: rest.2,
        kind: rest.3,
        tracestate: rest.4,
        resource: rest.5,
    })
}

pub fn request() -> impl Strategy<Value = Request> {
    (option::of(node()), vec(span(), 0..4), option::of(resource()))
        .prop_map(|(node, spans, resource)| Request { node, spans, resource })
}

/// An object of those fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Json>); N]) -> Json {
    let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(there.collect::<Map<_, _>>())
}

fn base64(bytes: &[u8]) -> Option<Json> {
    Some(json!(base64::engine::general_purpose::STANDARD.encode(bytes)))
}

fn text_json(text: &Truncatable) -> Json {
    json!({"value": text.value, "truncatedByteCount": text.truncated_byte_count})
}

/// RFC 3339 with nine digits.
fn time_json(time: Timestamp) -> Json {
    let day = time.seconds.div_euclid(86_400);
    let second = time.seconds.rem_euclid(86_400);
    let (mut year, mut rest) = (1970 + day.div_euclid(146_097) * 400, day.rem_euclid(146_097));
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while rest >= 365 + i64::from(leap(year)) {
        rest -= 365 + i64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for days in [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < days {
            break;
        }
        rest -= days;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    json!(format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z",
        rest + 1,
        time.nanos
    ))
}

fn attributes_json(attributes: &Attributes) -> Json {
    let value = |value: &AttributeValue| match &value.value {
        None => json!({}),
        Some(Choice::Text(text)) => json!({"stringValue": text_json(text)}),
        Some(Choice::Int(v)) => json!({"intValue": v.to_string()}),
        Some(Choice::Bool(v)) => json!({"boolValue": v}),
        Some(Choice::Double(v)) => json!({"doubleValue": v}),
    };
    let map: Map<String, Json> =
        attributes.attribute_map.iter().map(|(k, v)| (k.clone(), value(v))).collect();
    json!({"attributeMap": map, "droppedAttributesCount": attributes.dropped})
}

fn tracestate_json(state: &Tracestate) -> Json {
    let entries = state.entries.iter().map(|entry| json!({"key": entry.key, "value": entry.value}));
    json!({"entries": entries.collect::<Vec<_>>()})
}

fn resource_json(resource: &Resource) -> Json {
    json!({"type": resource.kind, "labels": resource.labels})
}

fn event_json(event: &TimeEvent) -> Json {
    let (mut annotation, mut message) = (None, None);
    match &event.what {
        None => {}
        Some(What::Annotation(found)) => {
            annotation = Some(object([
                ("description", found.description.as_ref().map(text_json)),
                ("attributes", found.attributes.as_ref().map(attributes_json)),
            ]));
        }
        Some(What::Message(found)) => {
            message = Some(json!({"type": found.kind, "id": found.id.to_string(),
                "uncompressedSize": found.uncompressed_size, "compressedSize": found.compressed_size}));
        }
    }
    object([("time", event.time.map(time_json)), ("annotation", annotation), ("messageEvent", message)])
}

fn events_json(events: &TimeEvents) -> Json {
    json!({"timeEvent": events.time_event.iter().map(event_json).collect::<Vec<_>>(),
        "droppedAnnotationsCount": events.dropped_annotations,
        "droppedMessageEventsCount": events.dropped_messages})
}

fn links_json(links: &Links) -> Json {
    let link = |link: &Link| {
        object([
            ("traceId", base64(&link.trace_id)),
            ("spanId", base64(&link.span_id)),
            ("type", Some(json!(link.kind))),
            ("attributes", link.attributes.as_ref().map(attributes_json)),
            ("tracestate", link.tracestate.as_ref().map(tracestate_json)),
        ])
    };
    json!({"link": links.link.iter().map(link).collect::<Vec<_>>(), "droppedLinksCount": links.dropped})
}

fn span_json(span: &Span) -> Json {
    object([
        ("traceId", base64(&span.trace_id)),
        ("spanId", base64(&span.span_id)),
        ("parentSpanId", base64(&span.parent_span_id)),
        ("name", span.name.as_ref().map(text_json)),
        ("kind", Some(json!(span.kind))),
        ("startTime", span.start_time.map(time_json)),
        ("endTime", span.end_time.map(time_json)),
        ("attributes", span.attributes.as_ref().map(attributes_json)),
        ("timeEvents", span.time_events.as_ref().map(events_json)),
        ("links", span.links.as_ref().map(links_json)),
        (
            "status",
            span.status.as_ref().map(|status| json!({"code": status.code, "message": status.message})),
        ),
        ("sameProcessAsParentSpan", span.same_process.map(|flag| json!(flag.value))),
        ("tracestate", span.tracestate.as_ref().map(tracestate_json)),
        ("resource", span.resource.as_ref().map(resource_json)),
    ])
}

fn node_json(node: &Node) -> Json {
    let identifier = |found: &Identifier| {
        object([
            ("hostName", Some(json!(found.host_name))),
            ("pid", Some(json!(found.pid))),
            ("startTimestamp", found.start_timestamp.map(time_json)),
        ])
    };
    let library = |found: &Library| {
        json!({"language": found.language, "exporterVersion": found.exporter_version,
            "coreLibraryVersion": found.core_library_version})
    };
    object([
        ("identifier", node.identifier.as_ref().map(identifier)),
        ("libraryInfo", node.library_info.as_ref().map(library)),
        ("serviceInfo", node.service_info.as_ref().map(|service| json!({"name": service.name}))),
        ("attributes", Some(json!(node.attributes))),
    ])
}

/// A request as a gateway's clients write it.
pub fn to_json(request: &Request) -> String {
    object([
        ("node", request.node.as_ref().map(node_json)),
        ("spans", Some(Json::Array(request.spans.iter().map(span_json).collect()))),
        ("resource", request.resource.as_ref().map(resource_json)),
    ])
    .to_string()
}
