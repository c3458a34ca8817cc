//! A client for gRPC that sends bytes as they are, so that wrong ones can be sent too.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use spanloom_load::transport::{Chunks, Wire};

/// Longer than any answer may take.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// What a method answered.
#[derive(Debug)]
pub struct Answer {
    pub messages: Vec<Vec<u8>>,
    /// `grpc-status`.
    pub status: u32,
    /// `grpc-message`, as it was sent.
    pub message: String,
}

/// Calls methods of `tempopb.StreamingQuerier`, each on a connection of its own.
pub struct Grpc {
    port: u16,
}

/// A message as it is sent: not compressed, with its length.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&[0], &length[..], message].concat()
}

impl Grpc {
    pub fn new(port: u16) -> Self {
        Self { port }
    }

    /// One message, its answers.
    pub fn call(&self, method: &str, message: &[u8]) -> Answer {
        self.send(method, framed(message))
    }

    /// A body as it is. Panics when no whole answer comes.
    pub fn send(&self, method: &str, body: Vec<u8>) -> Answer {
        // With the runtime the connection ends, so that the server does not wait for it when it stops.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let asked = async { tokio::time::timeout(HANGS_AFTER, self.ask(method, body)).await };
        runtime.block_on(asked).unwrap_or_else(|_| panic!("{method} hangs"))
    }

    async fn ask(&self, method: &str, body: Vec<u8>) -> Answer {
        let mut wire = Wire::Http2(Wire::http2(&format!("127.0.0.1:{}", self.port)));
        let request = Request::post(format!("http://localhost/tempopb.StreamingQuerier/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Chunks([Bytes::from(body)].into()))
            .unwrap();
        let answer = wire.exchange(request, usize::MAX).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method}: no answer: {error}"));
        assert_eq!(answer.status, 200, "{method}");
        let text =
            |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, message) = (text("grpc-status"), text("grpc-message"));
        Answer { messages: messages(&answer.body), status: status.parse().unwrap(), message }
    }
}

fn messages(mut body: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while let Some((prefix, rest)) = body.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        assert_eq!(prefix[0], 0, "not compressed");
        out.push(rest[..length].to_vec());
        body = &rest[length..];
    }
    assert!(body.is_empty(), "half a message");
    out
}
