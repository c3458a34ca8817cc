//! Which spans are shown behind the samples: spread over the range, at most one of a trace, and the same ones
//! however the work is split.

use spanloom_span::TraceId;

use crate::answer::{Exemplar, Steps};

/// Most places for exemplars in a series.
const MAX_PLACES: usize = 1000;

/// The range in equal stretches, each with room for one exemplar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    from: u64,
    length: u64,
    count: usize,
}

impl Places {
    pub fn new(steps: &Steps, most: usize) -> Self {
        let (from, until) = steps.bounds();
        Self { from, length: (until - from).saturating_add(1), count: most.min(MAX_PLACES) }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    fn of(&self, start: u64) -> u16 {
        let after = u128::from(start.saturating_sub(self.from).min(self.length - 1));
        (after * self.count as u128 / u128::from(self.length)) as u16
    }
}

/// The best candidate of each place, by place.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Vec<(u16, Candidate)>);

/// A span that may be shown. The least one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// Of the trace's id and the place: any trace is as likely as any other, and in each place another.
    lot: u64,
    trace: TraceId,
    at: u64,
    bits: u64,
}

impl Exemplars {
    /// Offers a span.
    pub fn offer(&mut self, places: &Places, trace: TraceId, at: u64, value: f64) {
        if places.count > 0 {
            let place = places.of(at);
            self.put(place, Candidate { lot: lot(trace, place), trace, at, bits: value.to_bits() });
        }
    }

    /// Adds the candidates of another.
    pub fn merge(&mut self, other: &Exemplars) {
        other.0.iter().for_each(|(place, candidate)| self.put(*place, *candidate));
    }

    /// The candidates by place: place, trace, start and the value's bits.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = (u16, TraceId, u64, u64)> {
        self.0.iter().map(|(place, candidate)| (*place, candidate.trace, candidate.at, candidate.bits))
    }

    /// Adds a candidate of a place.
    pub fn put_candidate(&mut self, place: u16, trace: TraceId, at: u64, bits: u64) {
        self.put(place, Candidate { lot: lot(trace, place), trace, at, bits });
    }

    fn put(&mut self, place: u16, candidate: Candidate) {
        match self.0.binary_search_by_key(&place, |(known, _)| *known) {
            Ok(at) => self.0[at].1 = self.0[at].1.min(candidate),
            Err(at) => self.0.insert(at, (place, candidate)),
        }
    }

    /// Those that are shown, in the order of time.
    pub fn shown(&self) -> Vec<Exemplar> {
        let mut traces = std::collections::HashSet::new();
        let fresh = self.0.iter().filter(|(_, candidate)| traces.insert(candidate.trace));
        let mut shown: Vec<Exemplar> = fresh
            .map(|(_, candidate)| Exemplar {
                trace: candidate.trace,
                at: candidate.at,
                value: f64::from_bits(candidate.bits),
            })
            .collect();
        shown.sort_by_key(|exemplar| (exemplar.at, exemplar.trace));
        shown
    }
}

/// A number that looks random and is always the same: the finisher of splitmix64 over both halves.
fn lot(trace: TraceId, place: u16) -> u64 {
    let mix = |mut bits: u64| {
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    };
    let whole = u128::from_be_bytes(trace.0);
    mix(mix((whole >> 64) as u64 ^ u64::from(place)).wrapping_add(whole as u64))
}
