//! A tenant's live columns: runs of requests, in the order of the log, each run a block in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use foldhash::{HashMap, HashSet};
use spanloom_block::BlockId;
use spanloom_bucket::Listed;
use spanloom_peer::LiveRequest;
use spanloom_span::Tenant;
use spanloom_stage::{Budget, Permit};

use super::build::{Built, build_all, spans, spans_of};
use super::overlap::{Both, compare, take_sealed, union};
use crate::QueryError;

/// How columns are made.
pub(super) struct Build {
    pub threads: usize,
    pub nice: u8,
    /// Most spans of a run, about. More make columns that are read faster and fewer traces that lie in two runs; fewer let
    /// go of memory sooner, and are shared better by threads.
    pub run_spans: u64,
    pub budget: Arc<Budget>,
    /// Runs made so far, of all tenants: a run's number is that of no other one.
    pub numbered: AtomicU64,
}

/// Live columns as a question sees them.
#[derive(Default)]
pub(crate) struct View {
    /// The runs, in the order of the log.
    pub runs: Vec<Listed>,
    /// For each run the places of the traces that also lie in another run or in a block, ascending.
    pub elsewhere: Vec<Arc<[u32]>>,
    /// For each run the places of the traces whose spans there are all in blocks, ascending: as if they were not there.
    pub sealed: Vec<Arc<[u32]>>,
    /// For each of the tenant's blocks the places of the traces that also lie in a run, ascending.
    pub of_blocks: Vec<Arc<[u32]>>,
    /// What counts each run's memory, for who holds a run for longer than this.
    pub held: Vec<Arc<Permit>>,
}

/// A run of requests in columns.
struct Run {
    first: u64,
    last: u64,
    /// Ordinals of the requests, ascending. What is listed later with one of them is a copy of a part of it.
    seqs: Vec<u64>,
    spans: u64,
    number: u64,
    listed: Listed,
    /// Names of the blocks and numbers of the older runs that it was compared with.
    compared: HashSet<Arc<str>>,
    /// What it shares with those: none where nothing is.
    shared: Vec<(Arc<str>, Both)>,
    /// For each of the block's traces the highest ordinal of a request that it has spans of.
    last_seqs: Vec<u64>,
    /// Places of the traces whose spans are all in blocks, ascending.
    sealed: Arc<[u32]>,
    permit: Arc<Permit>,
}

/// Live requests that follow each other in the log.
struct Stretch {
    requests: Vec<LiveRequest>,
    /// The run that they are in; without one they are to be made into runs.
    run: Option<Run>,
}

/// A tenant's live columns.
#[derive(Default)]
pub(super) struct Segments {
    runs: Vec<Run>,
    /// The number of the run that was made last.
    numbered: u64,
    view: Option<(Arc<Vec<Listed>>, Arc<View>)>,
    /// When the live requests of the last view were listed, the blocks that were listed after them, and the view.
    seen: Option<(Instant, Arc<Vec<Listed>>, Arc<View>)>,
}

impl Run {
    /// Whether all of these requests, which are in the order of the log, are its own.
    fn has_all(&self, requests: &[LiveRequest]) -> bool {
        let mut own = self.seqs.iter().peekable();
        requests.iter().all(|request| {
            while own.next_if(|seq| **seq < request.seq).is_some() {}
            own.peek().is_some_and(|seq| **seq == request.seq)
        })
    }
}

impl Segments {
    /// Notes what a question saw.
    pub fn seen(&mut self, listed: Instant, blocks: &Arc<Vec<Listed>>, view: &Arc<View>) {
        self.seen = Some((listed, blocks.clone(), view.clone()));
    }

    /// When a question used them last.
    pub fn last_used(&self) -> Option<Instant> {
        self.seen.as_ref().map(|(listed, ..)| *listed)
    }

    /// What was seen last, if it was listed after a moment: who asked before then finds all that was there.
    pub fn seen_since(&self, moment: Instant) -> Option<(Arc<Vec<Listed>>, Arc<View>)> {
        let (listed, blocks, view) = self.seen.as_ref()?;
        (*listed >= moment).then(|| (blocks.clone(), view.clone()))
    }

    /// Makes columns of what is new, and lets go of what is no longer live. `live` is in the order of the log.
    pub fn update(
        &mut self,
        tenant: &Tenant,
        live: Vec<LiveRequest>,
        blocks: &Arc<Vec<Listed>>,
        build: &Build,
    ) -> Result<Arc<View>, QueryError> {
        if live.is_empty() {
            *self = Self::default();
            return Ok(Arc::default());
        }
        let (before, numbered) = (self.runs.len(), self.numbered);
        let stretches = stretches(std::mem::take(&mut self.runs), live, build.run_spans);
        self.make(tenant, stretches, build).map_err(failed)?;
        let is_same = self.runs.len() == before && self.numbered == numbered;
        if let Some((_, view)) = self.view.as_ref().filter(|(of, _)| is_same && is_one(of, blocks)) {
            return Ok(view.clone());
        }
        self.compare(blocks).map_err(failed)?;
        let view = Arc::new(self.view(blocks));
        self.view = Some((blocks.clone(), view.clone()));
        Ok(view)
    }

    fn make(
        &mut self,
        tenant: &Tenant,
        stretches: Vec<Stretch>,
        build: &Build,
    ) -> Result<(), spanloom_block::BlockError> {
        let fresh = stretches.iter().filter(|stretch| stretch.run.is_none());
        let runs: Vec<&[LiveRequest]> =
            fresh.flat_map(|stretch| cut(&stretch.requests, build.run_spans)).collect();
        let mut blocks = build_all(tenant, &runs, build)?.into_iter();
        for Stretch { requests, run } in stretches {
            if let Some(run) = run {
                self.runs.push(run);
                continue;
            }
            for (requests, block) in cut(&requests, build.run_spans).into_iter().zip(blocks.by_ref()) {
                self.numbered = build.numbered.fetch_add(1, Ordering::Relaxed) + 1;
                self.runs.push(Run::new(requests, block, self.numbered, build));
            }
        }
        Ok(())
    }

    /// Compares runs with blocks and with each other, where that is not done yet.
    fn compare(&mut self, blocks: &[Listed]) -> Result<(), spanloom_block::BlockError> {
        let others: Vec<(u64, Listed)> =
            self.runs.iter().map(|run| (run.number, run.listed.clone())).collect();
        for run in &mut self.runs {
            // The younger one of two runs keeps what both have.
            let older = others.iter().filter(|(number, _)| *number < run.number).map(|(_, listed)| listed);
            let (is_block, is_run) = (std::iter::repeat(true), std::iter::repeat(false));
            for (other, is_block) in blocks.iter().zip(is_block).chain(older.zip(is_run)) {
                if !run.compared.contains(&other.path) {
                    let mut both = compare(&run.listed.block, &other.block)?;
                    // Ordinals of a block that is elsewhere may be of another node's log.
                    if is_block && !other.block.is_far() {
                        let sealed = take_sealed(&mut both, &run.last_seqs, &other.block)?;
                        if !sealed.is_empty() {
                            run.sealed = union([&*run.sealed, &sealed[..]]).into();
                        }
                    }
                    if !both.left.is_empty() {
                        run.shared.push((other.path.clone(), both));
                    }
                    // Only now: a block that could not be read is compared by the next question.
                    run.compared.insert(other.path.clone());
                }
            }
        }
        Ok(())
    }

    fn view(&self, blocks: &[Listed]) -> View {
        let runs: Vec<Listed> = self.runs.iter().map(|run| run.listed.clone()).collect();
        let all = || blocks.iter().chain(&runs);
        let mut places: HashMap<&str, Vec<&[u32]>> =
            all().map(|listed| (&*listed.path, Vec::new())).collect();
        for run in &self.runs {
            for (other, both) in &run.shared {
                // Of what is gone nothing is said.
                if let Some(theirs) = places.get_mut(&**other) {
                    theirs.push(&both.right);
                    places.entry(&run.listed.path).or_default().push(&both.left);
                }
            }
        }
        let mut elsewhere: Vec<Arc<[u32]>> =
            all().map(|listed| union(places.remove(&*listed.path).unwrap_or_default()).into()).collect();
        let sealed = self.runs.iter().map(|run| run.sealed.clone()).collect();
        let held = self.runs.iter().map(|run| run.permit.clone()).collect();
        View { elsewhere: elsewhere.split_off(blocks.len()), of_blocks: elsewhere, sealed, runs, held }
    }
}

impl Run {
    fn new(requests: &[LiveRequest], built: Built, number: u64, build: &Build) -> Self {
        let Built { block, last_seqs } = built;
        let seq = |request: Option<&LiveRequest>| request.map_or(0, |request| request.seq);
        let permit = build.budget.force(block.meta().file_bytes as usize);
        Self {
            first: seq(requests.first()),
            last: seq(requests.last()),
            seqs: requests.iter().map(|request| request.seq).collect(),
            spans: spans(requests),
            number,
            listed: Listed {
                id: BlockId { created: 0, number },
                path: format!("live {number:06}").into(),
                block,
            },
            compared: HashSet::default(),
            shared: Vec::new(),
            last_seqs,
            sealed: Arc::default(),
            permit: Arc::new(permit),
        }
    }
}

/// Whether two listings are known to be the same.
fn is_one(left: &Arc<Vec<Listed>>, right: &Arc<Vec<Listed>>) -> bool {
    Arc::ptr_eq(left, right) || left.is_empty() && right.is_empty()
}

fn failed(source: spanloom_block::BlockError) -> QueryError {
    QueryError::Block { path: "of live spans".into(), source }
}

/// Runs beyond those that full ones would be, before small ones are joined.
const MANY: u64 = 24;

/// What is kept of the runs, and what has to be made of the live requests, in the order of the log.
fn stretches(runs: Vec<Run>, live: Vec<LiveRequest>, run_spans: u64) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = Vec::new();
    let total = spans(&live);
    let mut live = live.into_iter().peekable();
    let mut fresh = Vec::new();
    let mut put = |requests: Vec<LiveRequest>, run| {
        if !requests.is_empty() {
            out.push(Stretch { requests, run });
        }
    };
    for run in runs {
        fresh.extend(std::iter::from_fn(|| live.next_if(|request| request.seq < run.first)));
        let within: Vec<LiveRequest> =
            std::iter::from_fn(|| live.next_if(|request| request.seq <= run.last)).collect();
        // A run of which most is gone is made anew of the rest, and so is one that lacks a request.
        if spans(&within) * 4 < run.spans || !run.has_all(&within) {
            fresh.extend(within);
            continue;
        }
        put(std::mem::take(&mut fresh), None);
        put(within, Some(run));
    }
    fresh.extend(live);
    put(fresh, None);
    let is_many = out.len() as u64 > 2 * total / run_spans + MANY;
    if is_many { join(out, run_spans) } else { out }
}

/// Joins small runs with what follows them, where that is not much less, so that a span is moved few times.
fn join(stretches: Vec<Stretch>, run_spans: u64) -> Vec<Stretch> {
    let count = |stretch: &Stretch| spans(&stretch.requests);
    let mut out: Vec<Stretch> = Vec::new();
    for mut last in stretches {
        while let Some(mut before) = out
            .pop_if(|before| count(before) <= 2 * count(&last) && count(before) + count(&last) <= run_spans)
        {
            before.requests.append(&mut last.requests);
            last = Stretch { requests: before.requests, run: None };
        }
        out.push(last);
    }
    out
}

/// Cuts requests into runs of about the same size.
fn cut(requests: &[LiveRequest], run_spans: u64) -> Vec<&[LiveRequest]> {
    let runs = spans(requests).div_ceil(run_spans).max(1);
    let most = spans(requests).div_ceil(runs);
    let mut out = Vec::with_capacity(runs as usize);
    let (mut from, mut held) = (0, 0);
    for (at, request) in requests.iter().enumerate() {
        let more = spans_of(&request.batch);
        // A run never parts requests with the same ordinal: runs are told apart by ordinals.
        let is_apart = at > 0 && requests[at - 1].seq < request.seq;
        if held > 0 && held + more > most && is_apart {
            out.push(&requests[from..at]);
            (from, held) = (at, 0);
        }
        held += more;
    }
    out.extend((from < requests.len()).then(|| &requests[from..]));
    out
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
