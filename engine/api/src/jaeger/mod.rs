//! The query API of Jaeger: what its page, Grafana's data source for it and an existing jaeger-query ask. Any of its
//! ports takes HTTP/1.1, h2c and gRPC. `docs/JAEGER_ZIPKIN.md` describes it for its users.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the service and its router |
//! | `failed.rs` | why there is no answer, in Jaeger's shapes |
//! | `asked.rs` | parameters |
//! | `traces.rs` | `/api/traces`, `/api/traces/{id}`, `/api/archive/{id}`, `/api/transform` |
//! | `names.rs` | `/api/services`, `/api/services/{service}/operations`, `/api/operations` |
//! | `v3.rs` | `/api/v3/…` |
//! | `metrics.rs` | `/api/metrics/…`, the page's tab "Monitor" |
//! | `dependencies.rs` | `/api/dependencies` |
//! | `grpc.rs` | `jaeger.api_v2`, `jaeger.api_v3`, `jaeger.storage.v1`, `jaeger.storage.v2` |
//!
//! What Jaeger's messages look like is known to `spanloom_wire::jaeger`.

mod asked;
mod dependencies;
mod failed;
mod grpc;
mod metrics;
mod names;
mod traces;
mod v3;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::service::Service;
use spanloom_receive::request::question::is_grpc;
use spanloom_receive::tenant::TENANT_HEADER;
use spanloom_span::Tenant;

use crate::answer::text;
use crate::endpoints::{JAEGER, label_in};
use crate::service::{Inner, routed};
use crate::{ApiConfig, ApiMetrics, BuildInfo, Queries, QueryError, tenants};
use failed::Failed;

/// The query API of Jaeger, for `spanloom_receive::serve`. Cheap to clone.
pub struct JaegerApi<Q> {
    router: Router,
    inner: Arc<Inner<Q>>,
}

impl<Q: Queries> JaegerApi<Q> {
    /// An API that asks `queries`.
    pub fn new(queries: Q, config: ApiConfig, build: BuildInfo, metrics: ApiMetrics) -> Self {
        let inner = Arc::new(Inner { queries, config, build, metrics });
        Self { router: router(&inner), inner }
    }
}

impl<Q> Clone for JaegerApi<Q> {
    fn clone(&self) -> Self {
        Self { router: self.router.clone(), inner: self.inner.clone() }
    }
}

impl<Q: Queries> Service<Request<Incoming>> for JaegerApi<Q> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inner = self.inner.clone();
        if is_grpc(request.headers()) {
            return Box::pin(async move { Ok(grpc::answer(inner, request).await) });
        }
        let endpoint = label_in(&JAEGER, request.uri().path());
        let (router, metrics) = (self.router.clone(), self.inner.metrics.clone());
        Box::pin(routed(router, metrics, endpoint, request))
    }
}

fn router<Q: Queries>(inner: &Arc<Inner<Q>>) -> Router {
    Router::new()
        .route("/api/services", get(names::services::<Q>))
        .route("/api/services/{service}/operations", get(names::operations_of::<Q>))
        .route("/api/operations", get(names::operations::<Q>))
        .route("/api/traces", get(traces::find::<Q>))
        .route("/api/traces/{id}", get(traces::one::<Q>))
        .route("/api/archive/{id}", post(traces::archive::<Q>))
        .route("/api/transform", post(traces::transform::<Q>))
        .route("/api/dependencies", get(dependencies::v1::<Q>))
        .route("/api/metrics/minstep", get(metrics::min_step))
        .route("/api/metrics/{measure}", get(metrics::measure::<Q>))
        .route("/api/v3/services", get(v3::services::<Q>))
        .route("/api/v3/operations", get(v3::operations::<Q>))
        .route("/api/v3/traces", get(v3::find::<Q>))
        .route("/api/v3/traces/{id}", get(v3::one::<Q>))
        .route("/api/v3/trace-summaries", get(v3::summaries::<Q>))
        .route("/api/v3/dependencies", get(dependencies::v3::<Q>))
        .route("/", get(root))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .with_state(inner.clone())
}

/// `/`: for people who open the port in a browser.
async fn root() -> Response {
    let mut page = "Spanloom answers here as jaeger-query does, without its page. Endpoints:\n".to_owned();
    for endpoint in &JAEGER {
        page.push_str(&format!("  {} {}\n", endpoint.methods, endpoint.bare_path()));
    }
    text(StatusCode::OK, page)
}

async fn method_not_allowed(method: Method, uri: Uri) -> Failed {
    let message = format!("{} does not take {method}", uri.path());
    Failed::Other(StatusCode::METHOD_NOT_ALLOWED, message)
}

async fn not_found(uri: Uri) -> Failed {
    Failed::Other(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

/// The header in which Jaeger names a tenant.
const JAEGER_TENANT: &str = "x-tenant";

/// On whose behalf: as everywhere, or as Jaeger says it.
fn tenants_of<Q>(inner: &Inner<Q>, headers: &HeaderMap) -> Result<Vec<Tenant>, QueryError> {
    match headers.get(JAEGER_TENANT) {
        Some(tenant) if !headers.contains_key(TENANT_HEADER) => {
            let mut headers = HeaderMap::new();
            headers.insert(TENANT_HEADER, tenant.clone());
            tenants::of(&headers, inner.config.multitenancy)
        }
        _ => tenants::of(headers, inner.config.multitenancy),
    }
}
