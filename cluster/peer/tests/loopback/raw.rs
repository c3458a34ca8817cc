//! A client and a server that know HTTP/2 alone, to say what ours never say.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::handshake;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use spanloom_peer::frame::{Message, encode};
use tokio::net::{TcpListener, TcpStream};

pub const FIND_TRACE: &str = "/spanloom.peer.v1.Peer/FindTrace";

/// What a server told: its headers, with the trailers among them.
pub struct Told {
    pub http: u16,
    headers: HeaderMap,
}

impl Told {
    /// A header, empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A gRPC message of a frame.
pub fn message<M: Message>(message: M) -> Vec<u8> {
    grpc(&encode(message).unwrap().to_bytes())
}

/// A gRPC message of any bytes.
pub fn grpc(frame: &[u8]) -> Vec<u8> {
    [&[0], &(frame.len() as u32).to_be_bytes()[..], frame].concat()
}

/// Asks once, with these headers and this body.
pub async fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Told {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request =
        Request::post(format!("http://{address}{path}")).body(Full::new(Bytes::from(body))).unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    for (name, value) in headers {
        request.headers_mut().insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let response = sender.send_request(request).await.unwrap();
    let (http, mut headers) = (response.status().as_u16(), response.headers().clone());
    if let Some(trailers) = response.into_body().collect().await.unwrap().trailers() {
        headers.extend(trailers.clone());
    }
    connection.abort();
    Told { http, headers }
}

/// A server that gives everybody this answer; it ends with the test's runtime.
pub async fn answer(
    http: u16,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    trailers: &[(&str, &str)],
) -> SocketAddr {
    let map = |pairs: &[(&str, &str)]| {
        let pair =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(pair).collect::<HeaderMap>()
    };
    let (headers, trailers) = (map(headers), map(trailers));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (headers, trailers, body) = (headers.clone(), trailers.clone(), Bytes::from(body.clone()));
            let service = service_fn(move |request: Request<Incoming>| {
                let (headers, trailers, body) = (headers.clone(), trailers.clone(), body.clone());
                async move {
                    request.into_body().collect().await.unwrap();
                    let body = Full::new(body).with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
                    let mut response = Response::new(Box::pin(body));
                    *response.status_mut() = http.try_into().unwrap();
                    *response.headers_mut() = headers;
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(
                http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

/// A node that reads no push, so that its windows fill up, and answers everything else with this message.
pub async fn jammed(body: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let body = Bytes::from(body.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let body = Full::new(body.clone());
                async move {
                    if request.uri().path().ends_with("Push") {
                        std::future::pending::<()>().await; // and the request is held unread
                    }
                    let status = [("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))];
                    let trailers = HeaderMap::from_iter(status);
                    let body = body.with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
                    let mut response = Response::new(Box::pin(body));
                    response
                        .headers_mut()
                        .insert("content-type", HeaderValue::from_static("application/grpc"));
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(
                http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}
