//! What must hold for any bytes taken as `jaeger.api_v2.PostSpansRequest`.

use spanloom_wire::jaeger::post_spans;

use super::jaeger::appends_or_refuses;

pub fn holds(data: &[u8]) {
    appends_or_refuses(|room, out| post_spans(data, room, out));
}
