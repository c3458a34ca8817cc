//! The questions, put to a node elsewhere.

use std::array;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Uri;
use spanloom_span::Tenant;
use tokio::sync::Semaphore;

use super::DialOptions;
use super::link::{Link, Target};
use crate::frame::{KnownHere, KnownThere, ListTenants, Message, Pieces, TenantList};
use crate::grpc::Method;
use crate::{
    Answer, BlockList, FindTrace, ListBlocks, ListTraces, Peer, PeerError, Push, PushSliced, Pushed,
    ReadBlock, ScanBlocks, Scanned, TraceCopy, TraceList,
};

/// A node elsewhere.
pub(super) struct Remote {
    pub(super) options: Arc<DialOptions>,
    /// Where each question goes; or why the address is none.
    pub(super) target: Result<Arc<Target>, PeerError>,
    links: Vec<Link>,
    turn: AtomicUsize,
    /// What is left of [`DialOptions::max_calls`], by [`Method`].
    pub(super) doors: [Semaphore; Method::ALL.len()],
}

impl Remote {
    pub(super) fn new(address: &str, options: Arc<DialOptions>) -> Self {
        let links = (0..options.connections.get()).map(|_| Link::default()).collect();
        let doors = array::from_fn(|_| Semaphore::new(options.max_calls.get().min(Semaphore::MAX_PERMITS)));
        let target = Target::new(address, options.tls.as_ref()).map(Arc::new);
        Self { options, target, links, turn: AtomicUsize::new(0), doors }
    }

    /// The connection that a question goes by.
    pub(super) fn link(&self, method: Method) -> &Link {
        let bulk = self.links.len() - 1;
        let index = match (method.is_bulk(), bulk) {
            (true, 1..) => 1 + self.turn.fetch_add(1, Ordering::Relaxed) % bulk,
            _ => 0,
        };
        &self.links[index]
    }

    fn answer<'a, Q, A, T>(
        &'a self,
        method: Method,
        question: Q,
        take: impl FnOnce(A) -> Result<T, PeerError> + Send + 'a,
    ) -> Answer<'a, T>
    where
        Q: Message + Send + 'a,
        A: Message + Send,
    {
        Box::pin(async move { take(self.ask::<Q, A>(method, question).await?) })
    }
}

impl Peer for Remote {
    fn push(&self, spans: Push) -> Answer<'_, Pushed> {
        self.answer(Method::Push, spans, Ok)
    }

    fn push_sliced(&self, spans: PushSliced) -> Answer<'_, Pushed> {
        self.answer(Method::PushSliced, spans, Ok)
    }

    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy> {
        self.answer(Method::FindTrace, question, Ok)
    }

    fn list_blocks(&self, question: ListBlocks) -> Answer<'_, BlockList> {
        self.answer(Method::ListBlocks, question, Ok)
    }

    fn read_block(&self, question: ReadBlock) -> Answer<'_, Vec<Bytes>> {
        let lens: Vec<u64> =
            question.ranges.iter().map(|range| range.end.saturating_sub(range.start)).collect();
        self.answer(Method::ReadBlock, question, move |Pieces(pieces)| {
            if pieces.iter().map(|piece| piece.len() as u64).eq(lens) {
                return Ok(pieces);
            }
            Err(PeerError::Garbled("the pieces of the block are not of the lengths asked for".to_owned()))
        })
    }

    fn scan_blocks(&self, question: ScanBlocks) -> Answer<'_, Scanned> {
        let blocks = question.blocks.len();
        self.answer(Method::ScanBlocks, question, move |scanned: Scanned| {
            if scanned.shared.len() == blocks {
                return Ok(scanned);
            }
            Err(PeerError::Garbled("the answer is about other blocks than were asked about".to_owned()))
        })
    }

    fn exchange_members(&self, known: Bytes) -> Answer<'_, Bytes> {
        self.answer(Method::ExchangeMembers, KnownHere(known), |KnownThere(known)| Ok(known))
    }

    fn list_tenants(&self) -> Answer<'_, Vec<Tenant>> {
        self.answer(Method::ListTenants, ListTenants, |TenantList(tenants)| Ok(tenants))
    }

    fn list_traces(&self, question: ListTraces) -> Answer<'_, TraceList> {
        self.answer(Method::ListTraces, question, Ok)
    }
}

/// The address of each question's method.
pub(super) fn uris(authority: &str, is_encrypted: bool) -> Result<[Uri; Method::ALL.len()], http::Error> {
    let scheme = if is_encrypted { "https" } else { "http" };
    let mut uris = array::from_fn(|_| Uri::default());
    for method in Method::ALL {
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(method.path());
        uris[method as usize] = uri.build()?;
    }
    Ok(uris)
}

/// That nothing here keeps a caller's future from moving between threads.
const _: fn(&Remote) = |remote| {
    fn is_send(_: impl Future + Send) {}
    is_send(remote.ask::<KnownHere, KnownThere>(Method::ExchangeMembers, KnownHere::default()));
};
