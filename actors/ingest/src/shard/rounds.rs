//! Rounds of cutting: the sealer asks, traces put their parts into its basket, and hear what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::prelude::*;
use crossbeam::channel::Sender;

use super::plan::{CutPolicy, Survey, longest_idle};
use super::{LiveTrace, Shard};
use crate::seal::Basket;
use crate::tenants::TraceKey;

/// Asks what could be cut.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TakeSurvey {
    /// When a trace may be cut.
    pub policy: CutPolicy,
    /// Where the answer goes.
    pub reply: Sender<Survey>,
}

impl Handler<TakeSurvey> for Shard {
    type Result = ();

    fn handle(&mut self, message: TakeSurvey, _: &mut Context<Self>) {
        let policy = message.policy;
        let mut survey = Survey::default();
        for trace in self.parts.state.directory.iter() {
            survey.traces += 1;
            if trace.bytes > 0 {
                survey.oldest_ms = survey.oldest_ms.max(policy.now_ms.saturating_sub(trace.opened_ms));
                if trace.sealing_bytes == 0 && policy.ripe(&trace) {
                    survey.ripe_bytes += trace.bytes;
                }
            }
        }
        // The sealer may have stopped.
        let _ = message.reply.try_send(survey);
    }
}

/// Starts a round: the traces chosen put their parts into the basket. The basket is complete when the last
/// holder has let it go.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CutRound {
    /// Which traces.
    pub policy: CutPolicy,
    /// Where their parts go.
    pub basket: Arc<Basket>,
}

impl Handler<CutRound> for Shard {
    type Result = ();

    fn handle(&mut self, message: CutRound, _: &mut Context<Self>) {
        self.give_deferred();
        // A part that waits outside its trace would be missed; and one round ends before the next.
        if !self.deferred.is_empty() || !self.cutting.is_empty() {
            return;
        }
        let through = self.parts.state.last_seq.load(Ordering::Acquire);
        let chosen = self.choose(&message.policy);
        let mut failed = Vec::new();
        for key in chosen {
            let Some(mut trace) = self.parts.state.directory.get_mut(&key) else { continue };
            let through = if self.incomplete.contains(&key) { 0 } else { through };
            if trace.handle.cut(through, &message.basket) {
                let bytes = std::mem::take(&mut trace.bytes);
                trace.sealing_bytes = bytes;
                trace.oldest_seq = u64::MAX;
                self.parts.state.live_bytes.fetch_sub(bytes, Ordering::Relaxed);
                self.cutting.push(key);
            } else if !trace.handle.is_open() {
                failed.push(key);
            }
        }
        failed.into_iter().for_each(|key| self.failed(key));
        self.rehome_survivors();
        self.last_round_seq = through;
    }
}

impl Shard {
    fn choose(&self, policy: &CutPolicy) -> Vec<TraceKey> {
        let mut ripe = Vec::new();
        let mut others = Vec::new();
        let mut ripe_bytes = 0;
        for item in self.parts.state.directory.iter() {
            let (key, trace): (&TraceKey, &LiveTrace) = item.pair();
            if trace.bytes == 0 || trace.sealing_bytes > 0 {
                continue;
            }
            if policy.ripe(trace) {
                ripe_bytes += trace.bytes;
                ripe.push(*key);
            } else if policy.pressure > 0.0 {
                others.push((trace.last_seen_ms, trace.bytes, *key));
            }
        }
        let live = self.parts.state.live_bytes.load(Ordering::Relaxed);
        let want = ((live as f64 * policy.pressure) as u64).saturating_sub(ripe_bytes);
        ripe.extend(longest_idle(others, want));
        ripe
    }

    /// Parts that have outlived a whole round leave the batches they share, so that a slow trace does not hold
    /// a large request.
    fn rehome_survivors(&self) {
        let before = self.last_round_seq;
        for mut item in self.parts.state.directory.iter_mut() {
            let trace = item.value_mut();
            if trace.oldest_seq < before {
                trace.handle.rehome(before);
                trace.oldest_seq = before;
            }
        }
    }
}

/// The round has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RoundEnded {
    /// Whether its traces are in blocks; if not, they are live again.
    pub sealed: bool,
}

impl Handler<RoundEnded> for Shard {
    type Result = ();

    fn handle(&mut self, message: RoundEnded, _: &mut Context<Self>) {
        for key in std::mem::take(&mut self.cutting) {
            self.end(key, message.sealed);
        }
    }
}

impl Shard {
    fn end(&mut self, key: TraceKey, sealed: bool) {
        // A trace to which nothing came in the meantime ends here: its handle is the last one.
        let done = |_: &TraceKey, trace: &LiveTrace| sealed && trace.bytes == 0;
        if let Some((_, trace)) = self.parts.state.directory.remove_if(&key, done) {
            self.closed(&trace);
            return;
        }
        let Some(mut trace) = self.parts.state.directory.get_mut(&key) else { return };
        let bytes = std::mem::take(&mut trace.sealing_bytes);
        if !sealed {
            trace.bytes += bytes;
            trace.oldest_seq = 0;
            self.parts.state.live_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        let heard = trace.handle.cut_ended(sealed);
        drop(trace);
        if !heard {
            self.failed(key);
        }
    }
}
