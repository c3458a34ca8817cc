//! The web page: to whom it is given, below which prefix, with which headers.

use std::io::Read;

use axum::http::{Method, StatusCode};

use super::*;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// The script that the page names first.
fn script(page: &str) -> &str {
    let (_, rest) = page.split_once("src=\"./page/").expect("the page names a script");
    rest.split('"').next().unwrap()
}

#[tokio::test]
async fn browsers_are_given_the_page_and_others_text() {
    let server = running(1);
    for h2 in [false, true] {
        let page = server.ask(h2, Method::GET, "/", &[HTML]).await;
        assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
        assert!(page.text().contains("<base href=\"/\" />"), "{page:?}");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        for accept in ["", "*/*", "application/json"] {
            let got = server.ask(h2, Method::GET, "/", &[("accept", accept)]).await;
            assert_eq!(got.header("content-type"), "text/plain; charset=utf-8", "{accept}");
        }
        let known = [HTML, ("if-none-match", page.header("etag"))];
        let got = server.ask(h2, Method::GET, "/", &known).await;
        assert_eq!((got.status, got.body.len()), (StatusCode::NOT_MODIFIED, 0));
    }
    server.end().await;
}

#[tokio::test]
async fn files_are_packed_for_those_who_take_it() {
    let server = running(1);
    let page = server.ask(false, Method::GET, "/", &[HTML]).await;
    let path = format!("/page/{}", script(page.text()));
    let plain = server.ask(false, Method::GET, &path, &[]).await;
    assert_eq!((plain.status, plain.header("content-encoding")), (StatusCode::OK, ""));
    assert_eq!(plain.header("content-type"), "text/javascript; charset=utf-8");
    let packed = server.ask(false, Method::GET, &path, &[("accept-encoding", "gzip")]).await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    assert!(packed.header("cache-control").contains("immutable"));
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    let got = server.get("/page/other.js").await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    assert_eq!(server.ask(false, Method::POST, &path, &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    server.end().await;
}

#[tokio::test]
async fn the_page_lies_below_the_prefix() {
    let config = ApiConfig { path_prefix: "/traces".into(), multitenancy: true, ..ApiConfig::default() };
    let server = start(config, Fake::default());
    for path in ["/traces", "/traces/"] {
        let page = server.ask(false, Method::GET, path, &[HTML]).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text().contains("<base href=\"/traces/\" />"), "{path}: {page:?}");
        assert!(page.text().contains(";multitenancy\""), "{path}: {page:?}");
        let file = format!("/traces/page/{}", script(page.text()));
        assert_eq!(server.get(&file).await.status, StatusCode::OK, "{file}");
    }
    assert_eq!(server.ask(false, Method::GET, "/", &[HTML]).await.status, StatusCode::NOT_FOUND);
    server.end().await;
}
