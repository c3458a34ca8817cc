//! What kinds of questions have in common: each is worked on block by block, and what the blocks yield is added up.

use bytes::Bytes;
use foldhash::HashSet;
use parking_lot::Mutex;
use spanloom_peer::ScanQuestion;
use spanloom_ring::NodeName;
use spanloom_span::TraceId;
use spanloom_traceql::plan::Plan;
use spanloom_traceql::wire::WireError;

use crate::QueryError;
use crate::desk::{Desk, Readers};
use crate::progress::Progress;
use crate::sources::Sources;

/// A kind of question, put to its sources.
pub(crate) trait Kind: Send + Sync + Sized + 'static {
    /// A part of the answer.
    type Part: Send + 'static;

    /// What blocks yield.
    type Found: Send + 'static;

    fn sources(&self) -> &Sources;

    fn plan(&self) -> &Plan;

    /// Nothing found yet. Of what is found `apart` nothing is seen before it is added.
    fn nothing(&self, apart: bool) -> Self::Found;

    /// Works on a block.
    fn block(&self, number: usize, turn: &mut Turn<'_>, found: &mut Self::Found) -> Result<(), QueryError>;

    /// Works on traces of a block that also lie elsewhere, which were told of.
    fn shared(
        &self,
        number: usize,
        places: &[u32],
        turn: &mut Turn<'_>,
        found: &mut Self::Found,
    ) -> Result<(), QueryError>;

    /// Adds what was found; `by` another node, or here.
    fn add(&self, found: Self::Found, by: Option<&NodeName>) -> Result<(), QueryError>;

    /// Whether the answer is wanted as it grows.
    fn is_streamed(&self) -> bool {
        false
    }

    /// What to say of the answer while it grows.
    fn part(&self, progress: &Progress) -> Self::Part;

    /// The last part of the answer.
    fn last(&self, progress: &Progress) -> Self::Part;

    /// Whether a block may yield anything, as far as that is known without a look at it.
    fn wants(&self, number: usize) -> bool;

    /// The question as another node is asked to work on it; `None` when it is not to be asked.
    fn question(&self) -> Option<ScanQuestion> {
        None
    }

    /// What was found, for another node: blocks are numbered in the order in which they were asked about.
    fn pack(&self, found: Self::Found) -> Bytes {
        drop(found);
        Bytes::new()
    }

    /// What another node found in these blocks.
    fn unpack(&self, blocks: &[usize], found: &[u8]) -> Result<Self::Found, WireError> {
        let _ = blocks;
        Err(WireError::Left(found.len()))
    }
}

/// Traces that lie in several places and are judged already.
pub(crate) type Claimed = Mutex<HashSet<TraceId>>;

/// What becomes of traces that also lie elsewhere.
pub(crate) enum Shared<'a> {
    /// They are judged by whoever claims them first.
    Judged(&'a Claimed),
    /// They are told of, by their places in the block.
    Told(Vec<u32>),
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// Traces that were judged.
    pub traces: u64,
    pub spans: u64,
    pub bytes: u64,
}

impl Seen {
    /// A trace of so many spans was judged.
    pub fn judged(&mut self, spans: u32) {
        self.traces += 1;
        self.spans += u64::from(spans);
    }
}

/// One thread's work on a piece.
pub(crate) struct Turn<'a> {
    pub desk: Desk<'a>,
    pub seen: Seen,
    shared: Shared<'a>,
    is_over: &'a dyn Fn() -> bool,
}

impl<'a> Turn<'a> {
    /// Work on some of the sources.
    pub fn new<K: Kind>(
        kind: &'a K,
        readers: &'a Readers,
        shared: Shared<'a>,
        is_over: &'a dyn Fn() -> bool,
    ) -> Self {
        let desk = Desk::new(kind.sources(), kind.plan(), readers);
        Self { desk, seen: Seen::default(), shared, is_over }
    }

    /// Whether there is no point in going on. What a block yields is not whole then.
    pub fn is_over(&self) -> bool {
        (self.is_over)()
    }

    /// Whether traces that also lie elsewhere are told of, and not judged.
    pub fn tells(&self) -> bool {
        matches!(self.shared, Shared::Told(_))
    }

    /// Whether a trace that also lies elsewhere is to be judged here and now.
    pub fn claims(&mut self, id: &TraceId, place: u32) -> bool {
        match &mut self.shared {
            Shared::Judged(claimed) => claimed.lock().insert(*id),
            Shared::Told(places) => {
                places.push(place);
                false
            }
        }
    }

    /// What was told of since this was asked last, ascending.
    pub fn told(&mut self) -> Vec<u32> {
        match &mut self.shared {
            Shared::Judged(_) => Vec::new(),
            Shared::Told(places) => {
                let mut places = std::mem::take(places);
                places.sort_unstable();
                places.dedup();
                places
            }
        }
    }
}
