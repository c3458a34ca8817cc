//! Spanloom's own web page: `/` for a browser, and its files below `/page/`. Its sources are in `engine/api/page`,
//! what was built from them in `engine/api/page/dist`, packed with gzip; `docs/PAGE.md` says more.
//!
//! Names of files have a hash of their contents, so they are kept for good; the page itself is asked for every time,
//! and answered with 304 while it is the same. **Invariant:** the page loads nothing from elsewhere and runs nothing
//! that did not come as one of these files; the headers here have the browser see to that.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::answer::{mark_gzip, takes_gzip, text, with_type};
use crate::service::Inner;
use crate::{Queries, QueryError, admin};

/// A file of the page.
struct File {
    name: &'static str,
    content_type: &'static str,
    /// Packed with gzip.
    packed: &'static [u8],
}

/// Every file, as the build of the page listed them.
const FILES: &[File] = &include!("../../page/dist/files.in");

/// The page itself, before it is told where it is.
const PAGE: &str = include_str!("../../page/dist/index.html");

/// What stands in [`PAGE`] for the prefix and for what the page is told.
const PLACES: [&str; 2] = ["<base href=\"/\" />", "<meta name=\"spanloom\" content=\"\" />"];

/// Scripts, styles, workers and answers come from this server alone, and no text becomes a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      worker-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types spanloom-worker";

const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_EVERY_TIME: &str = "no-cache";

/// `/`: the page for a browser, some lines of text for others.
pub(crate) async fn root<Q: Queries>(State(inner): State<Arc<Inner<Q>>>, headers: HeaderMap) -> Response {
    let mut response = match wants_html(&headers) {
        true => page(&inner, &headers),
        false => admin::root(State(inner)).await,
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// `/page/{file}`.
pub(crate) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, QueryError> {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        let message = "there is no such file of the page; it may be of another version, load the page anew\n";
        return Ok(text(StatusCode::NOT_FOUND, message));
    };
    let is_packed = takes_gzip(&headers);
    let body = if is_packed { Bytes::from_static(file.packed) } else { unpack(file.packed)?.into() };
    Ok(protected(with_type(StatusCode::OK, file.content_type, body), is_packed, FOREVER))
}

fn wants_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/html"))
}

fn page<Q>(inner: &Inner<Q>, headers: &HeaderMap) -> Response {
    let config = &inner.config;
    let html = told(&config.path_prefix, &inner.build.version, config.multitenancy);
    let tag = tag(&html);
    let is_known =
        headers.get_all(header::IF_NONE_MATCH).iter().any(|known| known.as_bytes() == tag.as_bytes());
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => with_type(StatusCode::OK, "text/html; charset=utf-8", html),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    protected(response, false, ASK_EVERY_TIME)
}

/// The page, told where it lies, which version it is of, and whether tenants are to be named.
fn told(prefix: &str, version: &str, multitenancy: bool) -> String {
    let tenancy = if multitenancy { "multitenancy" } else { "" };
    let version: String =
        version.chars().filter(|c| c.is_ascii_alphanumeric() || "._+- ()".contains(*c)).collect();
    let base = format!("<base href=\"{prefix}/\" />");
    let about = format!("<meta name=\"spanloom\" content=\"{version};{tenancy}\" />");
    PAGE.replacen(PLACES[0], &base, 1).replacen(PLACES[1], &about, 1)
}

/// An entity tag: a hash of the whole page.
fn tag(html: &str) -> String {
    let mut hasher = DefaultHasher::new();
    html.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// The few who do not take gzip are given the file as it was.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, QueryError> {
    let mut body = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(packed).read_to_end(&mut body);
    unpacked.map(|_| body).map_err(|e| QueryError::Internal(format!("a file of the page is damaged: {e}")))
}

fn protected(mut response: Response, is_packed: bool, kept: &'static str) -> Response {
    if is_packed {
        mark_gzip(&mut response);
    } else {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CACHE_CONTROL, kept),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The name of a file that is there.
#[cfg(test)]
pub(crate) fn a_file() -> &'static str {
    FILES[0].name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_told_where_it_is() {
        let check = |prefix: &str, version: &str, multitenancy: bool, expected: [&str; 2]| {
            let html = told(prefix, version, multitenancy);
            for part in expected {
                assert_eq!(html.matches(part).count(), 1, "{part} in {html}");
            }
        };
        let nothing = "<meta name=\"spanloom\" content=\"1.2.3;\" />";
        check("", "1.2.3", false, ["<base href=\"/\" />", nothing]);
        let tenants = "<meta name=\"spanloom\" content=\"1.2 script;multitenancy\" />";
        check("/traces", "1.2\"> <script>", true, ["<base href=\"/traces/\" />", tenants]);
    }

    #[test]
    fn every_file_is_whole_and_the_page_names_only_those() {
        for file in FILES {
            assert!(!unpack(file.packed).unwrap().is_empty(), "{}", file.name);
        }
        let named: Vec<&str> = PAGE
            .split(['"', '\''])
            .filter(|part| part.starts_with("./"))
            .map(|part| part.trim_start_matches("./page/"))
            .collect();
        assert!(named.len() >= 3, "{named:?}");
        for name in named {
            assert!(FILES.iter().any(|file| file.name == name), "{name}");
        }
        assert!(!PAGE.contains("http"), "the page loads nothing from elsewhere");
    }

    #[test]
    fn all_files_are_small_enough_together() {
        let all: usize = FILES.iter().map(|file| file.packed.len()).sum();
        assert!(all < 400 << 10, "{all} bytes, expected less than 400 KiB");
    }
}
