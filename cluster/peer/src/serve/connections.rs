//! The accept loop and the life of a connection.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::counters::count;
use super::{PeerService, ServeOptions};
use crate::Peer;
use crate::grpc::{MAX_DATA_FRAME, MAX_HEADER_BYTES, causes};

/// Pause after an accept that failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers the questions that other nodes put to `peer` on a port, until `stopped` resolves; then no more connections
/// and questions are taken, and those that were begun are answered within [`ServeOptions::grace`].
///
/// What one connection does wrong ends that connection, or its question, alone. Dropping the future ends all at once.
pub async fn serve(
    listener: TcpListener,
    peer: Arc<dyn Peer>,
    options: ServeOptions,
    stopped: impl Future<Output = ()>,
) {
    let options = Arc::new(options);
    let service = PeerService::new(peer, options.clone());
    let (end, ending) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stopped = pin!(stopped);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a node's connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        if connections.len() >= options.max_connections {
            count(&options.counters.refused_connections);
            continue;
        }
        count(&options.counters.connections);
        connections.spawn(live(stream, service.clone(), options.clone(), ending.clone()));
    }
    drop((listener, ending));
    drop(end); // each connection waits for that
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(options.grace, all).await.is_err() {
        tracing::warn!(grace = ?options.grace, "questions of other nodes were cut off, since they took longer");
    }
}

async fn live(
    stream: TcpStream,
    service: PeerService,
    options: Arc<ServeOptions>,
    ending: watch::Receiver<()>,
) {
    // Without it an answer's last segment may wait for an acknowledgement that the peer delays.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let Some(tls) = &options.tls else { return talk(stream, service, &options, ending).await };
    let accepted = TlsAcceptor::from(tls.0.clone()).accept(stream);
    let problem = match tokio::time::timeout(options.patience, accepted).await {
        Ok(Ok(encrypted)) => return talk(encrypted, service, &options, ending).await,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no handshake within {:?}", options.patience),
    };
    count(&options.counters.failed_handshakes);
    tracing::debug!(error = problem, "a node's connection ended in its TLS handshake");
}

async fn talk(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    service: PeerService,
    options: &ServeOptions,
    mut ending: watch::Receiver<()>,
) {
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = has_asked.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let answer = service.clone().call(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = pin!(builder(options).serve_connection(TokioIo::new(io), answer));
    let mut patience = pin!(tokio::time::sleep(options.patience));
    let (mut is_ending, mut is_patient) = (false, false);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error = causes(&error), "a node's connection ended");
                }
                return;
            }
            _ = ending.changed(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut patience, if !is_patient => {
                if !has_asked.load(Ordering::Relaxed) {
                    count(&options.counters.failed_handshakes);
                    return;
                }
                is_patient = true;
            }
        }
    }
}

fn builder(options: &ServeOptions) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(options.stream_window)
        .initial_connection_window_size(options.connection_window)
        .max_frame_size(MAX_DATA_FRAME)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(options.max_streams)
        // Whoever asks several nodes cancels what it no longer needs: that is no attack below the bound of streams.
        .max_pending_accept_reset_streams(options.max_streams as usize)
        .keep_alive_interval(options.keepalive_interval)
        .keep_alive_timeout(options.keepalive_timeout);
    builder
}
