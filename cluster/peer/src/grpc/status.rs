//! [`PeerError`] as a gRPC status, and back: `docs/formats/peer.md`, "Errors".
//!
//! The variant's name and its duration travel in two headers of our own, so that both directions are exact; the code
//! is for whoever else looks, and for a status that something in between made.

use std::time::Duration;

use http::HeaderMap;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::PeerError;

/// The header with the variant's name.
const VARIANT: &str = "spanloom-error";

/// The header with the variant's duration, in microseconds.
const MICROS: &str = "spanloom-micros";

/// The header that tonic decodes without a check: nobody here writes it, so it is not looked at.
const DETAILS: &str = "grpc-status-details-bin";

/// Most bytes of a message: it travels in a header, where each byte may take three.
const MAX_MESSAGE_BYTES: usize = 1024;

/// When to try again where a status does not say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An error as a status.
pub(crate) fn to_status(error: &PeerError) -> Status {
    let (code, variant, message, duration) = parts(error);
    let mut metadata = MetadataMap::new();
    metadata.insert(VARIANT, tonic::metadata::MetadataValue::from_static(variant));
    if let Some(duration) = duration {
        metadata.insert(MICROS, micros(duration).into());
    }
    Status::with_metadata(
        code,
        message[..message.floor_char_boundary(MAX_MESSAGE_BYTES)].to_owned(),
        metadata,
    )
}

fn parts(error: &PeerError) -> (Code, &'static str, String, Option<Duration>) {
    match error {
        PeerError::Gone => (Code::Aborted, "gone", error.to_string(), None),
        PeerError::Busy => (Code::ResourceExhausted, "busy", error.to_string(), None),
        PeerError::Unreachable(text) => (Code::Unavailable, "unreachable", text.clone(), None),
        PeerError::Late(after) => (Code::DeadlineExceeded, "late", error.to_string(), Some(*after)),
        PeerError::Exhausted { message, retry_after } => {
            (Code::ResourceExhausted, "exhausted", message.clone(), Some(*retry_after))
        }
        PeerError::Unavailable(text) => (Code::Unavailable, "unavailable", text.clone(), None),
        PeerError::Invalid(text) => (Code::InvalidArgument, "invalid", text.clone(), None),
        PeerError::Missing(text) => (Code::NotFound, "missing", text.clone(), None),
        PeerError::Garbled(text) => (Code::DataLoss, "garbled", text.clone(), None),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// The status in headers or trailers, if there is one.
pub(crate) fn status_of(headers: &HeaderMap) -> Option<Status> {
    let mut headers = headers.clone();
    headers.remove(DETAILS);
    Status::from_header_map(&headers)
}

/// The error that a status other than OK stands for. `deadline` is that of the question.
pub(crate) fn from_status(status: &Status, deadline: Duration) -> PeerError {
    let text = || status.message().to_owned();
    let header = |name| status.metadata().get(name).and_then(|value| value.to_str().ok());
    let duration = header(MICROS).and_then(|text| text.parse().ok()).map(Duration::from_micros);
    match header(VARIANT) {
        Some("gone") => PeerError::Gone,
        Some("busy") => PeerError::Busy,
        Some("unreachable") => PeerError::Unreachable(text()),
        Some("late") => PeerError::Late(duration.unwrap_or(deadline)),
        Some("exhausted") => {
            PeerError::Exhausted { message: text(), retry_after: duration.unwrap_or(RETRY_AFTER) }
        }
        Some("unavailable") => PeerError::Unavailable(text()),
        Some("invalid") => PeerError::Invalid(text()),
        Some("missing") => PeerError::Missing(text()),
        Some("garbled") => PeerError::Garbled(text()),
        _ => by_code(status.code(), text(), deadline),
    }
}

/// What a status means that no Spanloom made, by its code alone.
fn by_code(code: Code, message: String, deadline: Duration) -> PeerError {
    let text = format!("{} ({message})", code.description());
    match code {
        Code::Ok | Code::Unknown | Code::Internal | Code::Unimplemented | Code::DataLoss => {
            PeerError::Garbled(text)
        }
        Code::Cancelled | Code::Aborted => PeerError::Unreachable(text),
        Code::DeadlineExceeded => PeerError::Late(deadline),
        Code::ResourceExhausted => PeerError::Exhausted { message: text, retry_after: RETRY_AFTER },
        Code::Unavailable | Code::FailedPrecondition => PeerError::Unavailable(text),
        Code::NotFound => PeerError::Missing(text),
        Code::InvalidArgument
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::OutOfRange
        | Code::Unauthenticated => PeerError::Invalid(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(7);

    fn errors() -> Vec<PeerError> {
        let text = || "what was found, \u{e9} and \n 100 %".to_owned();
        vec![
            PeerError::Gone,
            PeerError::Busy,
            PeerError::Unreachable(text()),
            PeerError::Late(Duration::from_micros(1_234_567)),
            PeerError::Exhausted { message: text(), retry_after: Duration::from_millis(250) },
            PeerError::Unavailable(text()),
            PeerError::Invalid(String::new()),
            PeerError::Missing(text()),
            PeerError::Garbled(text()),
        ]
    }

    fn through_headers(status: &Status) -> Status {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        status_of(&headers).unwrap()
    }

    #[test]
    fn every_error_comes_back_as_it_was() {
        for error in errors() {
            let status = through_headers(&to_status(&error));
            assert_eq!(from_status(&status, DEADLINE), error);
        }
    }

    #[test]
    fn every_code_means_something_without_our_headers() {
        for number in 0..=16 {
            let status = through_headers(&Status::new(Code::from_i32(number), "from elsewhere"));
            let found = from_status(&status, DEADLINE);
            let told = found.to_string().contains("from elsewhere") || found == PeerError::Late(DEADLINE);
            assert!(told, "{number}: {found:?}");
        }
    }

    #[test]
    fn a_long_message_is_cut_and_a_hostile_status_is_no_panic() {
        let error = PeerError::Invalid("\u{e9}".repeat(100_000));
        let PeerError::Invalid(found) = from_status(&through_headers(&to_status(&error)), DEADLINE) else {
            panic!("another error");
        };
        assert_eq!(found, "\u{e9}".repeat(512));
        let hostile = [("grpc-status", "5"), ("grpc-message", "%ff%"), (DETAILS, "!"), (MICROS, "-1")];
        let headers = hostile.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let status = status_of(&HeaderMap::from_iter(headers)).unwrap();
        assert!(matches!(from_status(&status, DEADLINE), PeerError::Garbled(_)), "{status:?}");
    }
}
