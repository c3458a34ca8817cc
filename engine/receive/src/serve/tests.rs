//! Readers that do not read.

use super::*;
use http_body_util::Full;
use hyper::service::service_fn;
use tokio::io::AsyncWriteExt;

const LARGE: usize = 64 << 20;

/// A server whose every answer is large; how many answers' bodies are alive tells what is held.
fn start(write_timeout: Duration) -> (SocketAddr, ServeMetrics, Trigger, tokio::task::JoinHandle<()>) {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, waits) = shutdown();
    let metrics = ServeMetrics::default();
    let service = service_fn(|_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(vec![7u8; LARGE]))))
    });
    let config = ServeConfig { write_timeout, ..ServeConfig::default() };
    let counted = metrics.clone();
    let task = tokio::spawn(async move { serve(listener, service, &config, counted, waits).await });
    (address, metrics, trigger, task)
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_http_1_reader_that_does_not_read_is_closed() {
    let (address, metrics, trigger, task) = start(Duration::from_millis(50));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    until(|| metrics.stalled_connections.get() == 1 && metrics.connections.get() == 0).await;
    trigger.begin(Duration::from_secs(5));
    task.await.unwrap();
}

#[tokio::test]
async fn an_h2_reader_that_takes_nothing_is_closed() {
    let (address, metrics, trigger, task) = start(Duration::from_millis(50));
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    // The connection lives on, but nobody takes the body, so the stream's window stays shut.
    tokio::spawn(connection);
    let request = Request::builder().uri("http://localhost/").body(Full::new(Bytes::new())).unwrap();
    let response = sender.send_request(request).await.unwrap();
    until(|| metrics.stalled_connections.get() == 1 && metrics.connections.get() == 0).await;
    drop(response);
    trigger.begin(Duration::from_secs(5));
    task.await.unwrap();
}

#[tokio::test]
async fn a_reader_that_reads_gets_all_of_it() {
    use http_body_util::BodyExt;
    let (address, metrics, trigger, task) = start(Duration::from_secs(60));
    for h2 in [false, true] {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let request = Request::builder().uri("http://localhost/").body(Full::new(Bytes::new())).unwrap();
        let response = if h2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), LARGE);
        assert!(body.iter().all(|byte| *byte == 7));
    }
    trigger.begin(Duration::from_secs(5));
    task.await.unwrap();
    assert_eq!(metrics.stalled_connections.get(), 0);
}
