//! One connection to a server, over HTTP/1.1 or HTTP/2 with prior knowledge, made again when it breaks.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Mutex;

use crate::jaeger;

/// Flow-control window for answers; large, so that it never matters.
const WINDOW_BYTES: u32 = 16 << 20;

/// How often a broken connection is tried to be made again before the server counts as gone.
const CONNECT_ATTEMPTS: u32 = 5;

/// Waited after the first attempt, and twice as long after each further one.
const CONNECT_PAUSE: Duration = Duration::from_millis(30);

/// A request's body: a few buffers sent as they are, without being joined.
#[derive(Debug, Clone, Default)]
pub struct Chunks(pub VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|bytes| bytes.len() as u64).sum())
    }
}

/// Why an exchange has no answer.
#[derive(Debug)]
pub enum Broken {
    /// The server cannot be reached at all; nothing was sent.
    Gone(std::io::Error),
    /// The connection broke, or the answer was no HTTP; the server may or may not have taken the request.
    Unknown(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone(error) => write!(f, "cannot connect: {error}"),
            Self::Unknown(reason) => f.write_str(reason),
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers, with the trailers added.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// A connection that several tasks share (HTTP/2), or that one task has for itself (HTTP/1.1).
pub enum Wire {
    /// HTTP/2 with prior knowledge.
    Http2(Arc<Shared>),
    /// HTTP/1.1 with keep-alive.
    Http1 {
        /// Host and port.
        target: Arc<str>,
        /// The open connection, if there is one.
        sender: Option<http1::SendRequest<Chunks>>,
    },
    /// Datagrams.
    Udp {
        /// The socket, connected.
        socket: UdpSocket,
        /// Most bytes of a datagram.
        most: usize,
    },
}

/// An HTTP/2 connection for several tasks.
pub struct Shared {
    target: Arc<str>,
    sender: Mutex<Option<http2::SendRequest<Chunks>>>,
}

impl Wire {
    /// An HTTP/1.1 connection, opened with the first exchange.
    pub fn http1(target: &str) -> Self {
        Self::Http1 { target: target.into(), sender: None }
    }

    /// An HTTP/2 connection, opened with the first exchange, to be cloned by [`Wire::share`].
    pub fn http2(target: &str) -> Arc<Shared> {
        Arc::new(Shared { target: target.into(), sender: Mutex::new(None) })
    }

    /// Datagrams of at most `most` bytes.
    pub async fn udp(target: &str, most: usize) -> std::io::Result<Self> {
        let any = if target.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(target).await?;
        Ok(Self::Udp { socket, most })
    }

    /// Sends datagrams one after the other; their bytes.
    pub async fn send_datagrams(&mut self, request: &[u8]) -> Result<u64, Broken> {
        let Self::Udp { socket, most } = self else {
            return Err(Broken::Unknown("this connection takes no datagrams".to_owned()));
        };
        let datagrams = jaeger::datagrams(request, *most).map_err(|e| Broken::Unknown(e.to_string()))?;
        let mut bytes = 0;
        for (datagram, _) in datagrams {
            socket.send(&datagram).await.map_err(|e| Broken::Unknown(e.to_string()))?;
            bytes += datagram.len() as u64;
        }
        Ok(bytes)
    }

    /// Sends a request and reads the whole answer, of at most `most` bytes.
    pub async fn exchange(&mut self, request: Request<Chunks>, most: usize) -> Result<Answer, Broken> {
        let response = match self {
            Self::Http2(shared) => shared.ready().await?.send_request(request).await,
            Self::Http1 { target, sender } => {
                let open = sender.take();
                let mut open = match open {
                    Some(open) if !open.is_closed() => open,
                    _ => open_http1(target).await?,
                };
                open.ready().await.map_err(unknown)?;
                let response = open.send_request(request).await;
                let answer = read(response, most).await;
                if answer.is_ok() {
                    *sender = Some(open);
                }
                return answer;
            }
            Self::Udp { .. } => return Err(Broken::Unknown("datagrams have no answers".to_owned())),
        };
        read(response, most).await
    }
}

impl Shared {
    async fn ready(&self) -> Result<http2::SendRequest<Chunks>, Broken> {
        let mut sender = self.sender.lock().await;
        if let Some(open) = sender.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let open = open_http2(&self.target).await?;
        *sender = Some(open.clone());
        Ok(open)
    }
}

fn unknown(error: hyper::Error) -> Broken {
    use std::error::Error as _;
    match error.source() {
        Some(source) => Broken::Unknown(format!("{error}: {source}")),
        None => Broken::Unknown(error.to_string()),
    }
}

async fn read(response: hyper::Result<Response<Incoming>>, most: usize) -> Result<Answer, Broken> {
    let (parts, body) = response.map_err(unknown)?.into_parts();
    let collected = Limited::new(body, most).collect().await.map_err(|e| Broken::Unknown(e.to_string()))?;
    let mut headers = parts.headers;
    if let Some(trailers) = collected.trailers() {
        headers.extend(trailers.clone());
    }
    Ok(Answer { status: parts.status, headers, body: collected.to_bytes() })
}

async fn open_http1(target: &str) -> Result<http1::SendRequest<Chunks>, Broken> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(connect(target).await?)).await.map_err(unknown)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn open_http2(target: &str) -> Result<http2::SendRequest<Chunks>, Broken> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(4 << 20)
        .handshake(TokioIo::new(connect(target).await?))
        .await
        .map_err(unknown)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Opens a TCP connection; tries again a few times, since a server that restarts is away for a moment.
pub async fn connect(target: &str) -> Result<TcpStream, Broken> {
    let mut pause = CONNECT_PAUSE;
    let mut attempt = 1;
    loop {
        match TcpStream::connect(target).await {
            Ok(stream) => {
                // Without this, small requests wait for the acknowledgement of earlier ones.
                stream.set_nodelay(true).map_err(Broken::Gone)?;
                return Ok(stream);
            }
            Err(error) if attempt == CONNECT_ATTEMPTS => return Err(Broken::Gone(error)),
            Err(_) => {
                tokio::time::sleep(pause).await;
                attempt += 1;
                pause *= 2;
            }
        }
    }
}
