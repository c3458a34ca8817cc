//! Seeds for the fuzz targets `jaeger_thrift` and `jaeger_proto`: what the tests of Jaeger's translation
//! write, and what is broken on purpose.

use prost::Message;
use spanloom_wire::thrift::{MessageKind, Protocol, Type, Writer};

use super::jaeger_model::{Batch, Log, Ref, Span, Val, batch_of, plain, proto, tag, text};

type Seed = (&'static str, Vec<u8>);

const BOTH: [(Protocol, &str); 2] = [(Protocol::Binary, "binary"), (Protocol::Compact, "compact")];

/// Every field and type that a client sends, special tags among them.
fn every_field() -> Batch {
    let span = Span {
        parent: 0x11,
        refs: vec![
            Ref { child: true, trace: 5, span: 6 },
            Ref { child: false, trace: plain().trace, span: 7 },
        ],
        flags: 3,
        tags: vec![
            text("span.kind", "client"),
            tag("error", Val::Bool(true)),
            text("otel.status_description", "why"),
            text("otel.scope.name", "tracer"),
            text("otel.library.version", "1"),
            text("w3c.tracestate", "a=b"),
            tag("otel.dropped_events_count", Val::Int(2)),
            tag("http.status_code", Val::Double(503.0)),
            tag("y", Val::Bytes(vec![0, 255])),
            tag("i", Val::Int(-5)),
        ],
        logs: vec![
            Log { micros: 9, fields: vec![text("event", "e"), text("message", "m")] },
            Log { micros: -9, fields: vec![text("message", &"long".repeat(40))] },
        ],
        ..plain()
    };
    let tags = vec![text("hostname", "web"), text("jaeger.version", "Go-2"), tag("n", Val::Int(3))];
    Batch { tags, ..batch_of(vec![span, plain()]) }
}

/// The first byte says protocol and form.
fn seed(protocol: Protocol, datagram: bool, message: &[u8]) -> Vec<u8> {
    let how = u8::from(protocol == Protocol::Compact) | u8::from(datagram) << 1;
    [&[how], message].concat()
}

fn name(what: &str, protocol: &str) -> &'static str {
    Box::leak(format!("{what}-{protocol}").into_boxed_str())
}

pub fn thrift() -> Vec<Seed> {
    let mut out = vec![("empty", Vec::new())];
    for (protocol, label) in BOTH {
        let other = if protocol == Protocol::Binary { Protocol::Compact } else { Protocol::Binary };
        let full = every_field();
        let mut add = |what: &str, datagram, message: &[u8]| {
            out.push((name(what, label), seed(protocol, datagram, message)));
        };
        add("batch", false, &full.thrift(protocol));
        add("datagram", true, &full.datagram(protocol));
        add("datagram-of-the-other", true, &full.datagram(other));
        add("no-spans", false, &batch_of(vec![]).thrift(protocol));
        add("cut", false, &full.thrift(protocol)[..200]);
        let zero = batch_of(vec![Span { id: 0, ..plain() }]);
        add("zero-id", false, &zero.thrift(protocol));
        let extreme = Span { start: i64::MAX, duration: i64::MIN, trace: u128::MAX, ..plain() };
        add("extreme-times", false, &batch_of(vec![extreme]).thrift(protocol));
        let mut zipkin = Writer::new(protocol);
        zipkin.message("emitZipkinBatch", MessageKind::OneWay, 0);
        zipkin.structure(|out| {
            out.field(1, Type::List);
            out.list(Type::Struct, 0);
        });
        add("zipkin-call", true, &zipkin.into_bytes());
        let mut later = Writer::new(protocol);
        later.structure(|out| {
            out.bool_field(9, false);
            out.field(10, Type::Map);
            out.map(Type::Bytes, Type::Set, 1);
            out.bytes(b"k");
            out.list(Type::Uuid, 1);
            out.uuid([7; 16]);
            out.field(11, Type::List);
            (0..40).for_each(|_| out.list(Type::List, 1));
        });
        add("unknown-fields-too-deep", false, &later.into_bytes());
    }
    let mut old = vec![0, 0, 0, 9];
    old.extend(b"emitBatch\x01\0\0\0\x01\x0c\0\x01");
    old.extend(every_field().thrift(Protocol::Binary));
    old.push(0);
    out.push(("old-header", seed(Protocol::Binary, true, &old)));
    out
}

pub fn protobuf() -> Vec<Seed> {
    let process = |name: &str| proto::Process { service_name: name.to_owned(), tags: vec![] };
    let mut own = plain().proto();
    own.process = Some(process("own"));
    own.trace_id = vec![0, 0, 0, 0, 0, 0, 0, 9];
    own.warnings = vec!["clock skew".to_owned()];
    let spans = vec![own.clone(), plain().proto(), own];
    let batch = proto::Batch { spans, process: Some(process("shop")) };
    let own = proto::PostSpansRequest { batch: Some(batch) }.encode_to_vec();
    let full = every_field().proto();
    vec![
        ("empty", Vec::new()),
        ("batch", full.clone()),
        ("own-processes", own.clone()),
        ("cut", full[..150].to_vec()),
        ("two-batches", [full, own].concat()),
        ("no-spans", batch_of(vec![]).proto()),
        ("large-claim", vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("zero-id", batch_of(vec![Span { trace: 0, ..plain() }]).proto()),
    ]
}
