//! Ports on which spans come in and questions are answered.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;
use spanloom_receive::request::Reply;
use spanloom_receive::{JaegerStorage, Receiver, Sink, Zipkin};

use crate::{JaegerApi, Queries, ZipkinApi};

/// Hands each request to the one of two services that it is for.
#[derive(Clone)]
pub struct Beside<S, Q> {
    spans: S,
    questions: Q,
    is_question: fn(&Request<Incoming>) -> bool,
}

impl<S: Sink, Q: Queries> Beside<Receiver<Zipkin, S>, ZipkinApi<Q>> {
    /// Zipkin: GET asks, POST brings spans.
    pub fn zipkin(spans: Receiver<Zipkin, S>, questions: ZipkinApi<Q>) -> Self {
        Self { spans, questions, is_question: ZipkinApi::<Q>::is_question }
    }
}

impl<S: Sink, Q: Queries> Beside<Receiver<JaegerStorage, S>, JaegerApi<Q>> {
    /// Jaeger: a jaeger-query or collector that has its storage here writes spans by a few methods of gRPC.
    pub fn jaeger(spans: Receiver<JaegerStorage, S>, questions: JaegerApi<Q>) -> Self {
        Self { spans, questions, is_question: |request| !JaegerStorage::is_write(request.uri().path()) }
    }
}

impl<S, Q> Service<Request<Incoming>> for Beside<S, Q>
where
    S: Service<Request<Incoming>, Response = Response<Reply>, Error = Infallible>,
    S::Future: Send + 'static,
    Q: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    Q::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if (self.is_question)(&request) {
            return Box::pin(self.questions.call(request));
        }
        let answer = self.spans.call(request);
        Box::pin(async move { answer.await.map(|response| response.map(Body::new)) })
    }
}
