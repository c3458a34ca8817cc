//! The query API of Zipkin: what its page and other readers ask. It is served on the ports that take Zipkin's spans: GET
//! comes here, POST goes to the receiver. `docs/JAEGER_ZIPKIN.md` describes it for its users.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the service and its router |
//! | `asked.rs` | parameters |
//! | `answers.rs` | the endpoints |
//!
//! What Zipkin's spans look like is known to `spanloom_wire::zipkin`.

mod answers;
mod asked;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::service::Service;

use crate::answer::text;
use crate::endpoints::{ZIPKIN, label_in};
use crate::service::{Inner, routed};
use crate::{ApiConfig, ApiMetrics, BuildInfo, Queries};

/// Below which Zipkin's page asks everything.
const PAGE_PREFIX: &str = "/zipkin";

/// The query API of Zipkin, for `spanloom_receive::serve`. Cheap to clone.
pub struct ZipkinApi<Q> {
    router: Router,
    inner: Arc<Inner<Q>>,
}

impl<Q: Queries> ZipkinApi<Q> {
    /// An API that asks `queries`.
    pub fn new(queries: Q, config: ApiConfig, build: BuildInfo, metrics: ApiMetrics) -> Self {
        let inner = Arc::new(Inner { queries, config, build, metrics });
        Self { router: router(&inner), inner }
    }

    /// Whether a request on a port that takes spans is a question.
    pub fn is_question<B>(request: &Request<B>) -> bool {
        // Whether the port is well, its receiver says.
        matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() != "/health"
    }
}

impl<Q> Clone for ZipkinApi<Q> {
    fn clone(&self) -> Self {
        Self { router: self.router.clone(), inner: self.inner.clone() }
    }
}

impl<Q: Queries> Service<Request<Incoming>> for ZipkinApi<Q> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let path = request.uri().path();
        let below = path.strip_prefix(PAGE_PREFIX).filter(|rest| rest.starts_with("/api/"));
        let endpoint = label_in(&ZIPKIN, below.unwrap_or(path));
        let (router, metrics) = (self.router.clone(), self.inner.metrics.clone());
        Box::pin(routed(router, metrics, endpoint, request))
    }
}

fn router<Q: Queries>(inner: &Arc<Inner<Q>>) -> Router {
    let routes = || {
        Router::new()
            .route("/api/v2/services", get(answers::services::<Q>))
            .route("/api/v2/spans", get(answers::span_names::<Q>))
            .route("/api/v2/remoteServices", get(answers::remote_services::<Q>))
            .route("/api/v2/traces", get(answers::traces::<Q>))
            .route("/api/v2/trace/{id}", get(answers::trace::<Q>))
            .route("/api/v2/traceMany", get(answers::trace_many::<Q>))
            .route("/api/v2/dependencies", get(answers::dependencies::<Q>))
            .route("/api/v2/autocompleteKeys", get(answers::keys::<Q>))
            .route("/api/v2/autocompleteValues", get(answers::values::<Q>))
            .route("/config.json", get(answers::page_config::<Q>))
    };
    routes().nest(PAGE_PREFIX, routes()).route("/", get(root)).fallback(not_found).with_state(inner.clone())
}

/// `/`: for people who open the port in a browser.
async fn root() -> Response {
    let mut page =
        "Spanloom takes Zipkin's spans here, and answers as Zipkin does, without its page. Endpoints:\n"
            .to_owned();
    page.push_str("  POST /api/v2/spans\n  POST /api/v1/spans\n");
    for endpoint in &ZIPKIN {
        page.push_str(&format!("  {} {}\n", endpoint.methods, endpoint.bare_path()));
    }
    text(StatusCode::OK, page)
}

async fn not_found(uri: Uri) -> Response {
    let message = format!("there is nothing to GET at {}; / says what there is\n", uri.path());
    text(StatusCode::NOT_FOUND, message)
}
