//! Answers that are not whole, since nodes of a cluster did not answer: said in a header of its own wherever the message
//! that readers know has no place for it, and beside it where it has one.

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

/// What is missing and why. A header, and over gRPC a trailer, since strict readers refuse a body with a field that they
/// do not know.
pub const PARTIAL: &str = "x-spanloom-partial";

/// Most bytes of it.
const LONGEST: usize = 1024;

/// Says it in headers or trailers.
pub(crate) fn put(headers: &mut HeaderMap, partial: Option<&str>) {
    let Some(partial) = partial else { return };
    let shown = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let text: String = partial.chars().map(shown).take(LONGEST).collect();
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(PARTIAL, value);
    }
}

/// Says it of an answer.
pub(crate) fn said(mut response: Response, partial: Option<&str>) -> Response {
    put(response.headers_mut(), partial);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_missing_can_be_said() {
        let check = |partial: Option<&str>, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            put(&mut headers, partial);
            assert_eq!(headers.get(PARTIAL).map(|value| value.to_str().unwrap()), expected, "{partial:?}");
        };
        check(None, None);
        check(Some("n1 (down)"), Some("n1 (down)"));
        check(Some("a\r\nb: ü"), Some("a??b: ?"));
        let long = "x".repeat(5000);
        check(Some(&long), Some(&long[..LONGEST]));
    }
}
