//! What must hold for any bytes taken as Jaeger's Thrift: the first byte says which protocol, and whether the
//! rest is a batch or a datagram.

use spanloom_wire::jaeger::{batch, datagram};
use spanloom_wire::thrift::Protocol;

use super::jaeger::appends_or_refuses;

pub fn holds(data: &[u8]) {
    let Some((how, message)) = data.split_first() else { return };
    let protocol = if how & 1 == 0 { Protocol::Binary } else { Protocol::Compact };
    match how & 2 {
        0 => appends_or_refuses(|room, out| batch(protocol, message, room, out)),
        _ => appends_or_refuses(|room, out| datagram(protocol, message, room, out)),
    }
}
