//! The engine behind its listeners: receivers push into it, the query API asks it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use spanloom_api::{
    Api, ApiConfig, ApiMetrics, ConfigMode, Queries, QueryError, Sources, StatusPage, TraceAnswer, TraceQuery,
};
use spanloom_ingest::Refusal as Refused;
use spanloom_query::QueryError as AskError;
use spanloom_receive::{Accepted, Held, Otlp, ReceiveMetrics, Receiver, Refusal, Sink, serve as receive};
use spanloom_span::{Tenant, join};
use tokio::net::TcpListener;

use crate::builder::StartError;
use crate::config::Config;
use crate::engine::Engine;
use crate::status;

/// What listeners count.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    receive: ReceiveMetrics,
    api: ApiMetrics,
}

impl Metrics {
    /// Metrics in a registry.
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.receive.register(registry);
        metrics.api.register(registry);
        metrics
    }
}

/// A port that is open and not served yet.
pub(crate) struct Bound {
    listener: TcpListener,
    /// An OTLP port; otherwise the port of the query API.
    otlp: Option<u16>,
}

/// Opens every port of the configuration.
pub(crate) fn bind(config: &Config) -> Result<Vec<Bound>, StartError> {
    let open = |port: u16| {
        let address: SocketAddr = config.address(port)?;
        receive::bind(address).map_err(|source| StartError::Listen { address, source })
    };
    let mut bound = Vec::new();
    for &port in &config.receive.otlp_ports {
        bound.push(Bound { listener: open(port)?, otlp: Some(port) });
    }
    bound.push(Bound { listener: open(config.query.port)?, otlp: None });
    Ok(bound)
}

/// Serves the open ports until the engine stops.
pub(crate) fn serve(engine: &Engine, bound: Vec<Bound>, metrics: Metrics) -> Result<(), StartError> {
    for Bound { listener, otlp } in bound {
        let (config, shutdown) = (engine.config(), engine.shutdown());
        let server = match otlp {
            Some(port) => {
                let receive_config = config.receive_config(port)?;
                let serve_config = receive_config.serve.clone();
                let service = Receiver::new(
                    Otlp,
                    engine.clone(),
                    receive_config,
                    metrics.receive.clone(),
                    shutdown.clone(),
                );
                let counts = metrics.receive.serve.clone();
                tokio::spawn(async move {
                    receive::serve(listener, service, &serve_config, counts, shutdown).await;
                })
            }
            None => {
                let api_config = ApiConfig {
                    address: config.address(config.query.port)?,
                    multitenancy: config.multitenancy,
                    serve: config.serve_config(config.query.max_connections),
                    ..ApiConfig::default()
                };
                let serve_config = api_config.serve.clone();
                let service = Api::new(engine.clone(), api_config, status::build_info(), metrics.api.clone());
                let counts = metrics.api.serve.clone();
                tokio::spawn(async move {
                    receive::serve(listener, service, &serve_config, counts, shutdown).await;
                })
            }
        };
        engine.served_by(server);
    }
    Ok(())
}

/// Refusals of the engine as the protocols say them.
fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::Invalid(message) => Refusal::Invalid(message),
        Refused::Exhausted { message, retry_after } => Refusal::Exhausted { message, retry_after },
        Refused::Unavailable(message) => {
            Refusal::Unavailable { message, retry_after: Some(Duration::from_secs(5)) }
        }
        Refused::Stopping => Refusal::ShuttingDown,
    }
}

impl Sink for Engine {
    async fn push(&self, tenant: Tenant, request: Bytes, held: Held) -> Result<Accepted, Refusal> {
        let accepted = self.ingest().push(&tenant, request, held).await.map_err(refusal)?;
        let spanloom_ingest::Accepted { spans, refused_spans, message } = accepted;
        Ok(Accepted { spans, refused_spans, message })
    }

    async fn admit(&self, bytes: usize) -> Result<Held, Refusal> {
        let permit = self.ingest().admit(bytes).await.map_err(refusal)?;
        Ok(Box::new(permit))
    }
}

fn query_error(error: AskError) -> QueryError {
    match error {
        AskError::Peer(error) => {
            QueryError::Busy { message: error.to_string(), retry_after: Duration::from_secs(1) }
        }
        AskError::Stopping => QueryError::Unavailable(error.to_string()),
        AskError::Block { .. } | AskError::Live(_) => QueryError::Internal(error.to_string()),
    }
}

impl Queries for Engine {
    async fn trace(&self, query: TraceQuery) -> Result<TraceAnswer, QueryError> {
        let sources = match query.sources {
            Sources::All => spanloom_query::Sources::All,
            Sources::Live => spanloom_query::Sources::Live,
            Sources::Blocks => spanloom_query::Sources::Blocks,
        };
        let mut parts = Vec::with_capacity(query.tenants.len());
        for tenant in &query.tenants {
            let found = self.inner().querier.find_trace_in(sources, tenant, query.id).await;
            parts.extend(found.map_err(query_error)?.trace);
        }
        let trace = match parts.len() {
            0 | 1 => parts.pop(),
            _ => Some(join::join(parts).trace),
        };
        Ok(TraceAnswer { trace, ..TraceAnswer::default() })
    }

    async fn flush(&self) -> Result<(), QueryError> {
        Engine::flush(self).await.map_err(QueryError::Unavailable)
    }

    async fn shutdown(&self) -> Result<(), QueryError> {
        self.want_stop();
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        let status = self.ingest().status();
        match (self.is_stopping(), status.log_ok, status.threads_ok) {
            (true, _, _) => Err("the engine is stopping".into()),
            (_, false, _) => Err("the log has failed and takes nothing until a restart".into()),
            (_, _, false) => Err("the head's or the sealer's thread has ended; a restart is needed".into()),
            _ => Ok(()),
        }
    }

    fn status(&self) -> StatusPage {
        status::page(self)
    }

    fn config_text(&self, mode: ConfigMode) -> String {
        status::config_text(self.config(), mode)
    }

    fn metrics_text(&self) -> String {
        status::metrics_text(self)
    }
}
