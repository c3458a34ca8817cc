//! What replication costs: requests pushed to another node over the loopback address, both ends in this process.

use std::sync::Arc;

use bytes::Bytes;
use spanloom_peer::frame::{decode, encode};
use spanloom_peer::{
    Answer, BlockList, DialOptions, Dialer, FindTrace, ListBlocks, Peer, PeerError, Push, Pushed, ReadBlock,
    ServeOptions, TraceCopy, serve,
};
use spanloom_span::Tenant;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::{Line, batches, measure, span_count};

/// The frames alone, then whole pushes, one and eight at a time.
pub fn run(spans: usize) -> Vec<Line> {
    let batches = batches(spans);
    let units = span_count(&batches);
    let requests: Arc<[Bytes]> = batches.iter().map(|batch| batch.bytes().clone()).collect();
    let bytes: usize = requests.iter().map(Bytes::len).sum();
    let note = |line: Line| Line { note: format!("{} bytes a span", bytes / units), ..line };
    let mut lines = vec![note(measure("peer frame", "span", units, || (), |()| frames(&requests)))];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let peer = node(&runtime);
    for at_once in [1, 8] {
        let name = format!("peer push, {at_once} at a time");
        let line =
            measure(name, "span", units, || (), |()| runtime.block_on(push(&peer, &requests, at_once)));
        lines.push(note(line));
    }
    lines
}

fn push_of(request: &Bytes) -> Push {
    Push { tenant: Tenant::default(), request: request.clone() }
}

/// Each is framed, joined into one piece (which the way over a socket does not do), and read.
fn frames(requests: &[Bytes]) {
    for request in requests {
        let frame = encode(push_of(request)).expect("it can be framed").to_bytes();
        let read: Push = decode(&frame).expect("it can be read");
        assert_eq!(read.request.len(), request.len());
    }
}

/// A node that takes everything and keeps nothing, and the peer that asks it.
fn node(runtime: &Runtime) -> Arc<dyn Peer> {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port can be opened");
    let address = listener.local_addr().expect("it has an address").to_string();
    runtime.spawn(serve(listener, Arc::new(Sink), ServeOptions::default(), std::future::pending()));
    Dialer::new(DialOptions::default()).peer(&address)
}

async fn push(peer: &Arc<dyn Peer>, requests: &Arc<[Bytes]>, at_once: usize) {
    let mut senders = JoinSet::new();
    for first in 0..at_once {
        let (peer, requests) = (peer.clone(), requests.clone());
        senders.spawn(async move {
            for request in requests.iter().skip(first).step_by(at_once) {
                peer.push(push_of(request)).await.expect("it is taken");
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender.expect("no sender panics");
    }
}

/// Takes everything and keeps nothing.
struct Sink;

impl Sink {
    fn nothing<T: Send + 'static>() -> Answer<'static, T> {
        Box::pin(std::future::ready(Err(PeerError::Unavailable("it takes spans alone".to_owned()))))
    }
}

impl Peer for Sink {
    fn push(&self, _: Push) -> Answer<'_, Pushed> {
        Box::pin(std::future::ready(Ok(Pushed::default())))
    }

    fn find_trace(&self, _: FindTrace) -> Answer<'_, TraceCopy> {
        Self::nothing()
    }

    fn list_blocks(&self, _: ListBlocks) -> Answer<'_, BlockList> {
        Self::nothing()
    }

    fn read_block(&self, _: ReadBlock) -> Answer<'_, Vec<Bytes>> {
        Self::nothing()
    }

    fn exchange_members(&self, _: Bytes) -> Answer<'_, Bytes> {
        Self::nothing()
    }
}
