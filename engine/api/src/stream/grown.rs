//! Series as they grow: each message has those that are new or changed since the messages before, the last one all of
//! them, and what was done so far.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use spanloom_query::{Answers, MetricsPart};
use spanloom_traceql::answer::Series;
use spanloom_wire::query::series::{SeriesAnswer, put_instant_series, put_labels, put_range_series};

use super::reply::Message;
use crate::answer::{MANY_SAMPLES, beside};
use crate::parts::{cut_short, inspected};
use crate::series::asked::Shape;
use crate::{ApiMetrics, QueryError, series};

/// Answers on their way to a client.
pub(super) struct Grown {
    answers: Answers<MetricsPart>,
    shape: Shape,
    sent: Sent,
    metrics: ApiMetrics,
}

/// What a client has: by a sum of the labels of each series a sum of the bytes it was said in.
#[derive(Default)]
struct Sent {
    sums: HashMap<u64, u64>,
    state: RandomState,
}

impl Grown {
    /// Nothing is sent yet.
    pub fn new(answers: Answers<MetricsPart>, shape: Shape, metrics: ApiMetrics) -> Self {
        Self { answers, shape, sent: Sent::default(), metrics }
    }

    /// The next message and what follows it; `None` after the last one.
    pub async fn next(mut self) -> Option<(Result<Message, QueryError>, Option<Self>)> {
        let part = match self.answers.next_part().await {
            Some(Ok(part)) => part,
            Some(Err(error)) => return Some((Err(error.into()), None)),
            None => return Some((Err(cut_short()), None)),
        };
        let (is_last, partial) = (part.done, part.partial.clone());
        if is_last && let Some(limit) = part.limit {
            self.metrics.limited(limit);
        }
        let Self { answers, shape, mut sent, metrics } = self;
        let is_large = series::samples(&part) > MANY_SAMPLES;
        let written = beside(is_large, move || (sent.message(shape, &part), sent)).await;
        Some(match written {
            Ok((bytes, sent)) => {
                (Ok(Message { bytes, partial }), (!is_last).then_some(Self { answers, shape, sent, metrics }))
            }
            Err(error) => (Err(error), None),
        })
    }
}

impl Sent {
    /// A message of what the client does not have; of everything when it is the last.
    fn message(&mut self, shape: Shape, part: &MetricsPart) -> Vec<u8> {
        let mut changed = Vec::new();
        for one in part.series.iter().filter(|one| !one.samples.is_empty()) {
            let mut bytes = Vec::with_capacity(256);
            put(shape, &mut bytes, one);
            if self.is_new(one, &bytes) || part.done {
                changed.push(bytes);
            }
        }
        let answer = SeriesAnswer {
            series: &[],
            inspected: inspected(&part.stats),
            // What is left out is known in the end.
            partial: part.partial.as_deref().filter(|_| part.done),
        };
        answer.proto_of(changed.iter().map(Vec::as_slice))
    }

    fn is_new(&mut self, series: &Series, bytes: &[u8]) -> bool {
        let mut labels = Vec::with_capacity(64);
        put_labels(&mut labels, series);
        let sum = self.state.hash_one(bytes);
        self.sums.insert(self.state.hash_one(&labels), sum) != Some(sum)
    }
}

fn put(shape: Shape, out: &mut Vec<u8>, series: &Series) {
    match shape {
        Shape::Range => put_range_series(out, series),
        Shape::Instant => put_instant_series(out, series),
    }
}
