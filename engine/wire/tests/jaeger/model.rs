//! Jaeger's messages as data, written in each form: Thrift by our writer, protobuf by prost.

use prost::Message as _;
use spanloom_wire::thrift::{MessageKind, Protocol, Type, Writer};

#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    Str(String),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Vec<u8>),
}

pub type Tag = (String, Val);

#[derive(Debug, Clone, PartialEq)]
pub struct Ref {
    pub child: bool,
    pub trace: u128,
    pub span: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    pub micros: i64,
    pub fields: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub trace: u128,
    pub id: u64,
    pub parent: u64,
    pub name: String,
    pub refs: Vec<Ref>,
    pub flags: u32,
    pub start: i64,
    pub duration: i64,
    pub tags: Vec<Tag>,
    pub logs: Vec<Log>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub service: String,
    pub tags: Vec<Tag>,
    pub spans: Vec<Span>,
}

pub fn tag(key: &str, value: Val) -> Tag {
    (key.to_owned(), value)
}

pub fn text(key: &str, value: &str) -> Tag {
    tag(key, Val::Str(value.to_owned()))
}

/// A span with nothing but what it must have.
pub fn plain() -> Span {
    Span {
        trace: 0xa1 << 64 | 0xb2,
        id: 0xc3,
        parent: 0,
        name: "op".to_owned(),
        refs: vec![],
        flags: 1,
        start: 1_000_000,
        duration: 500,
        tags: vec![],
        logs: vec![],
    }
}

pub fn batch_of(spans: Vec<Span>) -> Batch {
    Batch { service: "shop".to_owned(), tags: vec![], spans }
}

impl Batch {
    pub fn thrift(&self, protocol: Protocol) -> Vec<u8> {
        let mut out = Writer::new(protocol);
        out.structure(|out| self.write(out));
        out.into_bytes()
    }

    pub fn datagram(&self, protocol: Protocol) -> Vec<u8> {
        let mut out = Writer::new(protocol);
        out.message("emitBatch", MessageKind::OneWay, 7);
        out.structure(|out| out.struct_field(1, |out| self.write(out)));
        out.into_bytes()
    }

    fn write(&self, out: &mut Writer) {
        out.struct_field(1, |out| {
            out.bytes_field(1, self.service.as_bytes());
            write_tags(out, 2, &self.tags);
        });
        out.structs_field(2, &self.spans, |out, span| span.write(out));
    }

    pub fn proto(&self) -> Vec<u8> {
        let process = proto::Process { service_name: self.service.clone(), tags: tags(&self.tags) };
        let spans = self.spans.iter().map(Span::proto).collect();
        let batch = proto::Batch { spans, process: Some(process) };
        proto::PostSpansRequest { batch: Some(batch) }.encode_to_vec()
    }
}

impl Span {
    fn write(&self, out: &mut Writer) {
        out.i64_field(1, self.trace as u64 as i64);
        out.i64_field(2, (self.trace >> 64) as u64 as i64);
        out.i64_field(3, self.id as i64);
        out.i64_field(4, self.parent as i64);
        out.bytes_field(5, self.name.as_bytes());
        if !self.refs.is_empty() {
            out.structs_field(6, &self.refs, |out, r| {
                out.i32_field(1, if r.child { 0 } else { 1 });
                out.i64_field(2, r.trace as u64 as i64);
                out.i64_field(3, (r.trace >> 64) as u64 as i64);
                out.i64_field(4, r.span as i64);
            });
        }
        out.i32_field(7, self.flags as i32);
        out.i64_field(8, self.start);
        out.i64_field(9, self.duration);
        write_tags(out, 10, &self.tags);
        out.structs_field(11, &self.logs, |out, log| {
            out.i64_field(1, log.micros);
            write_tags(out, 2, &log.fields);
        });
    }

    /// The parent is the first reference, as the specification asks.
    pub fn proto(&self) -> proto::Span {
        let parent = Ref { child: true, trace: self.trace, span: self.parent };
        let refs = Some(&parent).filter(|_| self.parent != 0).into_iter().chain(&self.refs);
        proto::Span {
            trace_id: self.trace.to_be_bytes().to_vec(),
            span_id: self.id.to_be_bytes().to_vec(),
            operation_name: self.name.clone(),
            references: refs.map(Ref::proto).collect(),
            flags: self.flags,
            start_time: Some(proto::Time::of(self.start)),
            duration: Some(proto::Time::of(self.duration)),
            tags: tags(&self.tags),
            logs: self.logs.iter().map(Log::proto).collect(),
            ..proto::Span::default()
        }
    }
}

impl Ref {
    fn proto(&self) -> proto::SpanRef {
        proto::SpanRef {
            trace_id: self.trace.to_be_bytes().to_vec(),
            span_id: self.span.to_be_bytes().to_vec(),
            ref_type: i32::from(!self.child),
        }
    }
}

impl Log {
    fn proto(&self) -> proto::Log {
        proto::Log { timestamp: Some(proto::Time::of(self.micros)), fields: tags(&self.fields) }
    }
}

fn write_tags(out: &mut Writer, id: i16, tags: &[Tag]) {
    out.structs_field(id, tags, |out, (key, value)| {
        out.bytes_field(1, key.as_bytes());
        let kind = match value {
            Val::Str(_) => 0,
            Val::Double(_) => 1,
            Val::Bool(_) => 2,
            Val::Int(_) => 3,
            Val::Bytes(_) => 4,
        };
        out.field(2, Type::I32);
        out.i32(kind);
        match value {
            Val::Str(v) => out.bytes_field(3, v.as_bytes()),
            Val::Double(v) => out.double_field(4, *v),
            Val::Bool(v) => out.bool_field(5, *v),
            Val::Int(v) => out.i64_field(6, *v),
            Val::Bytes(v) => out.bytes_field(7, v),
        }
    });
}

pub fn tags(tags: &[Tag]) -> Vec<proto::KeyValue> {
    let one = |(key, value): &Tag| {
        let mut out = proto::KeyValue { key: key.clone(), ..proto::KeyValue::default() };
        match value.clone() {
            Val::Str(v) => (out.v_type, out.v_str) = (0, v),
            Val::Bool(v) => (out.v_type, out.v_bool) = (1, v),
            Val::Int(v) => (out.v_type, out.v_int64) = (2, v),
            Val::Double(v) => (out.v_type, out.v_float64) = (3, v),
            Val::Bytes(v) => (out.v_type, out.v_binary) = (4, v),
        }
        out
    };
    tags.iter().map(one).collect()
}

/// The messages of `api_v2/model.proto` and `collector.proto`.
pub mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct PostSpansRequest {
        #[prost(message, optional, tag = "1")]
        pub batch: Option<Batch>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Batch {
        #[prost(message, repeated, tag = "1")]
        pub spans: Vec<Span>,
        #[prost(message, optional, tag = "2")]
        pub process: Option<Process>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Process {
        #[prost(string, tag = "1")]
        pub service_name: String,
        #[prost(message, repeated, tag = "2")]
        pub tags: Vec<KeyValue>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct KeyValue {
        #[prost(string, tag = "1")]
        pub key: String,
        #[prost(int32, tag = "2")]
        pub v_type: i32,
        #[prost(string, tag = "3")]
        pub v_str: String,
        #[prost(bool, tag = "4")]
        pub v_bool: bool,
        #[prost(int64, tag = "5")]
        pub v_int64: i64,
        #[prost(double, tag = "6")]
        pub v_float64: f64,
        #[prost(bytes, tag = "7")]
        pub v_binary: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Log {
        #[prost(message, optional, tag = "1")]
        pub timestamp: Option<Time>,
        #[prost(message, repeated, tag = "2")]
        pub fields: Vec<KeyValue>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct SpanRef {
        #[prost(bytes, tag = "1")]
        pub trace_id: Vec<u8>,
        #[prost(bytes, tag = "2")]
        pub span_id: Vec<u8>,
        #[prost(int32, tag = "3")]
        pub ref_type: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Span {
        #[prost(bytes, tag = "1")]
        pub trace_id: Vec<u8>,
        #[prost(bytes, tag = "2")]
        pub span_id: Vec<u8>,
        #[prost(string, tag = "3")]
        pub operation_name: String,
        #[prost(message, repeated, tag = "4")]
        pub references: Vec<SpanRef>,
        #[prost(uint32, tag = "5")]
        pub flags: u32,
        #[prost(message, optional, tag = "6")]
        pub start_time: Option<Time>,
        #[prost(message, optional, tag = "7")]
        pub duration: Option<Time>,
        #[prost(message, repeated, tag = "8")]
        pub tags: Vec<KeyValue>,
        #[prost(message, repeated, tag = "9")]
        pub logs: Vec<Log>,
        #[prost(message, optional, tag = "10")]
        pub process: Option<Process>,
        #[prost(string, tag = "11")]
        pub process_id: String,
        #[prost(string, repeated, tag = "12")]
        pub warnings: Vec<String>,
    }

    /// `google.protobuf.Timestamp` or `Duration`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Time {
        #[prost(int64, tag = "1")]
        pub seconds: i64,
        #[prost(int32, tag = "2")]
        pub nanos: i32,
    }

    impl Time {
        pub fn of(micros: i64) -> Self {
            let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
            Self { seconds, nanos: rest as i32 * 1000 }
        }
    }
}
