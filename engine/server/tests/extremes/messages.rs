//! Extremes over gRPC: every numeric field at and beyond every edge, fields of other types, messages too long, and
//! messages that claim to be.

use spanloom_span::proto::{put_bytes, put_fixed64, put_uint};

use super::house::grpc::{Answer, Grpc, framed};
use super::{Loaded, MAX_ANSWER_BYTES, now};

/// A request under construction.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn text(mut self, field: u32, text: &str) -> Self {
        put_bytes(&mut self.0, field, text.as_bytes());
        self
    }

    pub fn number(mut self, field: u32, number: u64) -> Self {
        put_uint(&mut self.0, field, number);
        self
    }
}

/// An answer within limits, or one that says what was found and what is expected.
#[track_caller]
pub fn judge(what: &str, answer: &Answer) {
    let bytes: usize = answer.messages.iter().map(Vec::len).sum();
    let message = answer.message.replace("%25", "%");
    match answer.status {
        0 => assert!(bytes <= 2 * MAX_ANSWER_BYTES && !answer.messages.is_empty(), "{what}: {bytes} bytes"),
        // INVALID_ARGUMENT
        3 => assert!(super::explains(&message) || message.contains("wrong"), "{what}: {message}"),
        // RESOURCE_EXHAUSTED
        8 => assert!(message.contains("(query.max_"), "{what}: {message}"),
        status => panic!("{what}: {status} {message}"),
    }
}

/// Methods with a request that they answer, and their numeric fields.
fn methods() -> [(&'static str, Message, &'static [u32]); 7] {
    let query = |field: u32, text: &str| Message::default().text(field, text);
    [
        ("Search", query(8, "{}"), &[2, 3, 4, 5, 6, 9, 7, 10]),
        ("SearchTags", Message::default(), &[3, 4, 5, 6]),
        ("SearchTagsV2", query(2, "{ .n > 0 }"), &[3, 4, 5, 6]),
        ("SearchTagValues", query(1, "text"), &[4, 5, 6, 7]),
        ("SearchTagValuesV2", query(1, ".n").text(2, "{ .n > 0 }"), &[4, 5, 6, 7]),
        ("MetricsQueryRange", query(1, "{} | rate()"), &[2, 3, 4, 5, 16, 17]),
        ("MetricsQueryInstant", query(1, "{} | rate() by(.n)"), &[2, 3, 4, 5]),
    ]
}

#[test]
fn every_field_at_every_edge() {
    let loaded = Loaded::start();
    let grpc = Grpc::new(loaded.house.query);
    let edges = [
        0,
        1,
        100,
        262_144,
        262_145,
        i32::MAX as u64,
        u64::from(u32::MAX),
        u64::from(u32::MAX) + 1,
        now(),
        now() * 1_000_000_000,
        i64::MAX as u64,
        u64::MAX,
    ];
    for (method, request, fields) in methods() {
        for &field in fields {
            for number in edges {
                let answer = grpc.call(method, &request.clone().number(field, number).0);
                judge(&format!("{method} {field}: {number}"), &answer);
            }
            let mut other = request.0.clone();
            put_fixed64(&mut other, field, u64::MAX);
            judge(&format!("{method} {field}: of another type"), &grpc.call(method, &other));
            let text = request.clone().text(field, "text");
            judge(&format!("{method} {field}: a text"), &grpc.call(method, &text.0));
        }
    }
    // Both ends together.
    for (method, request, fields) in methods() {
        let (start, end) = match method {
            "Search" => (5, 6),
            "MetricsQueryRange" | "MetricsQueryInstant" => (2, 3),
            "SearchTags" | "SearchTagsV2" => (3, 4),
            _ => (4, 5),
        };
        assert!(fields.contains(&start) && fields.contains(&end));
        for from in edges {
            for until in edges {
                let asked = request.clone().number(start, from).number(end, until);
                judge(&format!("{method} {from} to {until}"), &grpc.call(method, &asked.0));
            }
        }
    }
    loaded.end();
}

#[test]
fn messages_that_are_too_long_or_claim_to_be() {
    let loaded = Loaded::start();
    let grpc = Grpc::new(loaded.house.query);
    for (method, request, _) in methods() {
        for bytes in [(128 << 10) + 1, 1 << 20, 20 << 20] {
            let answer = grpc.call(method, &request.clone().text(1000, &"x".repeat(bytes)).0);
            assert!(bytes < 1 << 20 || answer.status == 8, "{method} {bytes}: {answer:?}");
            judge(&format!("{method} {bytes} bytes"), &answer);
        }
        let claims = [&[0, 255, 255, 255, 255][..], &[0, 0, 0, 0, 9, 1], &[0, 0], &[], &[7; 100]];
        for body in claims {
            let answer = grpc.send(method, body.to_vec());
            assert!(matches!(answer.status, 3 | 8 | 12 | 13), "{method} {body:?}: {answer:?}");
            assert!(!answer.message.is_empty(), "{method} {body:?}");
        }
        let twice = [framed(&request.0), framed(&request.0)].concat();
        let answer = grpc.send(method, twice);
        assert_eq!(answer.status, 12, "{method} twice: {answer:?}");
        // Fields that claim to be longer than the message, and numbers without end.
        for bytes in [&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1][..], &[0x28; 1][..], &[0xff; 30][..]] {
            let answer = grpc.call(method, bytes);
            assert_eq!(answer.status, 3, "{method} {bytes:?}: {answer:?}");
        }
    }
    loaded.end();
}
