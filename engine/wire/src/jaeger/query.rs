//! What Jaeger's readers ask over gRPC, and the answers that are no spans.
//!
//! Four services ask nearly the same in nearly the same messages: `jaeger.api_v2.QueryService`,
//! `jaeger.api_v3.QueryService`, `jaeger.storage.v1` and `jaeger.storage.v2`. Where field numbers differ the functions
//! have a [`Dialect`]. Sources: `api_v2/query.proto`, `api_v3/query_service.proto`, `storage/v2/*.proto` of
//! <https://github.com/jaegertracing/jaeger-idl>, and `storage_v1/storage.proto` of Jaeger 1.
//!
//! Zero and empty mean that nothing was said.

use spanloom_span::TraceId;
use spanloom_span::decode;
use spanloom_span::model::AnyValue;
use spanloom_span::proto::{put_bytes, put_fixed64, put_message, put_text, put_uint};

use crate::query::request::{RequestError, each};

/// Whose messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `jaeger.api_v2`, and `jaeger.storage.v1`, which has the same numbers.
    V2,
    /// `jaeger.api_v3`.
    V3,
    /// `jaeger.storage.v2`.
    Storage2,
}

/// A question for one trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceAsked {
    /// Its id: 16 bytes or 8, or hexadecimal digits in `api_v3`.
    pub id: Id,
    /// Nanoseconds since 1970.
    pub start: Option<u64>,
    /// Nanoseconds since 1970.
    pub end: Option<u64>,
}

/// An id as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Id {
    /// One that can be looked for.
    Known(TraceId),
    /// Not an id: what was found.
    Wrong(String),
}

impl Default for Id {
    fn default() -> Self {
        Id::Wrong("nothing".into())
    }
}

impl TraceAsked {
    /// `GetTraceRequest` and `ArchiveTraceRequest {1 trace_id, 2 start_time, 3 end_time}`.
    pub fn decode(dialect: Dialect, bytes: &[u8]) -> Result<Self, RequestError> {
        let mut out = Self::default();
        each(bytes, |field| {
            match field.number {
                1 if dialect == Dialect::V3 => {
                    let text = field.text()?;
                    out.id = TraceId::parse(&text).map_or_else(|e| Id::Wrong(e.to_string()), Id::Known);
                }
                1 => out.id = id_of(field.bytes()?),
                2 => out.start = moment(field.bytes()?)?,
                3 => out.end = moment(field.bytes()?)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// `GetTracesRequest {1 query}` of `jaeger.storage.v2`.
    pub fn decode_many(bytes: &[u8]) -> Result<Vec<Self>, RequestError> {
        let mut out = Vec::new();
        each(bytes, |field| {
            if field.number == 1 {
                out.push(Self::decode(Dialect::Storage2, field.bytes()?)?);
            }
            Ok(())
        })?;
        Ok(out)
    }
}

fn id_of(bytes: &[u8]) -> Id {
    let mut id = [0; 16];
    match bytes.len() {
        16 => id.copy_from_slice(bytes),
        8 => id[8..].copy_from_slice(bytes),
        other => return Id::Wrong(format!("{other} bytes")),
    }
    Id::Known(TraceId(id))
}

/// A question for traces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindAsked {
    /// Of which service.
    pub service: String,
    /// The span's name.
    pub operation: String,
    /// Keys and values of tags, as text.
    pub tags: Vec<(String, String)>,
    /// Earliest start, nanoseconds since 1970.
    pub start_min: Option<u64>,
    /// Latest start.
    pub start_max: Option<u64>,
    /// The span's shortest duration, nanoseconds.
    pub duration_min: Option<u64>,
    /// Its longest.
    pub duration_max: Option<u64>,
    /// Most traces.
    pub limit: Option<u64>,
    /// Whether there is an expression to filter by, or a page to go on from; they are experimental in Jaeger.
    pub is_beyond: bool,
}

impl FindAsked {
    /// `FindTracesRequest`, `FindTraceIDsRequest` and `FindTraceSummariesRequest {1 query}`.
    pub fn decode(dialect: Dialect, bytes: &[u8]) -> Result<Self, RequestError> {
        let mut out = Self::default();
        each(bytes, |field| {
            if field.number == 1 {
                out.query(dialect, field.bytes()?)?;
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// `TraceQueryParameters`.
    fn query(&mut self, dialect: Dialect, bytes: &[u8]) -> Result<(), RequestError> {
        each(bytes, |field| {
            match field.number {
                1 => self.service = field.text()?,
                2 => self.operation = field.text()?,
                3 if dialect == Dialect::Storage2 => {
                    let attribute = decode::key_value(field.bytes()?)?;
                    self.tags.push((attribute.key, text_of(&attribute.value)));
                }
                3 => self.tags.push(field.entry()?),
                4 => self.start_min = moment(field.bytes()?)?,
                5 => self.start_max = moment(field.bytes()?)?,
                6 => self.duration_min = moment(field.bytes()?)?,
                7 => self.duration_max = moment(field.bytes()?)?,
                8 => self.limit = Some(u64::from(field.short()?)).filter(|limit| *limit > 0),
                // Protobuf's negative numbers have ten bytes and are no limit.
                9 if dialect == Dialect::Storage2 => self.is_beyond |= !field.bytes()?.is_empty(),
                10 => self.is_beyond |= !field.bytes()?.is_empty(),
                _ => {}
            }
            Ok(())
        })
    }
}

/// The text that a tag is compared with.
fn text_of(value: &AnyValue) -> String {
    match value {
        AnyValue::Str(text) => text.clone(),
        AnyValue::Bool(value) => value.to_string(),
        AnyValue::Int(value) => value.to_string(),
        AnyValue::Double(value) => value.to_string(),
        value => {
            let mut json = Vec::new();
            crate::trace_json::plain_value(&mut json, value);
            String::from_utf8_lossy(&json).into_owned()
        }
    }
}

/// `GetOperationsRequest {1 service, 2 span_kind}`.
pub fn operations_asked(bytes: &[u8]) -> Result<(String, String), RequestError> {
    let (mut service, mut kind) = (String::new(), String::new());
    each(bytes, |field| {
        match field.number {
            1 => service = field.text()?,
            2 => kind = field.text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((service, kind))
}

/// `GetDependenciesRequest {1 start_time, 2 end_time}`, nanoseconds since 1970.
pub fn dependencies_asked(bytes: &[u8]) -> Result<(Option<u64>, Option<u64>), RequestError> {
    let (mut start, mut end) = (None, None);
    each(bytes, |field| {
        match field.number {
            1 => start = moment(field.bytes()?)?,
            2 => end = moment(field.bytes()?)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((start, end))
}

/// `Timestamp` or `Duration {1 seconds, 2 nanos}` in nanoseconds. Zero says nothing, and neither does what lies before:
/// Go's zero time is in the year 1.
fn moment(bytes: &[u8]) -> Result<Option<u64>, RequestError> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    each(bytes, |field| {
        match field.number {
            1 => seconds = field.long()? as i64,
            2 => nanos = field.long()? as i64,
            _ => {}
        }
        Ok(())
    })?;
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Ok((total > 0).then(|| u64::try_from(total).unwrap_or(u64::MAX)))
}

/// `GetServicesResponse {1 services}`.
pub fn services(names: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    names.iter().for_each(|name| put_bytes(&mut out, 1, name.as_bytes()));
    out
}

/// What a service does: a name and the kind of its spans, empty if there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Operation {
    /// The name of its spans.
    pub name: String,
    /// `server` and others.
    pub kind: &'static str,
}

/// `GetOperationsResponse`: `{1 operationNames, 2 operations}`, later `{1 operations}`.
pub fn operations(dialect: Dialect, operations: &[Operation]) -> Vec<u8> {
    let mut out = Vec::new();
    let field = if dialect == Dialect::V2 { 2 } else { 1 };
    for operation in operations {
        put_message(&mut out, field, |out| {
            put_text(out, 1, operation.name.as_bytes());
            put_text(out, 2, operation.kind.as_bytes());
        });
    }
    out
}

/// Calls from one service to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dependency {
    /// Who calls.
    pub parent: String,
    /// Who is called.
    pub child: String,
    /// How often.
    pub calls: u64,
}

/// `GetDependenciesResponse {1 dependencies}`, each `{1 parent, 2 child, 3 call_count}`.
pub fn dependencies(links: &[Dependency]) -> Vec<u8> {
    let mut out = Vec::new();
    for link in links {
        put_message(&mut out, 1, |out| {
            put_text(out, 1, link.parent.as_bytes());
            put_text(out, 2, link.child.as_bytes());
            if link.calls > 0 {
                put_uint(out, 3, link.calls);
            }
        });
    }
    out
}

/// A trace that was found, with when its spans are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundId {
    /// Its id.
    pub id: TraceId,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
}

/// `FindTraceIDsResponse {1 trace_ids}`: bytes, or `FoundTraceID {1 trace_id, 2 start, 3 end}`.
pub fn found_ids(dialect: Dialect, found: &[FoundId]) -> Vec<u8> {
    let mut out = Vec::new();
    for one in found {
        match dialect {
            Dialect::Storage2 => put_message(&mut out, 1, |out| {
                put_bytes(out, 1, &one.id.0);
                put_message(out, 2, |out| super::out::put_moment(out, one.start));
                put_message(out, 3, |out| super::out::put_moment(out, one.end));
            }),
            _ => put_bytes(&mut out, 1, &one.id.0),
        }
    }
    out
}

/// A trace in few words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Its id.
    pub id: TraceId,
    /// Service of its root.
    pub root_service: String,
    /// Name of its root.
    pub root_name: String,
    /// Earliest start, nanoseconds since 1970.
    pub start: u64,
    /// Latest end, nanoseconds since 1970.
    pub end: u64,
    /// Spans.
    pub spans: u64,
    /// Those with status error.
    pub errors: u64,
    /// Spans whose parent is not there.
    pub orphans: u64,
    /// Services by name, with their spans and those with status error.
    pub services: Vec<(String, u64, u64)>,
}

/// `FindTraceSummariesResponse {1 summaries}`, each `{1 trace_id, 2 root_service_name, 3 root_operation_name,
/// 4 min_start_time_unix_nano, 5 max_end_time_unix_nano, 6 span_count, 7 error_span_count, 8 orphan_span_count,
/// 9 services}`. The id is text in `api_v3` and bytes in `storage.v2`.
pub fn summaries(dialect: Dialect, found: &[Summary]) -> Vec<u8> {
    let mut out = Vec::new();
    for one in found {
        put_message(&mut out, 1, |out| {
            match dialect {
                Dialect::Storage2 => put_bytes(out, 1, &one.id.0),
                _ => put_text(out, 1, one.id.to_string().as_bytes()),
            }
            put_text(out, 2, one.root_service.as_bytes());
            put_text(out, 3, one.root_name.as_bytes());
            put_fixed64(out, 4, one.start);
            put_fixed64(out, 5, one.end);
            put_counts(out, 6, &[one.spans, one.errors, one.orphans]);
            for (name, spans, errors) in &one.services {
                put_message(out, 9, |out| {
                    put_text(out, 1, name.as_bytes());
                    put_counts(out, 2, &[*spans, *errors]);
                });
            }
        });
    }
    out
}

fn put_counts(out: &mut Vec<u8>, first: u32, counts: &[u64]) {
    for (field, count) in (first..).zip(counts) {
        if *count > 0 {
            put_uint(out, field, *count);
        }
    }
}
