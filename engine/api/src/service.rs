//! The service of the query port, for `spanloom_receive::serve`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{any, get, post};
use hyper::body::Incoming;
use hyper::service::Service;
use spanloom_receive::request::question::is_grpc;
use tower::Service as _;

use crate::answer::{LimitMet, text};
use crate::endpoints::{label, near};
use crate::{
    ApiConfig, ApiMetrics, BuildInfo, Queries, QueryError, admin, cluster, graph, metrics, page, redact,
    search, series, status, stream, tags, traces,
};

/// The query API, for `spanloom_receive::serve`. Cheap to clone.
pub struct Api<Q> {
    router: Router,
    inner: Arc<Inner<Q>>,
}

pub(crate) struct Inner<Q> {
    pub queries: Q,
    pub config: ApiConfig,
    pub build: BuildInfo,
    pub metrics: ApiMetrics,
}

impl<Q> Inner<Q> {
    /// An answer, unless it takes too long.
    pub async fn within_time<T>(
        &self,
        answer: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, QueryError> {
        let limit = self.config.timeout;
        if limit.is_zero() {
            return answer.await;
        }
        tokio::time::timeout(limit, answer).await.unwrap_or(Err(QueryError::Timeout(limit)))
    }
}

impl<Q: Queries> Api<Q> {
    /// An API that asks `queries`.
    pub fn new(queries: Q, config: ApiConfig, build: BuildInfo, metrics: ApiMetrics) -> Self {
        let inner = Arc::new(Inner { queries, config, build, metrics });
        Self { router: router(&inner), inner }
    }
}

impl<Q> Clone for Api<Q> {
    fn clone(&self) -> Self {
        Self { router: self.router.clone(), inner: self.inner.clone() }
    }
}

impl<Q: Queries> Service<Request<Incoming>> for Api<Q> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inner = self.inner.clone();
        if is_grpc(request.headers()) {
            return Box::pin(async move { Ok(stream::answer(inner, request).await) });
        }
        let path = request.uri().path();
        let endpoint = label(path.strip_prefix(&*inner.config.path_prefix).unwrap_or(path));
        Box::pin(routed(self.router.clone(), inner.metrics.clone(), endpoint, request))
    }
}

/// Answers a request over HTTP and counts it.
pub(crate) async fn routed(
    mut router: Router,
    metrics: ApiMetrics,
    endpoint: &'static str,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let began = Instant::now();
    // A router is always ready, as its own documentation says.
    let response = router.call(request.map(Body::new)).await?;
    if let Some(LimitMet(limit)) = response.extensions().get() {
        metrics.limited(limit);
    }
    metrics.answered(endpoint, response.status(), began.elapsed().as_secs_f64());
    Ok(response)
}

fn router<Q: Queries>(inner: &Arc<Inner<Q>>) -> Router {
    let router = Router::new()
        .route("/api/traces/{id}", get(traces::v1::<Q>))
        .route("/api/v2/traces/{id}", get(traces::v2::<Q>))
        .route("/api/search", get(search::search::<Q>))
        .route("/api/search/tags", get(tags::names_v1::<Q>))
        .route("/api/v2/search/tags", get(tags::names_v2::<Q>))
        .route("/api/search/tag/{tag}/values", get(tags::values_v1::<Q>))
        .route("/api/v2/search/tag/{tag}/values", get(tags::values_v2::<Q>))
        .route("/api/metrics/query_range", get(series::range::<Q>))
        .route("/api/metrics/query", get(series::instant::<Q>))
        .route("/api/service-graph", get(graph::graph::<Q>))
        .route("/api/redact", post(redact::redact::<Q>))
        .route("/api/echo", get(admin::echo))
        .route("/api/status/buildinfo", get(admin::build_info::<Q>))
        .route("/ready", get(admin::ready::<Q>))
        .route("/metrics", get(metrics::metrics::<Q>))
        .route("/status", get(status::all::<Q>))
        .route("/status/version", get(status::version::<Q>))
        .route("/status/services", get(status::services::<Q>))
        .route("/status/endpoints", get(status::endpoints::<Q>))
        .route("/status/config", get(status::config::<Q>))
        .route("/status/runtime", get(status::runtime::<Q>))
        .route("/ring", get(cluster::ring::<Q>))
        .route("/ring/forget", post(cluster::forget::<Q>))
        .route("/memberlist", get(cluster::memberlist::<Q>))
        .route("/flush", get(admin::flush::<Q>).post(admin::flush::<Q>))
        .route("/shutdown", get(admin::shutdown::<Q>).post(admin::shutdown::<Q>))
        .route("/", get(page::root::<Q>))
        .route("/page/{file}", get(page::file))
        .method_not_allowed_fallback(method_not_allowed);
    let prefix = &inner.config.path_prefix;
    let router = match prefix.is_empty() {
        true => router,
        // What is nested is at the prefix alone; browsers come with a slash behind it, too.
        false => Router::new().nest(prefix, router).route(&format!("{prefix}/"), get(page::root::<Q>)),
    };
    router.fallback_service(any(not_found::<Q>).with_state(inner.clone())).with_state(inner.clone())
}

/// A method that the path does not have; the router adds which ones it has.
async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    text(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}\n", uri.path()))
}

/// A path that is not there.
async fn not_found<Q: Queries>(State(inner): State<Arc<Inner<Q>>>, request: Request) -> Response {
    let path = request.uri().path();
    let mut message = format!("there is nothing at {path}\n");
    if path.starts_with("/v1/") {
        message.push_str("spans are received on other ports, 4317 and 4318 as a rule\n");
    }
    let prefix = &inner.config.path_prefix;
    let near = near(path.strip_prefix(&**prefix).unwrap_or(path));
    if !near.is_empty() {
        message.push_str("perhaps you mean\n");
        for endpoint in near {
            message.push_str(&format!("  {} {prefix}{}\n", endpoint.methods, endpoint.path));
        }
    }
    message.push_str(&format!("all endpoints: {prefix}/status/endpoints\n"));
    text(StatusCode::NOT_FOUND, message)
}
