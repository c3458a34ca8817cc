//! Questions over gRPC, for the query API: a short message comes, answers may stream.
//!
//! The framing is that of the receivers, but a question is no load: it is bounded by a small limit instead of the
//! memory budget.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use spanloom_span::Tenant;
use spanloom_wire::Status;

use super::intake::Intake;
use super::{Reply, grpc};
use crate::{Accepted, Held, Refusal, Sink};

/// What a question may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuestionLimits {
    /// Most bytes, as sent and when inflated.
    pub bytes: usize,
    /// How long its body may stall.
    pub stall: Duration,
}

/// Whether a request is gRPC, by its content type.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    grpc::is(headers)
}

/// The answer to a request that cannot be gRPC, though it says so.
pub fn wrong_transport<B>(request: &Request<B>) -> Option<Response<Reply>> {
    grpc::wrong_transport(request)
}

/// How long the client waits from now on, as `grpc-timeout` says.
pub fn deadline(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    grpc::deadline(headers)
}

/// The one message of a request, inflated.
pub async fn take<B>(headers: &HeaderMap, body: B, limits: QuestionLimits) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let encoding = grpc::encoding(headers)?;
    let intake = Intake::with_limits(&Free, limits.bytes, limits.stall);
    let end = Intake::with_limits(&Free, limits.bytes, limits.stall);
    let (compressed, load) = grpc::message(intake, end, body).await?;
    let load = load.inflate_message(&Free, compressed, encoding, limits.bytes).await?;
    Ok(load.bytes)
}

/// A message with its prefix.
pub fn frame(message: &[u8]) -> Bytes {
    grpc::frame(message)
}

/// A status as headers (of an answer without messages) or trailers.
pub fn status(status: &Status<'_>) -> HeaderMap {
    grpc::said(status)
}

/// The head of every answer.
pub fn head() -> HeaderMap {
    grpc::head()
}

/// Room for questions is not asked for: it is small, and streams times it are bounded.
#[derive(Clone)]
struct Free;

impl Sink for Free {
    async fn push(&self, _: Tenant, _: Bytes, _: Held) -> Result<Accepted, Refusal> {
        Err(Refusal::Internal("a question was taken for spans".into()))
    }

    async fn admit(&self, _: usize) -> Result<Held, Refusal> {
        Ok(Box::new(()))
    }
}
