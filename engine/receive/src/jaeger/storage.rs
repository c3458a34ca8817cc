//! Spans from those who have their storage here: a collector of Jaeger's, over gRPC. Version 1 of the storage writes span
//! by span, version 2 writes OTLP. Sources: `storage_v1/storage.proto`, and `storage/v2/trace_storage.proto` of jaeger-idl.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use spanloom_wire::jaeger;

use crate::Sink;
use crate::otlp::Otlp;
use crate::request::intake::Load;
use crate::request::{Port, Protocol, Reply, grpc};

const WRITE_SPAN: &str = "/jaeger.storage.v1.SpanWriterPlugin/WriteSpan";
const CLOSE: &str = "/jaeger.storage.v1.SpanWriterPlugin/Close";
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The writing half of a storage for Jaeger.
#[derive(Debug, Clone, Copy, Default)]
pub struct JaegerStorage;

impl JaegerStorage {
    /// Whether the method of that path writes.
    pub fn is_write(path: &str) -> bool {
        [WRITE_SPAN, CLOSE, EXPORT].contains(&path)
    }
}

impl Protocol for JaegerStorage {
    async fn answer<S: Sink>(&self, port: Arc<Port<S>>, request: Request<Incoming>) -> Response<Reply> {
        if let Some(response) = grpc::wrong_transport(&request) {
            return response;
        }
        match request.uri().path() {
            WRITE_SPAN => {
                let push = async |tenant, load: Load| {
                    let limit = port.config.max_request_bytes;
                    let load = load.translate(&port.sink, limit, jaeger::write_span).await?;
                    let accepted = port.sink.push(tenant, load.bytes, load.held).await?;
                    // `WriteSpanResponse` has no fields.
                    Ok((accepted, Vec::new()))
                };
                grpc::unary(&port, "jaeger_storage", request, push).await
            }
            EXPORT => Otlp.answer(port, request).await,
            // There is nothing to close.
            CLOSE => match grpc::small(&port, request).await {
                Ok(_) => grpc::succeeded(&[]),
                Err(refusal) => grpc::refused(&refusal),
            },
            path => grpc::unknown_method(path, WRITE_SPAN),
        }
    }
}
