//! The body of an answer: messages as they come, then a status.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use hyper::body::Frame;
use spanloom_receive::request::question;
use spanloom_wire::{Code, Status};
use tokio::time::{Instant, Sleep};

use super::{Failure, Time};
use crate::{ApiMetrics, QueryError, partial};

/// Messages of an answer.
pub(crate) type Parts = Pin<Box<dyn Stream<Item = Result<Message, QueryError>> + Send>>;

/// A message of an answer.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub bytes: Vec<u8>,
    /// What is missing from the answer, as far as it is known.
    pub partial: Option<String>,
}

/// What is counted when a client goes away before the end.
const WENT_AWAY: u16 = 499;

/// Counts an answer when it ends, or when nobody waits for it any more.
pub(crate) struct Counted {
    metrics: ApiMetrics,
    endpoint: &'static str,
    began: Instant,
    ended: bool,
}

impl Counted {
    pub fn begin(metrics: ApiMetrics, endpoint: &'static str) -> Self {
        Self { metrics, endpoint, began: Instant::now(), ended: false }
    }

    /// There is no answer, or no more of it.
    pub fn failed(&mut self, failure: &Failure) {
        if !self.ended
            && let Some(limit) = failure.limit
        {
            self.metrics.limited(limit);
        }
        self.end(failure.http);
    }

    pub fn end(&mut self, status: StatusCode) {
        if !std::mem::replace(&mut self.ended, true) {
            self.metrics.answered(self.endpoint, status, self.began.elapsed().as_secs_f64());
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.end(StatusCode::from_u16(WENT_AWAY).unwrap_or(StatusCode::BAD_REQUEST));
    }
}

/// A body that is written as parts come.
pub(crate) struct Reply {
    /// `None` after the status.
    parts: Option<Parts>,
    time: Time,
    over: Option<Pin<Box<Sleep>>>,
    counted: Counted,
    partial: Option<String>,
}

impl Reply {
    /// An answer that begins now.
    pub fn response(parts: Parts, time: Time, counted: Counted) -> Response {
        let over = time.end().map(|end| Box::pin(tokio::time::sleep_until(end)));
        let mut response =
            Response::new(Body::new(Self { parts: Some(parts), time, over, counted, partial: None }));
        *response.headers_mut() = question::head();
        response
    }

    fn fail(&mut self, failure: &Failure) -> Frame<Bytes> {
        self.counted.failed(failure);
        self.end(failure.http, failure.trailers())
    }

    /// Drops the parts, and with them the work on them.
    fn end(&mut self, status: StatusCode, trailers: HeaderMap) -> Frame<Bytes> {
        self.parts = None;
        self.counted.end(status);
        Frame::trailers(trailers)
    }
}

impl hyper::body::Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let Some(parts) = &mut this.parts else { return Poll::Ready(None) };
        if let Some(over) = &mut this.over
            && over.as_mut().poll(context).is_ready()
        {
            let failure = this.time.over();
            return Poll::Ready(Some(Ok(this.fail(&failure))));
        }
        let frame = match std::task::ready!(parts.as_mut().poll_next(context)) {
            Some(Ok(message)) => {
                this.partial = message.partial;
                Frame::data(question::frame(&message.bytes))
            }
            Some(Err(error)) => this.fail(&Failure::from(error)),
            None => {
                let status = Status { code: Code::Ok, message: "", retry_after: None };
                let mut trailers = question::status(&status);
                partial::put(&mut trailers, this.partial.as_deref());
                this.end(StatusCode::OK, trailers)
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_none()
    }
}
