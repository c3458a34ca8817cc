//! What must hold for any bytes taken as Zipkin's protobuf and Thrift: the first byte says which, and how it is read.

use spanloom_wire::thrift::{CompactReader, Limits};
use spanloom_wire::zipkin::{Options, thrift_spans, v1_thrift, v2_proto};

use super::jaeger::appends_or_refuses;

pub fn holds(data: &[u8]) {
    let Some((how, body)) = data.split_first() else { return };
    let options = Options { debug: how & 4 != 0, parse_string_tags: how & 8 != 0 };
    appends_or_refuses(|room, out| match how & 3 {
        0 => v2_proto(body, &options, room, out),
        1 => v1_thrift(body, &options, room, out),
        _ => thrift_spans(&mut CompactReader::new(body, Limits::default())?, &options, room, out),
    });
}
