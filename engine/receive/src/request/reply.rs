//! The body of an answer: at most one piece of data, then at most one set of trailers, which may come later.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

/// The body of an answer.
#[derive(Debug, Default)]
pub struct Reply {
    data: Option<Bytes>,
    end: End,
}

/// What comes after the data.
#[derive(Default)]
enum End {
    #[default]
    Nothing,
    Trailers(HeaderMap),
    Later(Pin<Box<dyn Future<Output = HeaderMap> + Send>>),
}

impl Reply {
    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// One piece of data.
    pub fn data(data: impl Into<Bytes>) -> Self {
        let data: Bytes = data.into();
        Self { data: (!data.is_empty()).then_some(data), end: End::Nothing }
    }

    /// The same, with trailers after it.
    pub fn with_trailers(mut self, trailers: HeaderMap) -> Self {
        self.end = End::Trailers(trailers);
        self
    }

    /// Trailers alone, once `work` is done. The connection drives it: it ends when the client goes away.
    pub fn after(work: impl Future<Output = HeaderMap> + Send + 'static) -> Self {
        Self { data: None, end: End::Later(Box::pin(work)) }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Nothing => f.write_str("Nothing"),
            End::Trailers(trailers) => f.debug_tuple("Trailers").field(trailers).finish(),
            End::Later(_) => f.write_str("Later"),
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let End::Later(work) = &mut self.end {
            let Poll::Ready(trailers) = work.as_mut().poll(cx) else { return Poll::Pending };
            self.end = End::Trailers(trailers);
        }
        Poll::Ready(match std::mem::take(&mut self.end) {
            End::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && matches!(self.end, End::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |d| d.len() as u64))
    }
}
