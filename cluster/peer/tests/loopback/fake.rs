//! A peer that answers as the test says, and a server of it.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use spanloom_peer::{
    Answer, BlockList, DialOptions, Dialer, FindTrace, ListBlocks, ListTraces, Peer, PeerBlock, PeerError,
    Push, Pushed, ReadBlock, ScanBlocks, ScanList, ScanQuestion, Scanned, ServeOptions, StoreBlock,
    TraceCopy, TraceList, TraceSum, serve,
};
use spanloom_span::{Tenant, TraceId};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinHandle;

/// What a fake does with each question.
pub enum Mood {
    /// Answers with what follows from the question.
    Answer,
    /// Answers with an error.
    Fail(PeerError),
    /// Answers when it is let: a permit each.
    Wait,
    /// Never answers.
    Hang,
    /// Panics.
    Panic,
}

/// A peer for tests.
pub struct Fake {
    mood: Mood,
    /// Questions that came.
    pub asked: AtomicUsize,
    /// Questions that were dropped before their answer.
    pub dropped: AtomicUsize,
    /// Told of each question that came, and of each that was dropped.
    pub event: Notify,
    /// What lets answers of [`Mood::Wait`] go.
    pub gate: Semaphore,
}

impl Fake {
    /// In this mood.
    pub fn new(mood: Mood) -> Arc<Self> {
        let (asked, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { mood, asked, dropped, event: Notify::new(), gate: Semaphore::new(0) })
    }

    /// Waits until so many questions came.
    pub async fn was_asked(&self, count: usize) {
        self.until(|| self.asked.load(Ordering::SeqCst) >= count).await;
    }

    /// Waits until so many questions were dropped.
    pub async fn was_dropped(&self, count: usize) {
        self.until(|| self.dropped.load(Ordering::SeqCst) >= count).await;
    }

    async fn until(&self, holds: impl Fn() -> bool) {
        loop {
            let mut told = std::pin::pin!(self.event.notified());
            told.as_mut().enable();
            if holds() {
                return;
            }
            told.await;
        }
    }

    fn answer<'a, T: Send + 'a>(&'a self, answer: T) -> Answer<'a, T> {
        Box::pin(async move {
            let _watch = Watch::new(self);
            match &self.mood {
                Mood::Answer => {}
                Mood::Fail(error) => return Err(error.clone()),
                Mood::Wait => self.gate.acquire().await.unwrap().forget(),
                Mood::Hang => pending().await,
                Mood::Panic => panic!("the fake panics, as the test wants"),
            }
            Ok(answer)
        })
    }
}

/// Notes the end of a question.
struct Watch<'a> {
    fake: &'a Fake,
}

impl<'a> Watch<'a> {
    fn new(fake: &'a Fake) -> Self {
        fake.asked.fetch_add(1, Ordering::SeqCst);
        fake.event.notify_waiters();
        Self { fake }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if matches!(self.fake.mood, Mood::Hang | Mood::Wait) {
            self.fake.dropped.fetch_add(1, Ordering::SeqCst);
            self.fake.event.notify_waiters();
        }
    }
}

impl Peer for Fake {
    fn push(&self, spans: Push) -> Answer<'_, Pushed> {
        let message = format!("{}: {}", spans.tenant, crc_fast::crc32_iscsi(&spans.request));
        self.answer(Pushed { spans: spans.request.len() as u64, refused_spans: 1, message })
    }

    fn find_trace(&self, question: FindTrace) -> Answer<'_, TraceCopy> {
        let spans = Bytes::from(format!("{}/{:?}", question.tenant, question.id.0));
        self.answer(TraceCopy { spans, blocks: 2, live_parts: 3 })
    }

    fn list_blocks(&self, question: ListBlocks) -> Answer<'_, BlockList> {
        let meta = Bytes::from(question.tenant.to_string());
        let block = PeerBlock { name: "a".into(), meta, tail: 4, is_live: true, sealed: vec![1, 5] };
        self.answer(BlockList { run: 7, blocks: vec![block] })
    }

    fn read_block(&self, question: ReadBlock) -> Answer<'_, Vec<Bytes>> {
        let piece = |range: &std::ops::Range<u64>| (range.start..range.end).map(|at| at as u8).collect();
        self.answer(question.ranges.iter().map(piece).collect())
    }

    fn scan_blocks(&self, question: ScanBlocks) -> Answer<'_, Scanned> {
        let shared = question.blocks.iter().map(|block| block.elsewhere.clone()).collect();
        self.answer(Scanned { traces: 1, spans: 2, bytes: 3, shared, found: Bytes::from_static(b"found") })
    }

    fn exchange_members(&self, known: Bytes) -> Answer<'_, Bytes> {
        self.answer(known)
    }

    fn list_tenants(&self) -> Answer<'_, Vec<Tenant>> {
        self.answer(vec![Tenant::default(), tenant()])
    }

    fn list_traces(&self, question: ListTraces) -> Answer<'_, TraceList> {
        let id = question.after.unwrap_or(TraceId([3; 16]));
        let traces = vec![TraceSum { id, spans: question.most, digest: question.since as u32 }];
        self.answer(TraceList { traces, is_last: question.after.is_some() })
    }
}

/// A server of a peer, until it is stopped or dropped.
pub struct Server {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// On any free port.
    pub async fn start(peer: Arc<dyn Peer>, options: ServeOptions) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), peer, options).await
    }

    /// On this port.
    pub async fn at(address: SocketAddr, peer: Arc<dyn Peer>, options: ServeOptions) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener: TcpListener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, peer, options, async {
            let _ = stopped.await;
        }));
        Self { address, stop, task }
    }

    /// A peer that asks it.
    pub fn dial(&self, options: DialOptions) -> Arc<dyn Peer> {
        Dialer::new(options).peer(&self.address.to_string())
    }

    /// Stops it gracefully; waits until it has ended.
    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }

    /// Asks it to stop; what ends when it has.
    pub fn stopping(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.task
    }

    /// Ends it and its connections, as a crash does.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub fn tenant() -> Tenant {
    Tenant::new("team-1").unwrap()
}

pub fn push(request: Bytes) -> Push {
    Push { tenant: tenant(), request }
}

pub fn find() -> FindTrace {
    FindTrace { tenant: tenant(), id: TraceId([7; 16]) }
}

pub fn list() -> ListBlocks {
    ListBlocks { tenant: tenant() }
}

pub fn scan() -> ScanBlocks {
    let question = ScanQuestion::Values { field: "name".into(), list: ScanList::default() };
    let blocks = vec![StoreBlock { elsewhere: vec![1, 5], ..StoreBlock::default() }, StoreBlock::default()];
    ScanBlocks { tenant: tenant(), within_micros: 0, question, blocks }
}

pub fn traces(after: Option<TraceId>) -> ListTraces {
    ListTraces { tenant: tenant(), after, since: 9, most: 5 }
}

pub fn read(ranges: Vec<std::ops::Range<u64>>) -> ReadBlock {
    ReadBlock { tenant: tenant(), run: 7, name: "a".into(), ranges }
}
