//! The engine behind its listeners: receivers push into it, the query API asks it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use spanloom_api::{
    Api, ApiConfig, ApiMetrics, Beside, ClusterPage, ConfigMode, JaegerApi, Queries, QueryError,
    RedactRequest, Redacted, Sources, StatusPage, TraceAnswer, TraceQuery, ZipkinApi,
};
use spanloom_ingest::Refusal as Refused;
use spanloom_query::{
    Answers, GraphRequest, MetricsPart, MetricsRequest, Querier, SearchPart, SearchRequest, ServiceGraph,
    TagValues, TagValuesRequest, Tags, TagsRequest,
};
use spanloom_receive as receive;
use spanloom_receive::jaeger::AgentPort;
use spanloom_receive::{
    Accepted, DatagramSocket, Datagrams, Held, Jaeger, JaegerStorage, OpenCensus, Otlp, Protocol,
    ReceiveMetrics, Receiver, Refusal, Sink, Zipkin,
};
use spanloom_ring::Roles;
use spanloom_span::{Tenant, join};
use tokio::net::TcpListener;

use crate::among::Part;
use crate::builder::StartError;
use crate::cluster::{ClusterHandle, ForgetFailed};
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
pub(crate) enum Bound {
    Stream { listener: TcpListener, port: u16, protocol: Served },
    Datagrams { socket: DatagramSocket, port: AgentPort, tenant: Tenant },
}

/// What is served on a port.
#[derive(Clone)]
pub(crate) enum Served {
    Otlp,
    Jaeger(Jaeger),
    Zipkin(Zipkin),
    OpenCensus,
    Query,
    JaegerQuery,
}

/// Opens every port of the configuration.
pub(crate) fn bind(config: &Config) -> Result<Vec<Bound>, StartError> {
    let receive = &config.receive;
    let jaeger = Jaeger { strategies: Arc::new(config.strategies()?) };
    let zipkin = Zipkin { parse_string_tags: receive.zipkin.parse_string_tags };
    let streams: [(_, &[u16], _); 6] = [
        ("receive.otlp_ports", &receive.otlp_ports, Served::Otlp),
        ("receive.jaeger.ports", &receive.jaeger.ports, Served::Jaeger(jaeger)),
        ("receive.zipkin.ports", &receive.zipkin.ports, Served::Zipkin(zipkin)),
        ("receive.opencensus.ports", &receive.opencensus.ports, Served::OpenCensus),
        ("query.port", std::slice::from_ref(&config.query.port), Served::Query),
        ("query.jaeger_ports", &config.query.jaeger_ports, Served::JaegerQuery),
    ];
    let takes_spans = config.cluster.has_role(Roles::DISTRIBUTOR);
    if !takes_spans {
        tracing::info!("the ports for spans stay closed: this node is no distributor (cluster.roles)");
    }
    let mut bound = Vec::new();
    for (key, ports, protocol) in streams {
        let is_open = match protocol {
            Served::Query => true,
            Served::JaegerQuery => config.cluster.has_role(Roles::QUERIER),
            _ => takes_spans,
        };
        for &port in ports.iter().filter(|_| is_open) {
            let address = config.address(port)?;
            let listener =
                receive::bind(address).map_err(|source| StartError::Listen { key, address, source })?;
            bound.push(Bound::Stream { listener, port, protocol: protocol.clone() });
        }
    }
    let datagrams = [
        ("receive.jaeger.compact_ports", &receive.jaeger.compact_ports, AgentPort::Compact),
        ("receive.jaeger.binary_ports", &receive.jaeger.binary_ports, AgentPort::Binary),
        (
            "receive.jaeger.zipkin_compact_ports",
            &receive.jaeger.zipkin_compact_ports,
            AgentPort::ZipkinCompact,
        ),
    ];
    if !takes_spans {
        return Ok(bound);
    }
    let buffer_bytes = receive.datagrams.socket_buffer_bytes.0 as usize;
    let Some(tenant) = config.datagram_tenant()? else {
        tracing::warn!(
            "the ports for datagrams stay closed: multitenancy is on, and receive.datagrams.tenant does not say whose \
             their spans are"
        );
        return Ok(bound);
    };
    for (key, ports, kind) in datagrams {
        for &port in ports {
            let address = config.address(port)?;
            let socket = DatagramSocket::bind(address, buffer_bytes)
                .map_err(|source| StartError::Listen { key, address, source })?;
            if socket.buffer_bytes() < buffer_bytes {
                tracing::info!(
                    %address,
                    wanted = buffer_bytes,
                    given = socket.buffer_bytes(),
                    "the kernel keeps fewer bytes of datagrams than receive.datagrams.socket_buffer_bytes asks for; \
                     net.core.rmem_max allows no more"
                );
            }
            bound.push(Bound::Datagrams { socket, port: kind, tenant: tenant.clone() });
        }
    }
    Ok(bound)
}

/// Serves the open ports until the engine stops.
pub(crate) fn serve(engine: &Engine, bound: Vec<Bound>, metrics: &Metrics) -> Result<(), StartError> {
    for bound in bound {
        match bound {
            Bound::Stream { listener, port, protocol } => {
                serve_stream(engine, listener, port, protocol, metrics)?;
            }
            Bound::Datagrams { socket, port, tenant } => {
                let datagrams = Datagrams {
                    protocol: port.protocol(),
                    translate: receive::jaeger::translate(port),
                    tenant,
                    sink: engine.clone(),
                    metrics: metrics.receive.clone(),
                };
                engine.served_by(tokio::spawn(datagrams.run(socket, engine.shutdown())));
            }
        }
    }
    Ok(())
}

fn serve_stream(
    engine: &Engine,
    listener: TcpListener,
    port: u16,
    protocol: Served,
    metrics: &Metrics,
) -> Result<(), StartError> {
    match protocol {
        Served::Otlp => serve_protocol(engine, listener, port, Otlp, metrics),
        Served::Jaeger(jaeger) => serve_protocol(engine, listener, port, jaeger, metrics),
        Served::OpenCensus => serve_protocol(engine, listener, port, OpenCensus, metrics),
        Served::Zipkin(zipkin) if !engine.config().query.zipkin => {
            serve_protocol(engine, listener, port, zipkin, metrics)
        }
        Served::Zipkin(zipkin) => {
            let api = ZipkinApi::new(
                engine.clone(),
                api_config(engine, port)?,
                status::build_info(),
                metrics.api.clone(),
            );
            let spans = receiver(engine, port, zipkin, metrics)?;
            let config = engine.config().receive_config(port)?.serve;
            let service = Beside::zipkin(spans, api);
            let (counts, shutdown) = (metrics.receive.serve.clone(), engine.shutdown());
            engine.served_by(tokio::spawn(async move {
                receive::serve(listener, service, &config, counts, shutdown).await;
            }));
            Ok(())
        }
        Served::Query => {
            let config = api_config(engine, port)?;
            let serve = config.serve.clone();
            let api = Api::new(engine.clone(), config, status::build_info(), metrics.api.clone());
            let (counts, shutdown) = (metrics.api.serve.clone(), engine.shutdown());
            engine.served_by(tokio::spawn(async move {
                receive::serve(listener, api, &serve, counts, shutdown).await;
            }));
            Ok(())
        }
        Served::JaegerQuery => {
            let config = api_config(engine, port)?;
            let serve = config.serve.clone();
            let api = JaegerApi::new(engine.clone(), config, status::build_info(), metrics.api.clone());
            let spans = receiver(engine, port, JaegerStorage, metrics)?;
            let service = Beside::jaeger(spans, api);
            let (counts, shutdown) = (metrics.api.serve.clone(), engine.shutdown());
            engine.served_by(tokio::spawn(async move {
                receive::serve(listener, service, &serve, counts, shutdown).await;
            }));
            Ok(())
        }
    }
}

/// What the APIs on a port are given.
fn api_config(engine: &Engine, port: u16) -> Result<ApiConfig, StartError> {
    let config = engine.config();
    Ok(ApiConfig {
        address: config.address(port)?,
        multitenancy: config.multitenancy,
        timeout: config.query.timeout.0,
        limits: config.query_limits(),
        redact_traces: config.redaction.http.then_some(config.redaction.max_traces as usize),
        serve: config.serve_config(config.query.max_connections),
        ..ApiConfig::default()
    })
}

fn receiver<P: Protocol>(
    engine: &Engine,
    port: u16,
    protocol: P,
    metrics: &Metrics,
) -> Result<Receiver<P, Engine>, StartError> {
    let config = engine.config().receive_config(port)?;
    Ok(Receiver::new(protocol, engine.clone(), config, metrics.receive.clone(), engine.shutdown()))
}

fn serve_protocol(
    engine: &Engine,
    listener: TcpListener,
    port: u16,
    protocol: impl Protocol,
    metrics: &Metrics,
) -> Result<(), StartError> {
    let service = receiver(engine, port, protocol, metrics)?;
    let config = engine.config().receive_config(port)?.serve;
    let (counts, shutdown) = (metrics.receive.serve.clone(), engine.shutdown());
    engine.served_by(tokio::spawn(async move {
        receive::serve(listener, service, &config, counts, shutdown).await;
    }));
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
        let accepted = self.inner().replicator.push(&tenant, request, held).await.map_err(refusal)?;
        let spanloom_ingest::Accepted { spans, refused_spans, message } = accepted;
        Ok(Accepted { spans, refused_spans, message })
    }

    async fn admit(&self, bytes: usize) -> Result<Held, Refusal> {
        let permit = self.inner().replicator.admit(bytes).await.map_err(refusal)?;
        Ok(Box::new(permit))
    }
}

/// The querier, if questions are this node's part.
fn querier(engine: &Engine) -> Result<&Querier, QueryError> {
    let cluster = &engine.config().cluster;
    if cluster.has_role(Roles::QUERIER) {
        return Ok(&engine.inner().querier);
    }
    let roles = cluster.roles.join(",");
    Err(QueryError::Elsewhere(format!(
        "this node's roles are {roles} (cluster.roles): ask one that is a querier"
    )))
}

impl Queries for Engine {
    async fn trace(&self, query: TraceQuery) -> Result<TraceAnswer, QueryError> {
        let sources = match query.sources {
            Sources::All => spanloom_query::Sources::All,
            Sources::Live => spanloom_query::Sources::Live,
            Sources::Blocks => spanloom_query::Sources::Blocks,
        };
        let querier = querier(self)?;
        let mut parts = Vec::with_capacity(query.tenants.len());
        let mut missing = None;
        for tenant in &query.tenants {
            let found = querier.find_trace_in(sources, tenant, query.id).await?;
            parts.extend(found.trace);
            // The same nodes are silent, whoever is asked for.
            missing = missing.or(found.partial);
        }
        let trace = match parts.len() {
            0 | 1 => parts.pop(),
            _ => Some(join::join(parts).trace),
        };
        Ok(TraceAnswer { trace, missing, ..TraceAnswer::default() })
    }

    async fn search(&self, request: SearchRequest) -> Result<Answers<SearchPart>, QueryError> {
        Ok(querier(self)?.search(request).await?)
    }

    async fn metrics(&self, request: MetricsRequest) -> Result<Answers<MetricsPart>, QueryError> {
        Ok(querier(self)?.metrics(request).await?)
    }

    async fn service_graph(&self, request: GraphRequest) -> Result<ServiceGraph, QueryError> {
        Ok(querier(self)?.service_graph(request).await?)
    }

    async fn tags(&self, request: TagsRequest) -> Result<Tags, QueryError> {
        Ok(querier(self)?.tags(request).await?)
    }

    async fn tag_values(&self, request: TagValuesRequest) -> Result<TagValues, QueryError> {
        Ok(querier(self)?.tag_values(request).await?)
    }

    async fn flush(&self) -> Result<(), QueryError> {
        Engine::flush(self).await.map_err(QueryError::Unavailable)
    }

    async fn redact(&self, request: RedactRequest) -> Result<Redacted, QueryError> {
        Ok(Engine::redact(self, request).await?)
    }

    fn cluster(&self) -> ClusterPage {
        self.cluster_handle().map(ClusterHandle::page).unwrap_or_default()
    }

    async fn forget(&self, node: String) -> Result<(), QueryError> {
        let Some(cluster) = self.cluster_handle() else {
            return Err(QueryError::Invalid("this node is alone: there is no other to forget".into()));
        };
        cluster.forget(node).await.map_err(|error| match error {
            ForgetFailed::Refused(why) => QueryError::Invalid(why.to_string()),
            ForgetFailed::Asked(why) => QueryError::Unavailable(why.to_string()),
        })
    }

    async fn shutdown(&self) -> Result<(), QueryError> {
        self.want_stop();
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        let status = self.ingest().status();
        // A store that is down is no reason: spans are taken as long as there is room for them here.
        match (self.is_stopping(), status.log_ok, status.threads_ok, status.refusing) {
            (true, ..) => Err("the engine is stopping".into()),
            (_, false, ..) => Err("the log has failed and takes nothing until a restart".into()),
            (_, _, false, _) => {
                Err("the head's or the sealer's thread has ended; a restart is needed".into())
            }
            (.., Some(refusing)) => Err(format!("the log takes no requests: {}", refusing.reason)),
            _ => self.part().map_or(Ok(()), Part::ready),
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
