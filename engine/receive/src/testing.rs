//! What the tests of all protocols share: a port over loopback with a sink that remembers, and clients.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use spanloom_span::Tenant;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::{
    Accepted, Held, Protocol, ReceiveConfig, ReceiveMetrics, Receiver, Refusal, Sink, Trigger, bind, serve,
    shutdown,
};

/// A sink that remembers what it was given, answers what it is told, and has so many bytes of room.
#[derive(Clone)]
pub struct Memory {
    pub pushed: Arc<Mutex<Vec<(Tenant, Bytes)>>>,
    pub answer: Arc<Mutex<Result<Accepted, Refusal>>>,
    pub room: Arc<Semaphore>,
    pub delay: Arc<Mutex<Duration>>,
}

pub const ROOM: usize = 256 << 20;

impl Sink for Memory {
    async fn push(&self, tenant: Tenant, request: Bytes, held: Held) -> Result<Accepted, Refusal> {
        let delay = *self.delay.lock().unwrap();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.pushed.lock().unwrap().push((tenant, request));
        drop(held);
        self.answer.lock().unwrap().clone()
    }

    async fn admit(&self, bytes: usize) -> Result<Held, Refusal> {
        match self.room.clone().try_acquire_many_owned(bytes as u32) {
            Ok(permit) => Ok(Box::new(permit)),
            Err(_) => Err(no_room()),
        }
    }
}

pub fn no_room() -> Refusal {
    Refusal::Exhausted { message: "there is no room".into(), retry_after: Duration::from_secs(5) }
}

pub struct Running {
    pub address: SocketAddr,
    pub sink: Memory,
    pub metrics: ReceiveMetrics,
    pub trigger: Trigger,
    pub task: JoinHandle<()>,
}

/// Starts a protocol on a port.
pub fn start_with(protocol: impl Protocol, config: ReceiveConfig) -> Running {
    let sink = Memory {
        pushed: Arc::default(),
        answer: Arc::new(Mutex::new(Ok(Accepted::default()))),
        room: Arc::new(Semaphore::new(ROOM)),
        delay: Arc::default(),
    };
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, waits) = shutdown();
    let metrics = ReceiveMetrics::default();
    let service = Receiver::new(protocol, sink.clone(), config.clone(), metrics.clone(), waits.clone());
    let serve_metrics = metrics.serve.clone();
    let task =
        tokio::spawn(async move { serve(listener, service, &config.serve, serve_metrics, waits).await });
    Running { address, sink, metrics, trigger, task }
}

impl Running {
    /// What was pushed since the last call. Nothing may be held any more.
    pub fn pushed(&self) -> Vec<(Tenant, Bytes)> {
        std::mem::take(&mut self.sink.pushed.lock().unwrap())
    }

    pub fn answer(&self, answer: Result<Accepted, Refusal>) {
        *self.sink.answer.lock().unwrap() = answer;
    }

    /// Ends the server and checks that it gave back all the room that it took.
    pub async fn end(self) {
        self.trigger.begin(Duration::from_secs(5));
        self.task.await.unwrap();
        assert_eq!(self.sink.room.available_permits(), ROOM, "permits are held after the end");
        assert_eq!(self.metrics.serve.connections.get(), 0);
    }
}

/// An answer, whole.
#[derive(Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub async fn of(response: Response<hyper::body::Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        Self { status: head.status, headers: head.headers, trailers, body: body.to_bytes() }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The gRPC status and message, from trailers or from headers alone.
    pub fn grpc(&self) -> (String, String) {
        let read = |name: &str| {
            let value = self.trailers.get(name).or(self.headers.get(name));
            value.map_or(String::new(), |v| v.to_str().unwrap().to_owned())
        };
        (read("grpc-status"), read("grpc-message"))
    }
}

pub type TestBody = BoxBody<Bytes, std::io::Error>;

pub fn full(body: impl Into<Bytes>) -> TestBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed()
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Http {
    One,
    Two,
}

pub async fn send(address: SocketAddr, http: Http, request: Request<TestBody>) -> Got {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let io = TokioIo::new(stream);
    let response = match http {
        Http::One => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
        Http::Two => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
    };
    Got::of(response).await
}

/// A POST with headers.
pub fn post(path: &str, headers: &[(&str, &str)], body: TestBody) -> Request<TestBody> {
    let mut request = Request::builder().method(Method::POST).uri(format!("http://localhost{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// A message with its gRPC prefix.
pub fn framed(compressed: bool, message: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::from(compressed)];
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(message);
    out
}
