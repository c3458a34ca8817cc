//! The calls of one trace.
//!
//! A span whose parent is of another service was called by it; in between lies a client's span as a rule, and where none
//! was sent the call is one all the same. Client and producer spans that nobody answered called someone who sends no
//! spans, if they name one; servers and consumers without a caller in the trace were called by whom they name.

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// What of a span says who calls whom. Services are numbers, equal for equal names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts {
    pub service: u32,
    pub kind: i32,
    pub is_error: bool,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds.
    pub duration: u64,
    /// Its parent's place.
    pub parent: Option<u32>,
}

/// Who is called or calls: a service by its number, or the other side of a span by the span's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Service(u32),
    Remote(u32),
}

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub client: Side,
    pub server: Side,
    pub is_error: bool,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds.
    pub duration: u64,
}

fn calls_out(kind: i32) -> bool {
    matches!(kind, CLIENT | PRODUCER)
}

fn is_called(kind: i32) -> bool {
    matches!(kind, SERVER | CONSUMER)
}

/// The calls of a trace, those between services first.
pub(super) fn calls(spans: &[Facts]) -> Vec<Call> {
    let mut out = Vec::new();
    let mut is_settled = vec![false; spans.len()];
    for (place, span) in spans.iter().enumerate() {
        let Some(at) = span.parent else { continue };
        let Some(parent) = spans.get(at as usize) else { continue };
        if parent.service == span.service {
            // A call to oneself is none between services; of clients within clients the innermost one calls.
            let is_answer = calls_out(parent.kind) && (is_called(span.kind) || calls_out(span.kind));
            is_settled[at as usize] |= is_answer;
            is_settled[place] |= calls_out(parent.kind) && is_called(span.kind);
            continue;
        }
        is_settled[at as usize] |= calls_out(parent.kind);
        is_settled[place] |= is_called(span.kind);
        out.push(Call {
            client: Side::Service(parent.service),
            server: Side::Service(span.service),
            is_error: span.is_error || calls_out(parent.kind) && parent.is_error,
            start: span.start,
            duration: span.duration,
        });
    }
    for (place, span) in (0..).zip(spans) {
        if is_settled[place as usize] {
            continue;
        }
        let (own, other) = (Side::Service(span.service), Side::Remote(place));
        let (client, server) = match span.kind {
            CLIENT | PRODUCER => (own, other),
            CONSUMER => (other, own),
            SERVER if span.parent.is_none() => (other, own),
            _ => continue,
        };
        let (is_error, start, duration) = (span.is_error, span.start, span.duration);
        out.push(Call { client, server, is_error, start, duration });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERNAL: i32 = 1;

    /// Spans as (service, kind, parent); the duration is the place. Calls as (client, server, duration), where the
    /// other side of a span is its place below zero, less one.
    #[test]
    fn calls_are_between_services_and_with_those_who_send_no_spans() {
        let check = |spans: &[(u32, i32, i64)], expected: &[(i64, i64, u64)]| {
            let facts = |(place, &(service, kind, parent)): (usize, &(u32, i32, i64))| Facts {
                service,
                kind,
                duration: place as u64,
                parent: u32::try_from(parent).ok(),
                ..Facts::default()
            };
            let facts: Vec<Facts> = spans.iter().enumerate().map(facts).collect();
            let side = |side| match side {
                Side::Service(service) => i64::from(service),
                Side::Remote(place) => -1 - i64::from(place),
            };
            let call = |call: &Call| (side(call.client), side(call.server), call.duration);
            assert_eq!(calls(&facts).iter().map(call).collect::<Vec<_>>(), expected, "{spans:?}");
        };
        check(&[], &[]);
        // A client and who answers it, with and without a span in between.
        check(&[(1, SERVER, -1), (1, CLIENT, 0), (2, SERVER, 1)], &[(1, 2, 2), (-1, 1, 0)]);
        check(&[(1, INTERNAL, -1), (2, INTERNAL, 0)], &[(1, 2, 1)]);
        // Who calls itself.
        check(&[(1, CLIENT, -1), (1, SERVER, 0)], &[]);
        // Nobody answers: the innermost client calls someone else.
        check(&[(1, CLIENT, -1)], &[(1, -1, 0)]);
        check(&[(1, CLIENT, -1), (1, CLIENT, 0)], &[(1, -2, 1)]);
        check(&[(1, CLIENT, -1), (1, INTERNAL, 0)], &[(1, -1, 0)]);
        // Messages: both sides, one each.
        check(&[(1, PRODUCER, -1), (2, CONSUMER, 0)], &[(1, 2, 1)]);
        check(&[(1, PRODUCER, -1)], &[(1, -1, 0)]);
        check(&[(2, CONSUMER, -1)], &[(-1, 2, 0)]);
        // A parent that is not there.
        check(&[(2, SERVER, 7)], &[]);
    }

    #[test]
    fn a_call_fails_when_either_side_says_so() {
        for (client, server) in [(false, false), (true, false), (false, true)] {
            let facts = [
                Facts { service: 1, kind: CLIENT, is_error: client, ..Facts::default() },
                Facts { service: 2, kind: SERVER, is_error: server, parent: Some(0), ..Facts::default() },
            ];
            assert_eq!(calls(&facts)[0].is_error, client || server);
        }
    }
}
