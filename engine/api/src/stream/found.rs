//! Traces as they are found: each message has those that are new or changed since the messages before, and what
//! was done so far.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use spanloom_query::{Answers, SearchPart};
use spanloom_span::TraceId;
use spanloom_wire::query::search;

use super::reply::Message;
use crate::QueryError;
use crate::answer::{MANY_TRACES, beside};
use crate::parts::{cut_short, inspected};

/// Answers on their way to a client.
pub(super) struct Found {
    answers: Answers<SearchPart>,
    sent: Sent,
}

/// What a client has: of each trace a sum of the bytes it was said in.
#[derive(Default)]
struct Sent {
    sums: HashMap<TraceId, u64>,
    state: RandomState,
}

impl Found {
    /// Nothing is sent yet.
    pub fn new(answers: Answers<SearchPart>) -> Self {
        Self { answers, sent: Sent::default() }
    }

    /// The next message and what follows it; `None` after the last one.
    pub async fn next(mut self) -> Option<(Result<Message, QueryError>, Option<Self>)> {
        let part = match self.answers.next_part().await {
            Some(Ok(part)) => part,
            Some(Err(error)) => return Some((Err(error.into()), None)),
            None => return Some((Err(cut_short()), None)),
        };
        let (is_last, partial) = (part.done, part.partial.clone());
        let Self { answers, mut sent } = self;
        let written = beside(part.traces.len() > MANY_TRACES, move || (sent.message(&part), sent)).await;
        Some(match written {
            Ok((bytes, sent)) => {
                (Ok(Message { bytes, partial }), (!is_last).then_some(Self { answers, sent }))
            }
            Err(error) => (Err(error), None),
        })
    }
}

impl Sent {
    /// A message of what the client does not have.
    fn message(&mut self, part: &SearchPart) -> Vec<u8> {
        let mut traces = Vec::new();
        for trace in &part.traces {
            let mut bytes = Vec::with_capacity(512);
            search::put_trace(&mut bytes, trace);
            let sum = self.state.hash_one(&bytes);
            if self.sums.insert(trace.id, sum) != Some(sum) {
                traces.push(bytes);
            }
        }
        search::proto_of(traces.iter().map(Vec::as_slice), &inspected(&part.stats))
    }
}
