//! One question: its deadline, its bound, its way there and back.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method as HttpMethod, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::Code;

use super::link::{Link, Target};
use super::peer::Remote;
use crate::PeerError;
use crate::frame::{FrameError, Message};
use crate::grpc::{
    CONTENT_TYPE, FrameBody, Gather, Method, TIMEOUT, causes, from_status, is_grpc, status_of, timeout_text,
};

/// When to try again after one's own bound was met.
const RETRY_AFTER: Duration = Duration::from_millis(100);

impl Remote {
    /// Asks, and waits for the answer until the question's deadline. Dropping it cancels the question there.
    pub(super) async fn ask<Q: Message, A: Message>(
        &self,
        method: Method,
        question: Q,
    ) -> Result<A, PeerError> {
        let _permit = self.doors[method as usize].try_acquire().map_err(|_| PeerError::Exhausted {
            message: format!(
                "{} questions of this kind to the node are unanswered, and no more may be",
                self.options.max_calls
            ),
            retry_after: RETRY_AFTER,
        })?;
        let target = self.target.as_ref().map_err(Clone::clone)?;
        let deadline = self.options.deadlines.of(method);
        let body = FrameBody::new(question, self.options.max_message)
            .map_err(|error| PeerError::Invalid(format!("the question cannot be sent: {error}")))?;
        let call = Call { remote: self, target, method, deadline, until: Instant::now() + deadline };
        match tokio::time::timeout_at(call.until, call.answer(body)).await {
            Ok(answer) => answer,
            Err(_) => Err(PeerError::Late(deadline)),
        }
    }
}

struct Call<'a> {
    remote: &'a Remote,
    target: &'a Target,
    method: Method,
    deadline: Duration,
    until: Instant,
}

impl Call<'_> {
    async fn answer<A: Message>(&self, body: FrameBody) -> Result<A, PeerError> {
        let link = self.remote.link(self.method);
        let response = self.sent(link, body).await?;
        self.failed(response.headers())?;
        let is_answer = response.status() == StatusCode::OK && is_grpc(response.headers());
        if !is_answer {
            let text = format!("HTTP status {} and not a gRPC answer: no Spanloom?", response.status());
            return Err(PeerError::Garbled(text));
        }
        self.read(response.into_body()).await
    }

    /// Sends the question; a second time when the connection was found to have ended before it was sent.
    async fn sent(&self, link: &Link, body: FrameBody) -> Result<Response<Incoming>, PeerError> {
        let mut request = self.request(body)?;
        for _ in 0..2 {
            let mut connection = link.connection(self.target, &self.remote.options).await?;
            let mut error = match connection.sender.try_send_request(request).await {
                Ok(response) => {
                    connection.was_answered();
                    return Ok(response);
                }
                Err(error) => error,
            };
            let unsent = error.take_message();
            let text = causes(error.error());
            let has_ended = unsent.is_some() || connection.sender.is_closed();
            if has_ended {
                link.ended(&connection, &text, &self.remote.options);
            }
            match unsent {
                Some(unsent) => request = unsent,
                None => return Err(PeerError::Unreachable(text)),
            }
        }
        Err(PeerError::Unreachable("its connections end at once".to_owned()))
    }

    fn request(&self, body: FrameBody) -> Result<Request<FrameBody>, PeerError> {
        let left = timeout_text(self.until.saturating_duration_since(Instant::now()));
        let timeout = HeaderValue::try_from(left).map_err(|error| PeerError::Invalid(error.to_string()))?;
        let mut request = Request::new(body);
        *request.method_mut() = HttpMethod::POST;
        *request.uri_mut() = self.target.uris[self.method as usize].clone();
        let headers = request.headers_mut();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        headers.insert(TIMEOUT, timeout);
        Ok(request)
    }

    /// The error in headers or trailers, if they have a status and it is one.
    fn failed(&self, headers: &HeaderMap) -> Result<bool, PeerError> {
        match status_of(headers) {
            None => Ok(false),
            Some(status) if status.code() == Code::Ok => Ok(true),
            Some(status) => Err(from_status(&status, self.deadline)),
        }
    }

    async fn read<A: Message>(&self, mut body: Incoming) -> Result<A, PeerError> {
        let mut gather = Gather::new(self.remote.options.max_message);
        let mut is_ok = false;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| PeerError::Unreachable(causes(&error)))?;
            match frame.into_data() {
                Ok(chunk) => gather.push(chunk)?,
                Err(frame) => is_ok |= self.failed(frame.trailers_ref().unwrap_or(&HeaderMap::new()))?,
            }
        }
        if !is_ok {
            return Err(PeerError::Garbled("the answer ended without a status".to_owned()));
        }
        let answer = gather.finish().and_then(|gathered| gathered.decode::<A>());
        answer.map_err(|error: FrameError| error.into())
    }
}
