//! What must hold for any bytes taken as a body of OpenCensus messages in JSON.

use serde::de::IgnoredAny;
use spanloom_wire::opencensus::Stream;

use super::opencensus_proto::written;

const ROOM: usize = 1 << 16;

/// Translated into a request, and then JSON to others, too; or refused with a place, and nothing kept.
pub fn holds(data: &[u8]) {
    let mut stream = Stream::default();
    let mut out = vec![7];
    match stream.translate_json(data, ROOM, &mut out) {
        Ok(spans) => {
            written(&out[1..], spans);
            let mut values = serde_json::Deserializer::from_slice(data).into_iter::<IgnoredAny>().peekable();
            assert!(values.peek().is_some() && values.all(|value| value.is_ok()));
        }
        Err(error) => {
            assert!(!error.found.is_empty() && !error.expected.is_empty(), "{error}");
            assert_eq!((stream, &out[..]), (Stream::default(), &[7][..]), "{error}");
        }
    }
}
