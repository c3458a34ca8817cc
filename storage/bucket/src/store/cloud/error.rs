//! What a store's errors mean, and how they are said without what must not be seen.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

use crate::store::counters::Kind;
use crate::store::secret::Secret;

/// Most characters of a store's own words that are passed on.
const MAX_REASON: usize = 400;

/// What came of a request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no such object.
    Absent,
    /// The object is another version than the one that was expected, or is there already.
    Conflict,
    /// The object is still the version that the caller has.
    Unchanged,
    /// The request failed.
    Failed(Kind, String),
    /// What is there is not what was expected, and reading it again will not change that.
    Damaged(String),
}

impl Fault {
    /// Whether the store answered as it should.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Absent | Self::Conflict | Self::Unchanged)
    }

    pub fn timeout() -> Self {
        Self::Failed(Kind::Timeout, "there was no answer in time".into())
    }
}

/// What an error of `object_store` means.
pub(super) fn classify(error: &object_store::Error) -> Fault {
    let text = error.to_string();
    let failed = |kind| Fault::Failed(kind, text.clone());
    if no_bucket(&text) {
        return failed(Kind::Rejected);
    }
    if let Some(kind) = transport(error) {
        return failed(kind);
    }
    match error {
        object_store::Error::NotFound { .. } => Fault::Absent,
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => {
            Fault::Conflict
        }
        object_store::Error::NotModified { .. } => Fault::Unchanged,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            failed(Kind::Refused)
        }
        _ => failed(kind_of(&text)),
    }
}

/// Whether it is the bucket that is missing, and not the object. A HEAD has no text that says so.
fn no_bucket(text: &str) -> bool {
    ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "bucket does not exist"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// What happened to the connection, if that is what failed.
fn transport(error: &object_store::Error) -> Option<Kind> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(http) = error.downcast_ref::<HttpError>() {
            return Some(match http.kind() {
                HttpErrorKind::Timeout => Kind::Timeout,
                HttpErrorKind::Decode => Kind::Short,
                _ => Kind::Connection,
            });
        }
        source = error.source();
    }
    None
}

/// What the text of an error says. `object_store` keeps the status of an answer in private types; their text is what
/// can be read.
fn kind_of(text: &str) -> Kind {
    if let Some((_, rest)) = text.split_once("non-2xx status code: ") {
        let status = rest.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0u16);
        let code = |sign| rest.contains(sign);
        return match status {
            408 => Kind::Timeout,
            429 | 503 => Kind::Throttled,
            500..=599 => Kind::Server,
            401 | 403 | 407 => Kind::Refused,
            400 if code("RequestTimeout") => Kind::Timeout,
            // A checksum that does not fit: the bytes changed on their way.
            400 if code("BadDigest") || code("XAmzContentSHA256Mismatch") => Kind::Short,
            400 if ["ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "AuthorizationHeader"]
                .iter()
                .any(|sign| code(sign)) =>
            {
                Kind::Refused
            }
            _ => Kind::Rejected,
        };
    }
    let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    if has(&["Server returned error response"]) {
        Kind::Server
    } else if has(&["Content-Range", "Requested ", "Received non-partial response", "Content-Length"]) {
        Kind::Short
    } else {
        Kind::Rejected
    }
}

/// A store's words as they may be seen: no query of an address (that of a signed one is a credential), no user in
/// it, nothing of an XML answer but its code and its message (S3 and Azure repeat what was signed), none of our own
/// secrets, and not too long.
pub(super) fn presentable(text: &str, secrets: &[Secret]) -> String {
    let mut shown = without_markup(text);
    for secret in secrets.iter().filter(|secret| !secret.reveal().is_empty()) {
        shown = shown.replace(secret.reveal(), "***");
    }
    shown = shown.split_whitespace().map(without_query).collect::<Vec<_>>().join(" ");
    if shown.chars().count() > MAX_REASON {
        shown = shown.chars().take(MAX_REASON).chain("...".chars()).collect();
    }
    shown
}

/// The text with its XML replaced by the code and the message in it.
fn without_markup(text: &str) -> String {
    let start = text.find("<?xml").or_else(|| text.find("<Error")).or_else(|| text.find("<html"));
    let Some(start) = start else { return text.to_owned() };
    let (said, xml) = text.split_at(start);
    let element = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.trim())
    };
    let found: Vec<&str> = ["Code", "Message"].into_iter().filter_map(element).collect();
    format!("{}{}", said.trim_start_matches('\u{feff}'), found.join(", "))
}

/// A word without the query and the user of an address that it has.
fn without_query(word: &str) -> String {
    let Some(at) = word.find("://") else { return word.to_owned() };
    let (scheme, rest) = word.split_at(at + 3);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    format!("{scheme}{host}{}", &rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(text: &str, expected: &str) {
        assert_eq!(presentable(text, &[Secret::new("hunter2"), Secret::new("")]), expected);
    }

    #[test]
    fn nothing_secret_is_said() {
        shows("a plain text", "a plain text");
        shows(
            "GET https://user:pw@host:9/b/k?X-Amz-Signature=abc&x=1 in 2ms",
            "GET https://host:9/b/k in 2ms",
        );
        shows("at http://host?sig=abc", "at http://host");
        shows("the key hunter2, twice hunter2", "the key ***, twice ***");
        shows(
            "status code: 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code>\
             <Message>It does not.</Message><StringToSign>AWS4 secret</StringToSign></Error>",
            "status code: 403 Forbidden: SignatureDoesNotMatch, It does not.",
        );
        shows("502: <html><body>Bad <b>gateway</b></body></html>", "502:");
        assert_eq!(presentable(&"x".repeat(1000), &[]).len(), MAX_REASON + 3);
    }

    #[track_caller]
    fn means(text: &str, expected: Kind) {
        let error = object_store::Error::Generic { store: "S3", source: text.to_owned().into() };
        assert!(matches!(classify(&error), Fault::Failed(kind, _) if kind == expected), "{text}: {error:?}");
    }

    #[test]
    fn errors_are_known_by_their_text() {
        let status = |rest: &str| format!("Server returned non-2xx status code: {rest}");
        means(&status("500 Internal Server Error: "), Kind::Server);
        means(&status("503 Service Unavailable: <Code>SlowDown</Code>"), Kind::Throttled);
        means(&status("400 Bad Request: <Code>ExpiredToken</Code>"), Kind::Refused);
        means(&status("400 Bad Request: <Code>BadDigest</Code>"), Kind::Short);
        means(&status("400 Bad Request: <Code>EntityTooLarge</Code>"), Kind::Rejected);
        means(&status("404 Not Found: <Code>NoSuchBucket</Code>"), Kind::Rejected);
        means("Received non-partial response when range requested", Kind::Short);
        means("Server returned error response: <Code>InternalError</Code>", Kind::Server);
        means("what else", Kind::Rejected);
    }

    #[test]
    fn broken_connections_are_known_by_their_type() {
        for (kind, expected) in [
            (HttpErrorKind::Connect, Kind::Connection),
            (HttpErrorKind::Unknown, Kind::Connection),
            (HttpErrorKind::Timeout, Kind::Timeout),
            (HttpErrorKind::Decode, Kind::Short),
        ] {
            let http = HttpError::new(kind, std::io::Error::other("it broke"));
            let error = object_store::Error::Generic { store: "S3", source: Box::new(http) };
            assert!(matches!(classify(&error), Fault::Failed(found, _) if found == expected), "{kind:?}");
        }
    }
}
