//! Traces that were found, as bytes.

use spanloom_span::model::AnyValue;
use spanloom_span::proto::put_varint;
use spanloom_span::{SpanId, TraceId};

use super::{Unpacker, WireError, put_any, put_bytes, take_any};
use crate::answer::{FoundSpan, FoundSpanset, FoundTrace, ServiceStats};

/// Appends a trace.
pub fn put_found(out: &mut Vec<u8>, found: &FoundTrace) {
    out.extend_from_slice(&found.id.0);
    for number in [found.start, found.duration] {
        put_varint(out, number);
    }
    for text in [&found.root_service, &found.root_name] {
        out.push(u8::from(text.is_some()));
        if let Some(text) = text {
            put_bytes(out, text.as_bytes());
        }
    }
    put_varint(out, found.services.len() as u64);
    for ServiceStats { service, spans, errors } in &found.services {
        put_bytes(out, service.as_bytes());
        put_varint(out, *spans);
        put_varint(out, *errors);
    }
    put_varint(out, found.spansets.len() as u64);
    for FoundSpanset { attributes, spans, matched } in &found.spansets {
        put_attributes(out, attributes);
        put_varint(out, *matched);
        put_varint(out, spans.len() as u64);
        for span in spans {
            out.extend_from_slice(&span.id.0);
            put_bytes(out, span.name.as_bytes());
            put_varint(out, span.start);
            put_varint(out, span.duration);
            put_attributes(out, &span.attributes);
        }
    }
}

/// Reads a trace.
pub fn take_found(from: &mut Unpacker<'_>) -> Result<FoundTrace, WireError> {
    Ok(FoundTrace {
        id: TraceId(from.array("a trace's id")?),
        start: from.varint("a trace's start")?,
        duration: from.varint("a trace's duration")?,
        root_service: take_optional(from)?,
        root_name: take_optional(from)?,
        services: take_list(from, take_service)?,
        spansets: take_list(from, take_spanset)?,
    })
}

fn take_optional(from: &mut Unpacker<'_>) -> Result<Option<String>, WireError> {
    const FIELD: &str = "the root of a trace";
    from.flag(FIELD)?.then(|| from.text(FIELD).map(str::to_owned)).transpose()
}

fn take_service(from: &mut Unpacker<'_>) -> Result<ServiceStats, WireError> {
    const FIELD: &str = "a service";
    Ok(ServiceStats {
        service: from.text(FIELD)?.to_owned(),
        spans: from.varint(FIELD)?,
        errors: from.varint(FIELD)?,
    })
}

fn take_spanset(from: &mut Unpacker<'_>) -> Result<FoundSpanset, WireError> {
    Ok(FoundSpanset {
        attributes: take_list(from, take_attribute)?,
        matched: from.varint("a spanset's count")?,
        spans: take_list(from, take_span)?,
    })
}

fn take_span(from: &mut Unpacker<'_>) -> Result<FoundSpan, WireError> {
    Ok(FoundSpan {
        id: SpanId(from.array("a span's id")?),
        name: from.text("a span's name")?.to_owned(),
        start: from.varint("a span's start")?,
        duration: from.varint("a span's duration")?,
        attributes: take_list(from, take_attribute)?,
    })
}

fn put_attributes(out: &mut Vec<u8>, attributes: &[(String, AnyValue)]) {
    put_varint(out, attributes.len() as u64);
    for (name, value) in attributes {
        put_bytes(out, name.as_bytes());
        put_any(out, value);
    }
}

fn take_attribute(from: &mut Unpacker<'_>) -> Result<(String, AnyValue), WireError> {
    Ok((from.text("an attribute's name")?.to_owned(), take_any(from)?))
}

/// As many things as the count before them says. The list grows with what is there.
fn take_list<'a, T>(
    from: &mut Unpacker<'a>,
    take: impl Fn(&mut Unpacker<'a>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = from.varint("a list's count")?;
    let mut out = Vec::new();
    for _ in 0..count {
        out.push(take(from)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = AnyValue> {
        let leaf = prop_oneof![
            Just(AnyValue::Empty),
            ".{0,9}".prop_map(AnyValue::Str),
            any::<bool>().prop_map(AnyValue::Bool),
            any::<i64>().prop_map(AnyValue::Int),
            any::<u32>().prop_map(|value| AnyValue::Double(f64::from(value) / 3.0)),
            vec(any::<u8>(), 0..9).prop_map(AnyValue::Bytes),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| vec(inner, 0..4).prop_map(AnyValue::Array))
    }

    fn attributes() -> impl Strategy<Value = Vec<(String, AnyValue)>> {
        vec((".{0,9}", value()), 0..4)
    }

    prop_compose! {
        fn span()(
            id: [u8; 8], name in ".{0,9}", start: u64, duration: u64, attributes in attributes()
        ) -> FoundSpan {
            FoundSpan { id: SpanId(id), name, start, duration, attributes }
        }
    }

    prop_compose! {
        fn spanset()(attributes in attributes(), spans in vec(span(), 0..4), matched: u64) -> FoundSpanset {
            FoundSpanset { attributes, spans, matched }
        }
    }

    prop_compose! {
        fn trace()(
            id: [u8; 16],
            root_service in proptest::option::of(".{0,9}"),
            root_name in proptest::option::of(".{0,9}"),
            start: u64,
            duration: u64,
            services in vec((".{0,9}", any::<u64>(), any::<u64>()), 0..4),
            spansets in vec(spanset(), 0..4),
        ) -> FoundTrace {
            let of = |(service, spans, errors)| ServiceStats { service, spans, errors };
            let services = services.into_iter().map(of).collect();
            FoundTrace { id: TraceId(id), root_service, root_name, start, duration, services, spansets }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in trace()) {
            let mut bytes = Vec::new();
            put_found(&mut bytes, &trace);
            let mut from = Unpacker::new(&bytes);
            prop_assert_eq!(take_found(&mut from), Ok(trace));
            prop_assert_eq!(from.end(), Ok(()));
            for len in 0..bytes.len() {
                prop_assert!(take_found(&mut Unpacker::new(&bytes[..len])).is_err(), "cut after {} bytes", len);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_read(trace in trace(), at: usize, byte: u8) {
            let mut bytes = Vec::new();
            put_found(&mut bytes, &trace);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = take_found(&mut Unpacker::new(&bytes));
        }
    }

    #[test]
    fn a_count_reserves_nothing() {
        let mut bytes = Vec::new();
        put_found(&mut bytes, &FoundTrace::default());
        bytes.pop();
        put_varint(&mut bytes, u64::MAX);
        assert_eq!(take_found(&mut Unpacker::new(&bytes)), Err(WireError::Cut("a list's count")));
    }
}
