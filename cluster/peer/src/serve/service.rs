//! One question: its deadline, its bounds, its way to the peer and back.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::server::NamedService;
use tonic::{Code, Status};

use super::ServeOptions;
use super::counters::{ServeCounters, count};
use crate::frame::{FrameError, KnownHere, KnownThere, ListTenants, Message, Pieces, TenantList};
use crate::grpc::{
    CONTENT_TYPE, FrameBody, Gather, Gathered, Method, SERVICE, TIMEOUT, causes, is_grpc, parse_timeout,
    to_status,
};
use crate::{Answer, Peer, PeerError, ReadBlock};

/// The trailer that ends an answer.
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Bytes that one permit of the bound on bytes stands for.
const PERMIT_BYTES: usize = 1024;

/// The gRPC service of a peer: a tower service that can stand beside others of tonic. Clones share the bounds.
#[derive(Clone)]
pub struct PeerService {
    peer: Arc<dyn Peer>,
    options: Arc<ServeOptions>,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl NamedService for PeerService {
    const NAME: &'static str = SERVICE;
}

impl PeerService {
    /// The service of a peer. Of the options, those that are of connections have no meaning here.
    pub fn new(peer: Arc<dyn Peer>, options: Arc<ServeOptions>) -> Self {
        let calls = Arc::new(Semaphore::new(options.max_calls.min(Semaphore::MAX_PERMITS)));
        let bytes = options.max_bytes.max(options.max_message).div_ceil(PERMIT_BYTES);
        let bytes = Arc::new(Semaphore::new(bytes.min(u32::MAX as usize)));
        Self { peer, options, calls, bytes }
    }

    async fn answer<B>(self, request: Request<B>) -> Response<tonic::body::Body>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Send + 'static,
    {
        if request.method() != http::Method::POST || !is_grpc(request.headers()) {
            let mut response = Response::new(tonic::body::Body::empty());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return response;
        }
        let counters = self.options.counters.clone();
        count(&counters.questions);
        let Some(method) = Method::of(request.uri().path()) else {
            let text = format!("no method {}: another version?", request.uri().path());
            return Status::new(Code::Unimplemented, text).into_http();
        };
        let told = request.headers().get(TIMEOUT).and_then(|text| parse_timeout(text.as_bytes()));
        let deadline = told.unwrap_or(Duration::MAX).min(self.options.max_deadline);
        let mut unanswered = Unanswered { counters: &counters, is_answered: false };
        let answer = tokio::time::timeout(deadline, self.call(method, request.into_body())).await;
        unanswered.is_answered = true;
        let answer = answer.unwrap_or_else(|_| {
            count(&counters.late);
            Err(PeerError::Late(deadline))
        });
        answer.map_or_else(|error| to_status(&error).into_http(), respond)
    }

    async fn call<B>(&self, method: Method, body: B) -> Result<FrameBody, PeerError>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Send,
    {
        let call = self.calls.clone().try_acquire_owned().map_err(|_| {
            count(&self.options.counters.refused_calls);
            self.exhausted(format!(
                "the node works on {} questions, and takes no more",
                self.options.max_calls
            ))
        })?;
        let mut permits = vec![call];
        let question = self.receive(body, &mut permits).await?;
        let peer = &self.peer;
        match method {
            Method::Push => self.ask(question, permits, |spans| peer.push(spans), |done| done).await,
            Method::PushSliced => {
                self.ask(question, permits, |spans| peer.push_sliced(spans), |done| done).await
            }
            Method::FindTrace => self.ask(question, permits, |q| peer.find_trace(q), |copy| copy).await,
            Method::ListBlocks => self.ask(question, permits, |q| peer.list_blocks(q), |list| list).await,
            Method::ReadBlock => {
                let read = |q: ReadBlock| match self.too_much(&q) {
                    None => peer.read_block(q),
                    Some(error) => Box::pin(std::future::ready(Err(error))),
                };
                self.ask(question, permits, read, Pieces).await
            }
            Method::ScanBlocks => self.ask(question, permits, |q| peer.scan_blocks(q), |done| done).await,
            Method::ExchangeMembers => {
                let exchange = |KnownHere(known)| peer.exchange_members(known);
                self.ask(question, permits, exchange, KnownThere).await
            }
            Method::ListTenants => {
                self.ask(question, permits, |ListTenants| peer.list_tenants(), TenantList).await
            }
            Method::ListTraces => self.ask(question, permits, |q| peer.list_traces(q), |list| list).await,
        }
    }

    /// Receives a question, whose bytes are counted as soon as it says how many they are.
    async fn receive<B>(
        &self,
        body: B,
        permits: &mut Vec<OwnedSemaphorePermit>,
    ) -> Result<Gathered, PeerError>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Send,
    {
        let mut body = std::pin::pin!(body);
        let mut gather = Gather::new(self.options.max_message);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| PeerError::Unreachable(causes(&error)))?;
            let Ok(chunk) = frame.into_data() else { continue };
            gather.push(chunk).map_err(|error| self.garbled(error))?;
            if let (1, Some(claimed)) = (permits.len(), gather.claimed()) {
                permits.push(self.room(claimed)?);
            }
        }
        gather.finish().map_err(|error| self.garbled(error))
    }

    /// Decodes a question, asks it, and frames the answer.
    async fn ask<'a, Q: Message, T, A: Message>(
        &self,
        question: Gathered,
        permits: Vec<OwnedSemaphorePermit>,
        ask: impl FnOnce(Q) -> Answer<'a, T>,
        wrap: impl FnOnce(T) -> A,
    ) -> Result<FrameBody, PeerError> {
        let question = question.decode().map_err(|error| self.garbled(error))?;
        let answer = wrap(ask(question).await?);
        let body = FrameBody::new(answer, self.options.max_message)
            .map_err(|error| self.exhausted(format!("the answer cannot be sent: {error}")))?;
        let status = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
        Ok(body.ending_with(status, permits))
    }

    fn room(&self, claimed: usize) -> Result<OwnedSemaphorePermit, PeerError> {
        let permits = u32::try_from(claimed.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        self.bytes.clone().try_acquire_many_owned(permits).map_err(|_| {
            count(&self.options.counters.refused_bytes);
            let max = self.options.max_bytes;
            self.exhausted(format!(
                "the node works on questions of up to {max} bytes in all, and takes no more"
            ))
        })
    }

    fn too_much(&self, question: &ReadBlock) -> Option<PeerError> {
        let wanted =
            question.ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.end - range.start));
        let limit = self.options.max_message;
        (wanted > limit as u64).then(|| {
            PeerError::Invalid(format!("{wanted} bytes of a block were asked for, at most {limit} may be"))
        })
    }

    fn exhausted(&self, message: String) -> PeerError {
        PeerError::Exhausted { message, retry_after: self.options.retry_after }
    }

    fn garbled(&self, error: FrameError) -> PeerError {
        count(&self.options.counters.garbled);
        match error {
            FrameError::TooLarge { .. } => PeerError::Invalid(format!("the question: {error}")),
            _ => PeerError::Garbled(format!("the question: {error}")),
        }
    }
}

impl<B> tower::Service<Request<B>> for PeerService
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Send + 'static,
{
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(())) // what is too much is refused when it is asked
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

/// Counts a question as cancelled when it is dropped before it was answered.
struct Unanswered<'a> {
    counters: &'a ServeCounters,
    is_answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            count(&self.counters.cancelled);
        }
    }
}

fn respond(body: FrameBody) -> Response<tonic::body::Body> {
    let mut response = Response::new(tonic::body::Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}
