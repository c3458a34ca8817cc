//! Datagrams: received in batches, translated at once into one OTLP request, pushed while the next ones come.
//!
//! Nobody tells the sender of a datagram anything, so what matters is to take them as fast as they come and to
//! count each that is lost, by reason. Datagrams that wait are bounded by the socket's buffer in the kernel, by
//! [`GATHER_BYTES`] of translated spans, by one request that asks the memory budget for room, and by [`MAX_UNDER_WAY`]
//! requests, in the budget, on their way into the log.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | the loop |
//! | `socket.rs` | the socket: its buffer, batches out of it, what the kernel dropped |

mod socket;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use spanloom_span::Tenant;
use spanloom_wire::Foreign;
use tokio::time::{Instant, MissedTickBehavior};

use crate::{Accepted, Held, ReceiveMetrics, Refusal, Shutdown, Sink};
use socket::Batch;
pub use socket::DatagramSocket;

/// Translated spans that are gathered while earlier ones are on their way into the log.
const GATHER_BYTES: usize = 2 << 20;

/// A request is sent off at this size when nothing keeps it.
const REQUEST_BYTES: usize = 512 << 10;

/// Most requests on their way into the log.
const MAX_UNDER_WAY: usize = 32;

/// Most bytes that one datagram may become. A compact Thrift span becomes less than three times as long.
const DATAGRAM_ROOM: usize = 1 << 20;

/// How often the kernel is asked what it dropped.
const DROPS_EACH: Duration = Duration::from_secs(2);

/// What the listener of one port needs.
pub struct Datagrams<S, T> {
    /// The protocol, as it is counted.
    pub protocol: &'static str,
    /// Translates one datagram: appends its spans, or leaves the buffer as it was.
    pub translate: T,
    /// Whose spans come by datagram: they cannot say.
    pub tenant: Tenant,
    /// Where they go.
    pub sink: S,
    /// What is counted.
    pub metrics: ReceiveMetrics,
}

/// What the future gives, where there is one; never otherwise.
async fn next<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// Translated datagrams.
#[derive(Default)]
struct Gathered {
    request: Vec<u8>,
    /// Which bytes of the request each datagram became, and its spans.
    parts: Vec<(Range<usize>, u64)>,
}

impl Gathered {
    fn spans(&self) -> u64 {
        self.parts.iter().map(|(_, spans)| spans).sum()
    }
}

impl<S, T> Datagrams<S, T>
where
    S: Sink,
    T: Fn(&[u8], usize, &mut Vec<u8>) -> Result<u64, Foreign> + Send + Sync,
{
    /// Takes datagrams until `shutdown` begins; then what has come is still taken, for as long as its grace lasts.
    pub async fn run(self, socket: DatagramSocket, mut shutdown: Shutdown) {
        let mut batch = Batch::new();
        let mut gathered = Gathered::default();
        // One request at a time asks for room: what waits for it is not in the memory budget yet.
        let mut asking = None;
        let mut under_way = FuturesUnordered::new();
        let mut look = tokio::time::interval(DROPS_EACH);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut drops = socket.kernel_drops();
        loop {
            let is_free = asking.is_none() && under_way.len() < MAX_UNDER_WAY;
            if is_free && !gathered.request.is_empty() {
                asking = Some(Box::pin(self.admit(std::mem::take(&mut gathered))));
                continue;
            }
            tokio::select! {
                () = shutdown.begun() => break,
                Some(()) = under_way.next() => {}
                admitted = next(&mut asking) => {
                    asking = None;
                    under_way.extend(admitted.map(|(gathered, held)| self.push(gathered, held)));
                }
                received = socket.receive(&mut batch), if gathered.request.len() < GATHER_BYTES => match received {
                    Ok(()) => {
                        self.gather(&batch, &mut gathered);
                        let most = if is_free { REQUEST_BYTES } else { GATHER_BYTES };
                        self.gather_more(&socket, &mut batch, &mut gathered, most);
                    }
                    Err(error) => {
                        // Such as a message that an earlier answer of ours was not wanted; the socket lives on.
                        tracing::debug!(protocol = self.protocol, %error, "receiving a datagram failed");
                    }
                },
                _ = look.tick() => self.count_drops(&socket, &mut drops),
            }
        }
        self.gather_more(&socket, &mut batch, &mut gathered, GATHER_BYTES);
        self.count_drops(&socket, &mut drops);
        drop(socket);
        let finish = async {
            if asking.is_some() {
                under_way.extend(next(&mut asking).await.map(|(gathered, held)| self.push(gathered, held)));
            }
            if !gathered.request.is_empty() {
                under_way
                    .extend(self.admit(gathered).await.map(|(gathered, held)| self.push(gathered, held)));
            }
            while under_way.next().await.is_some() {}
        };
        tokio::select! {
            () = finish => {}
            () = shutdown.over() => {}
        }
    }

    /// Takes what is there already, so that one request carries many datagrams when they come fast.
    fn gather_more(&self, socket: &DatagramSocket, batch: &mut Batch, gathered: &mut Gathered, most: usize) {
        while gathered.request.len() < most && socket.receive_now(batch) {
            self.gather(batch, gathered);
        }
    }

    fn gather(&self, batch: &Batch, gathered: &mut Gathered) {
        let (mut datagrams, mut bytes) = (0, 0);
        for datagram in batch.datagrams() {
            (datagrams, bytes) = (datagrams + 1, bytes + datagram.len() as u64);
            let from = gathered.request.len();
            match (self.translate)(datagram, DATAGRAM_ROOM, &mut gathered.request) {
                Ok(0) => gathered.request.truncate(from),
                Ok(spans) => gathered.parts.push((from..gathered.request.len(), spans)),
                Err(error) => {
                    self.metrics.datagrams.dropped(self.protocol, error.fault.reason(), 1);
                    tracing::debug!(protocol = self.protocol, %error, "a datagram was not understood");
                }
            }
        }
        self.metrics.datagrams.came(self.protocol, datagrams, bytes);
    }

    /// Asks for room for a request; `None` when there is none, which is counted.
    async fn admit(&self, mut gathered: Gathered) -> Option<(Gathered, Held)> {
        let began = Instant::now();
        // It lives as long as its traces, and the budget counts what is in it.
        gathered.request.shrink_to_fit();
        match self.sink.admit(gathered.request.len()).await {
            Ok(held) => Some((gathered, held)),
            Err(refusal) => {
                self.tell(&Err(refusal), gathered.parts.len() as u64, gathered.spans(), began);
                None
            }
        }
    }

    /// Pushes a request. One datagram that the engine refuses does not take its neighbours along.
    async fn push(&self, gathered: Gathered, held: Held) {
        let began = Instant::now();
        let spans = gathered.spans();
        let request = Bytes::from(gathered.request);
        let outcome = self.sink.push(self.tenant.clone(), request.clone(), held).await;
        if matches!(outcome, Err(Refusal::Invalid(_))) && gathered.parts.len() > 1 {
            for (range, spans) in gathered.parts {
                let outcome = self.push_alone(Bytes::copy_from_slice(&request[range])).await;
                self.tell(&outcome, 1, spans, began);
            }
            return;
        }
        self.tell(&outcome, gathered.parts.len() as u64, spans, began);
    }

    async fn push_alone(&self, request: Bytes) -> Result<Accepted, Refusal> {
        let held = self.sink.admit(request.len()).await?;
        self.sink.push(self.tenant.clone(), request, held).await
    }

    fn tell(&self, outcome: &Result<Accepted, Refusal>, datagrams: u64, spans: u64, began: Instant) {
        self.metrics.answered(self.protocol, outcome, began.elapsed().as_secs_f64());
        if let Err(refusal) = outcome {
            self.metrics.datagrams.dropped(self.protocol, refusal.reason(), datagrams);
            self.metrics.datagrams.lost_spans(self.protocol, spans);
            tracing::debug!(protocol = self.protocol, %refusal, datagrams, spans, "datagrams were dropped");
        }
    }

    fn count_drops(&self, socket: &DatagramSocket, before: &mut Option<u64>) {
        let now = socket.kernel_drops();
        if let (Some(now), Some(before)) = (now, *before)
            && now > before
        {
            let dropped = now - before;
            self.metrics.datagrams.dropped(self.protocol, "socket_buffer_full", dropped);
            tracing::warn!(
                protocol = self.protocol,
                dropped,
                buffer_bytes = socket.buffer_bytes(),
                "the kernel dropped datagrams: its buffer for them was full (receive.socket_buffer_bytes, \
                 net.core.rmem_max)"
            );
        }
        *before = now.or(*before);
    }
}
