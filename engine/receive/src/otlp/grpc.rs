//! OTLP over gRPC: `TraceService/Export`.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use spanloom_wire::ExportResponse;

use crate::Sink;
use crate::request::{Port, Reply, grpc};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const SERVICES: [&str; 1] = ["opentelemetry.proto.collector.trace.v1.TraceService"];

/// Answers a request whose content type is gRPC's.
pub(super) async fn answer<S, B>(port: &Port<S>, request: Request<B>) -> Response<Reply>
where
    S: Sink,
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    if let Some(response) = grpc::wrong_transport(&request) {
        return response;
    }
    match request.uri().path() {
        EXPORT => {
            let push = async |tenant, load: crate::request::intake::Load| {
                let accepted = port.sink.push(tenant, load.bytes, load.held).await?;
                let answer =
                    ExportResponse { rejected_spans: accepted.refused_spans, message: &accepted.message };
                let answer = answer.to_proto();
                Ok((accepted, answer))
            };
            grpc::unary(port, "grpc", request, push).await
        }
        grpc::HEALTH => grpc::health(port, &SERVICES, request).await,
        path => grpc::unknown_method(path, EXPORT),
    }
}
