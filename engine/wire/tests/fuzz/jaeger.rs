//! What every translation of Jaeger promises, whatever it is given.
#![allow(clippy::expect_used)] // a test answers by panicking

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use spanloom_span::slice::{SliceLimits, slice};
use spanloom_wire::{Fault, Foreign};

const ROOM: usize = 1 << 22;

/// A field that OTLP has not, which readers skip: what was in the buffer before.
const BEFORE: [u8; 3] = [0x7a, 0x01, 0x2a];

/// Refused with the buffer as it was, or appended within the room as a request that others read and that
/// passes our own check with as many spans; a byte less room than it takes is refused as such.
pub fn appends_or_refuses(translate: impl Fn(usize, &mut Vec<u8>) -> Result<u64, Foreign>) {
    let mut out = BEFORE.to_vec();
    let spans = match translate(ROOM, &mut out) {
        Ok(spans) => spans,
        Err(error) => {
            assert_eq!(out, BEFORE, "{error}");
            assert!(!error.found.is_empty() && !error.expected.is_empty());
            return;
        }
    };
    assert_eq!(out[..BEFORE.len()], BEFORE);
    let took = out.len() - BEFORE.len();
    assert!(took <= ROOM);
    let request = ExportTraceServiceRequest::decode(&out[..]).expect("others read it");
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    assert_eq!(scopes.map(|scope| scope.spans.len() as u64).sum::<u64>(), spans);
    let sliced = slice(out.clone().into(), &SliceLimits::default()).expect("it passes our own check");
    assert_eq!(sliced.spans().len() as u64, spans);
    if took > 0 {
        let mut again = BEFORE.to_vec();
        assert_eq!(translate(took - 1, &mut again).expect_err("too little room").fault, Fault::Room);
        assert_eq!(again, BEFORE);
    }
}
