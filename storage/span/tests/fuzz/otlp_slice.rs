//! What must hold for any bytes that come as an OTLP request. Shared by the fuzz target and the seed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use spanloom_span::slice::{SliceError, SliceLimits, slice};
use spanloom_span::{Batch, TracePart, decode, encode};

/// The walk refuses the bytes with an error that can be shown, or slices them so that nothing is lost.
pub fn holds(data: &[u8]) {
    let limits = SliceLimits::default();
    match slice(Bytes::copy_from_slice(data), &limits) {
        Ok(batch) => sliced(data, batch),
        Err(error) => refused(data, &error),
    }
}

fn refused(data: &[u8], error: &SliceError) {
    assert!(!error.to_string().is_empty());
    let again = slice(Bytes::copy_from_slice(data), &SliceLimits::default());
    assert_eq!(again.err().as_ref(), Some(error), "the same bytes get the same answer");
}

fn sliced(data: &[u8], batch: Batch) {
    assert_eq!(&batch.bytes()[..], data, "the bytes are kept as they came");
    let ids: HashSet<_> = batch.groups().iter().map(|group| group.id).collect();
    assert_eq!(ids.len(), batch.groups().len(), "a trace has one group");
    let grouped: usize = batch.groups().iter().map(|group| batch.group_spans(group).len()).sum();
    assert_eq!(grouped, batch.spans().len(), "every span is in one group");
    let oracle = read_as_others_do(data);
    let mut expected = 0;
    for resource in &oracle.resource_spans {
        expected += resource.scope_spans.iter().map(|scope| scope.spans.len()).sum::<usize>();
    }
    // Spans in a field of OTLP before 0.15 are unknown to the oracle.
    assert!(batch.spans().len() + batch.refused_spans() as usize >= expected, "no span is lost");
    let batch = Arc::new(batch);
    for group in 0..batch.groups().len() as u32 {
        round_trip(TracePart { batch: batch.clone(), group, seq: 1 });
    }
}

/// What is taken, and what is answered, is valid protobuf to others.
fn read_as_others_do(bytes: &[u8]) -> TracesData {
    TracesData::decode(bytes).unwrap_or_else(|error| {
        let error = error.to_string();
        assert!(is_unread(&error), "not valid protobuf: {error}");
        TracesData::default()
    })
}

/// Whether the oracle complains of a field that it reads and we do not, so that we cannot tell whether it is good:
/// those of profiles and of entities, which are still being developed.
fn is_unread(error: &str) -> bool {
    // Field 8 of a value, string_value_strindex, is called by its oneof; the innermost field comes first.
    let in_value = error.contains("message: AnyValue.value: ") && error.contains(": invalid wire type: ");
    in_value || error.contains("strindex") || error.contains("entity_refs")
}

/// A trace that is decoded, encoded and sliced again is the same trace.
fn round_trip(part: TracePart) {
    let id = part.group().id;
    let trace = decode::trace_part(&part).expect("what was checked can be decoded");
    assert_eq!(trace.span_count(), part.spans().len());
    let bytes = encode::traces_data(&trace);
    read_as_others_do(&bytes);
    let again = slice(Bytes::from(bytes.clone()), &SliceLimits::default()).expect("our own bytes are taken");
    let [group] = again.groups() else { panic!("{} traces of one", again.groups().len()) };
    assert_eq!((group.id, group.count as usize), (id, part.spans().len()));
    let again = TracePart { batch: Arc::new(again), group: 0, seq: 1 };
    let again = decode::trace_part(&again).expect("our own bytes can be decoded");
    assert!(encode::traces_data(&again) == bytes, "the way back to bytes is stable");
}
