//! A Zipkin span as its specifications draw it, and its four encodings, written without the code under test.
#![allow(dead_code, clippy::unwrap_used)] // not every test file needs all of it; a test answers by panicking

use serde_json::{Map, Value, json};
use spanloom_span::proto::{put_bytes, put_fixed64, put_message, put_text, put_uint};
use spanloom_wire::thrift::{Protocol, Type, Writer};

/// An endpoint; what is empty or zero is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoint {
    pub service: String,
    pub ipv4: Option<[u8; 4]>,
    pub ipv6: Option<[u8; 16]>,
    pub port: u16,
}

/// A span.
#[derive(Debug, Clone, Default)]
pub struct Span {
    pub trace_id: [u8; 16],
    pub id: [u8; 8],
    pub parent: Option<[u8; 8]>,
    pub name: String,
    /// By protobuf's numbers: none, client, server, producer, consumer.
    pub kind: u8,
    /// Microseconds.
    pub timestamp: u64,
    pub duration: u64,
    pub local: Endpoint,
    pub remote: Endpoint,
    pub annotations: Vec<(u64, String)>,
    pub tags: Vec<(String, String)>,
    pub debug: bool,
    pub shared: bool,
}

impl Endpoint {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn ipv4_text(&self) -> Option<String> {
        self.ipv4.map(|bytes| bytes.map(|byte| byte.to_string()).join("."))
    }

    fn ipv6_text(&self) -> Option<String> {
        self.ipv6.map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        if !self.service.is_empty() {
            put("serviceName", json!(self.service));
        }
        if let Some(ip) = self.ipv4_text() {
            put("ipv4", json!(ip));
        }
        if let Some(ip) = self.ipv6_text() {
            put("ipv6", json!(ip));
        }
        if self.port != 0 {
            put("port", json!(self.port));
        }
        Value::Object(object)
    }

    fn proto(&self, out: &mut Vec<u8>) {
        put_text(out, 1, self.service.as_bytes());
        if let Some(ip) = &self.ipv4 {
            put_bytes(out, 2, ip);
        }
        if let Some(ip) = &self.ipv6 {
            put_bytes(out, 3, ip);
        }
        if self.port != 0 {
            put_uint(out, 4, self.port.into());
        }
    }

    fn thrift(&self, out: &mut Writer) {
        out.i32_field(1, self.ipv4.map_or(0, i32::from_be_bytes));
        out.field(2, Type::I16);
        out.i16(self.port as i16);
        out.bytes_field(3, self.service.as_bytes());
        if let Some(ip) = &self.ipv6 {
            out.bytes_field(4, ip);
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// v1's annotations: those of the kind, then the span's own.
fn v1_annotations(span: &Span) -> Vec<(u64, String)> {
    let (begin, end) = match span.kind {
        1 => ("cs", "cr"),
        2 => ("sr", "ss"),
        3 => ("ms", "ws"),
        4 => ("mr", ""),
        _ => ("", ""),
    };
    let mut out = Vec::new();
    if !begin.is_empty() {
        out.push((span.timestamp, begin.to_owned()));
    }
    if !end.is_empty() && span.duration > 0 {
        out.push((span.timestamp + span.duration, end.to_owned()));
    }
    out.extend(span.annotations.iter().cloned());
    out
}

/// The key under which v1 has the other side's address.
fn v1_address(span: &Span) -> &'static str {
    match span.kind {
        2 => "ca",
        3 | 4 => "ma",
        _ => "sa",
    }
}

pub fn v2_json(spans: &[Span]) -> Vec<u8> {
    let list = spans.iter().map(|span| {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("traceId", json!(hex(&span.trace_id)));
        put("id", json!(hex(&span.id)));
        if let Some(parent) = span.parent {
            put("parentId", json!(hex(&parent)));
        }
        put("name", json!(span.name));
        if span.kind > 0 {
            put("kind", json!(["CLIENT", "SERVER", "PRODUCER", "CONSUMER"][usize::from(span.kind) - 1]));
        }
        put("timestamp", json!(span.timestamp));
        put("duration", json!(span.duration));
        put("localEndpoint", span.local.json());
        put("remoteEndpoint", span.remote.json());
        let annotation = |(at, value): &(u64, String)| json!({"timestamp": at, "value": value});
        put("annotations", span.annotations.iter().map(annotation).collect());
        put("tags", span.tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect());
        put("debug", json!(span.debug));
        put("shared", json!(span.shared));
        Value::Object(object)
    });
    serde_json::to_vec(&list.collect::<Vec<_>>()).unwrap()
}

pub fn v2_proto(spans: &[Span]) -> Vec<u8> {
    let mut out = Vec::new();
    for span in spans {
        put_message(&mut out, 1, |out| {
            put_bytes(out, 1, &span.trace_id);
            if let Some(parent) = span.parent {
                put_bytes(out, 2, &parent);
            }
            put_bytes(out, 3, &span.id);
            put_uint(out, 4, span.kind.into());
            put_text(out, 5, span.name.as_bytes());
            put_fixed64(out, 6, span.timestamp);
            put_uint(out, 7, span.duration);
            put_message(out, 8, |out| span.local.proto(out));
            put_message(out, 9, |out| span.remote.proto(out));
            for (at, value) in &span.annotations {
                put_message(out, 10, |out| {
                    put_fixed64(out, 1, *at);
                    put_text(out, 2, value.as_bytes());
                });
            }
            for (key, value) in &span.tags {
                put_message(out, 11, |out| {
                    put_text(out, 1, key.as_bytes());
                    put_text(out, 2, value.as_bytes());
                });
            }
            put_uint(out, 12, span.debug.into());
            put_uint(out, 13, span.shared.into());
        });
    }
    out
}

pub fn v1_json(spans: &[Span]) -> Vec<u8> {
    let list = spans.iter().map(|span| {
        let local = span.local.json();
        let annotation =
            |(at, value): &(u64, String)| json!({"timestamp": at, "value": value, "endpoint": local});
        let mut binary: Vec<Value> = span
            .tags
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value, "endpoint": local}))
            .collect();
        if !span.remote.is_empty() {
            let remote = span.remote.json();
            binary.push(json!({"key": v1_address(span), "value": true, "endpoint": remote}));
        }
        let annotations: Vec<Value> = v1_annotations(span).iter().map(annotation).collect();
        let mut object = json!({
            "traceId": hex(&span.trace_id), "id": hex(&span.id), "name": span.name,
            "timestamp": span.timestamp, "duration": span.duration, "debug": span.debug,
            "annotations": annotations, "binaryAnnotations": binary,
        });
        if let Some(parent) = span.parent {
            object["parentId"] = json!(hex(&parent));
        }
        object
    });
    serde_json::to_vec(&list.collect::<Vec<_>>()).unwrap()
}

/// The list of spans as it is the body of a request, or the argument of `emitZipkinBatch`.
pub fn thrift_list(protocol: Protocol, spans: &[Span]) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    out.list(Type::Struct, spans.len());
    for span in spans {
        out.structure(|out| thrift_span(out, span));
    }
    out.into_bytes()
}

fn thrift_span(out: &mut Writer, span: &Span) {
    let half = |from: usize| span.trace_id[from..from + 8].try_into().map(i64::from_be_bytes).unwrap();
    out.i64_field(1, half(8));
    out.bytes_field(3, span.name.as_bytes());
    out.i64_field(4, i64::from_be_bytes(span.id));
    if let Some(parent) = span.parent {
        out.i64_field(5, i64::from_be_bytes(parent));
    }
    out.structs_field(6, &v1_annotations(span), |out, (at, value)| {
        out.i64_field(1, *at as i64);
        out.bytes_field(2, value.as_bytes());
        out.struct_field(3, |out| span.local.thrift(out));
    });
    // Keys, values, types and hosts.
    let mut binary: Vec<(&str, &[u8], i32, &Endpoint)> = Vec::new();
    binary.extend(span.tags.iter().map(|(key, value)| (key.as_str(), value.as_bytes(), 6, &span.local)));
    if !span.remote.is_empty() {
        binary.push((v1_address(span), &[1], 0, &span.remote));
    }
    out.structs_field(8, &binary, |out, (key, value, kind, host)| {
        out.bytes_field(1, key.as_bytes());
        out.bytes_field(2, value);
        out.i32_field(3, *kind);
        out.struct_field(4, |out| host.thrift(out));
    });
    out.bool_field(9, span.debug);
    out.i64_field(10, span.timestamp as i64);
    out.i64_field(11, span.duration as i64);
    out.i64_field(12, half(0));
}
