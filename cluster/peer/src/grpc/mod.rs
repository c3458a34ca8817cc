//! How frames travel: one gRPC call a question, a frame as its message and another as the answer's.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
//!
//! Status, codes and metadata are tonic's. The bodies are our own, since tonic's codec copies every message on each
//! side and reserves the length that a message claims; here a large payload is handed from the one who asks to HTTP/2,
//! and from HTTP/2 to the one who is asked, without a copy when it comes in one DATA frame, else with one.
//!
//! | file | holds |
//! |---|---|
//! | `body.rs` | a frame on its way out |
//! | `gather.rs` | a frame on its way in |
//! | `status.rs` | [`PeerError`](crate::PeerError) as a gRPC status, and back |
//! | `timeout.rs` | deadlines in the header `grpc-timeout` |
//! | `method.rs` | the questions' names on the wire |

mod body;
mod gather;
mod method;
mod status;
mod timeout;

pub(crate) use body::FrameBody;
pub(crate) use gather::{Gather, Gathered};
pub(crate) use method::{CONTENT_TYPE, Method, SERVICE, is_grpc};
pub(crate) use status::{from_status, status_of, to_status};
pub(crate) use timeout::{TIMEOUT, parse_timeout, timeout_text};

/// Bytes before each gRPC message: a flag, and its length.
pub(crate) const PREFIX_BYTES: usize = 5;

/// Largest DATA frame that either side takes. A payload up to it is not copied on its way in; a larger frame would
/// keep others on the connection waiting for longer.
pub(crate) const MAX_DATA_FRAME: u32 = 1 << 20;

/// Most bytes of headers that either side takes.
pub(crate) const MAX_HEADER_BYTES: u32 = 16 << 10;

/// An error and what caused it, in one line.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}
