//! Jaeger to OTLP, against what real clients send, against the rules written the long way round, and against
//! what is hostile. What comes out is read by OpenTelemetry's own types and checked as every request is.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod back;
mod golden;
mod hostile;
mod model;
mod property;
mod render;
mod rules;
mod sampling;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_wire::Foreign;
use spanloom_wire::jaeger::{batch, datagram, post_spans};
use spanloom_wire::thrift::Protocol;

/// Room that is never short.
const ROOM: usize = 1 << 30;

/// What a message comes as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Batch(Protocol),
    Datagram(Protocol),
    PostSpans,
}

const FORMS: [Form; 5] = [
    Form::Batch(Protocol::Binary),
    Form::Batch(Protocol::Compact),
    Form::Datagram(Protocol::Binary),
    Form::Datagram(Protocol::Compact),
    Form::PostSpans,
];

/// Translates into a buffer that has something in it already, and checks what a caller relies on.
fn translate(form: Form, bytes: &[u8], room: usize) -> Result<ExportTraceServiceRequest, Foreign> {
    let before = ExportTraceServiceRequest::default().encode_to_vec();
    let mut out = [&before[..], &[0x7a, 0x01, 0x2a]].concat(); // a field that OTLP has not: 15
    let earlier = out.clone();
    let result = match form {
        Form::Batch(protocol) => batch(protocol, bytes, room, &mut out),
        Form::Datagram(protocol) => datagram(protocol, bytes, room, &mut out),
        Form::PostSpans => post_spans(bytes, room, &mut out),
    };
    match result {
        Err(error) => {
            assert_eq!(out, earlier, "{form:?} left something behind");
            Err(error)
        }
        Ok(spans) => {
            assert!(out.starts_with(&earlier));
            assert!(out.len() - earlier.len() <= room);
            let request = ExportTraceServiceRequest::decode(&out[..]).expect("others read it");
            let sliced = slice(out.into(), &SliceLimits::default()).expect("it passes our own check");
            assert_eq!(sliced.spans().len() as u64, spans);
            Ok(request)
        }
    }
}
