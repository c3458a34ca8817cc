//! Values that were written as JSON.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use spanloom_span::TracePart;
use spanloom_span::decode;
use spanloom_span::model::{AnyValue, KeyValue, Trace};
use spanloom_span::slice::{SliceLimits, slice};

/// The traces of lines of OTLP JSON, as this system itself takes them in: a line may have one trace.
pub fn line(text: &str) -> Trace {
    let proto =
        spanloom_wire::otlp_json::to_proto(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let limits = SliceLimits { max_span_bytes: u32::MAX, ..SliceLimits::default() };
    let batch = Arc::new(slice(proto.into(), &limits).unwrap());
    assert_eq!(batch.groups().len(), 1, "a line has one trace");
    decode::trace_part(&TracePart { batch, group: 0, seq: 1 }).unwrap()
}

/// An `AnyValue` in OTLP JSON.
pub fn otlp(text: &str) -> AnyValue {
    let (trace_id, span_id) = ("01".repeat(16), "01".repeat(8));
    let attribute = format!(r#"{{"key":"k","value":{text}}}"#);
    let span = format!(r#"{{"traceId":"{trace_id}","spanId":"{span_id}","attributes":[{attribute}]}}"#);
    let trace = line(&format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#));
    let mut spans = trace.spans();
    spans.next().unwrap().attributes[0].value.clone()
}

/// Bytes in base64.
pub fn base64(text: &str) -> AnyValue {
    otlp(&format!(r#"{{"bytesValue":"{text}"}}"#))
}

/// A list or map in plain JSON.
pub fn plain(text: &str) -> AnyValue {
    serde_json::from_str::<Plain>(text).unwrap_or_else(|error| panic!("{error}: {text}")).0
}

struct Plain(AnyValue);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(AnyValue::Empty))
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(Self(AnyValue::Empty))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self, E> {
        Ok(Self(AnyValue::Str(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self, E> {
        Ok(Self(AnyValue::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self, E> {
        Ok(Self(AnyValue::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self, E> {
        Ok(Self(AnyValue::Int(value as i64)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self, E> {
        Ok(Self(AnyValue::Double(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        let mut out = Vec::new();
        while let Some(Self(value)) = items.next_element()? {
            out.push(value);
        }
        Ok(Self(AnyValue::Array(out)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self, A::Error> {
        let mut out = Vec::new();
        while let Some((key, Self(value))) = pairs.next_entry::<String, Self>()? {
            out.push(KeyValue { key, value });
        }
        Ok(Self(AnyValue::Map(out)))
    }
}
