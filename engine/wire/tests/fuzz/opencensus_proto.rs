//! What must hold for any bytes taken as messages of an OpenCensus stream: the first byte says where they are cut.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use spanloom_span::slice::{SliceError, SliceLimits, slice};
use spanloom_wire::opencensus::{MAX_REMEMBERED, Stream};

const ROOM: usize = 1 << 16;

/// Each message is translated, or refused and forgotten.
pub fn holds(data: &[u8]) {
    let Some((cut, messages)) = data.split_first() else { return };
    let (first, second) = messages.split_at(messages.len() * usize::from(*cut) / 255);
    let mut stream = Stream::default();
    for message in [first, second] {
        let before = stream.clone();
        let mut out = vec![7];
        match stream.translate(message, ROOM, &mut out) {
            Ok(spans) => {
                written(&out[1..], spans);
                let mut again = Vec::new();
                assert_eq!(before.clone().translate(message, out.len() - 1, &mut again), Ok(spans));
                assert_eq!(again, out[1..]);
            }
            Err(error) => {
                assert!(error.at <= message.len() && !error.found.is_empty(), "{error}");
                assert_eq!((&stream, &out[..]), (&before, &[7][..]), "{error}");
            }
        }
        // A text of U+FFFD is three times as long as bytes that are not UTF-8.
        assert!(stream.remembered() <= 16 * MAX_REMEMBERED, "{}", stream.remembered());
    }
}

/// What was written is a request with so many spans, within the room, that is refused for its ids at most.
pub fn written(out: &[u8], spans: u64) {
    assert!(out.len() <= ROOM);
    let request = ExportTraceServiceRequest::decode(out)
        .unwrap_or_else(|error| panic!("others cannot read it: {error}"));
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    assert_eq!(scopes.map(|scope| scope.spans.len() as u64).sum::<u64>(), spans);
    match slice(Bytes::copy_from_slice(out), &SliceLimits::default()) {
        Ok(batch) => assert_eq!(batch.spans().len() as u64, spans),
        Err(SliceError::TraceId { .. } | SliceError::SpanId { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}
