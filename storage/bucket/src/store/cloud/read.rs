//! Reading: whole objects and ranges. A read that has no answer for a while is asked once more beside, and the first
//! answer is taken; what comes back is as long as what was asked for, or it is asked for again.

use std::future::Future;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult};
use tokio::time::{sleep, timeout};

use super::{Cloud, Fault, Kind, Operation, add, classify, version};
use crate::objects::{Got, StoreError, Version};
use crate::store::coalesce::{Read, coalesce};
use crate::store::retry::Retry;

/// Bytes of an object, and which writing of it they are of.
struct Piece {
    bytes: Bytes,
    version: Version,
}

impl Cloud {
    pub async fn get(&self, path: &str, unless: Option<&Version>) -> Result<Got, StoreError> {
        const ACTION: &str = "reading";
        let location = self.location(ACTION, path)?;
        let options = GetOptions {
            if_none_match: unless.and_then(|version| version.tag.clone()),
            ..GetOptions::default()
        };
        match self.read(&location, &options, self.limits.largest_get).await {
            Ok(piece) => {
                self.health.good();
                // A store that ignores the condition, or has no tags.
                let known = unless.is_some_and(|version| *version == piece.version);
                Ok(if known { Got::Unchanged } else { Got::Object(piece.bytes, piece.version) })
            }
            Err(Fault::Absent) => {
                self.health.good();
                Ok(Got::Absent)
            }
            Err(Fault::Unchanged) => {
                self.health.good();
                Ok(Got::Unchanged)
            }
            Err(fault) => self.finish(ACTION, path, Err(fault)),
        }
    }

    pub async fn ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        const ACTION: &str = "reading";
        let location = self.location(ACTION, path)?;
        if let Some(range) = ranges.iter().find(|range| range.start > range.end) {
            return Err(self.failed(ACTION, path, &format!("the range {range:?} ends before it begins")));
        }
        let reads = coalesce(ranges, self.limits.coalesce_gap, self.limits.coalesce_bytes);
        if reads.is_empty() {
            return Ok(vec![Bytes::new(); ranges.len()]);
        }
        let result = self.one_version(&location, &reads).await;
        let pieces = self.finish(ACTION, path, result)?;
        let mut found = vec![Bytes::new(); ranges.len()];
        for (read, piece) in reads.iter().zip(pieces) {
            for &at in &read.wanted {
                let from = (ranges[at].start - read.range.start) as usize;
                let to = (ranges[at].end - read.range.start) as usize;
                found[at] = piece.bytes.slice(from..to);
            }
        }
        Ok(found)
    }

    /// Reads all, until all are of one writing of the object.
    async fn one_version(&self, location: &Path, reads: &[Read]) -> Result<Vec<Piece>, Fault> {
        let mut retry = Retry::new(&self.limits);
        loop {
            let at_once = self.limits.reads_at_once.max(1);
            let asked: Vec<_> =
                reads.iter().map(|read| self.read_range(location, read.range.clone())).collect();
            let pieces: Vec<Piece> =
                futures_util::stream::iter(asked).buffered(at_once).try_collect().await?;
            if pieces.windows(2).all(|pair| pair[0].version == pair[1].version) {
                return Ok(pieces);
            }
            let Some(pause) = retry.again() else {
                return Err(Fault::Failed(Kind::Short, "it is being written over and over".into()));
            };
            sleep(pause).await;
        }
    }

    async fn read_range(&self, location: &Path, range: Range<u64>) -> Result<Piece, Fault> {
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let piece = self.read(location, &options, range.end - range.start).await?;
        let (got, wanted) = (piece.bytes.len() as u64, range.end - range.start);
        if got == wanted { Ok(piece) } else { Err(ends_early(&range, range.start + got)) }
    }

    /// One read of at most so many bytes, tried until it succeeds.
    async fn read(&self, location: &Path, options: &GetOptions, most: u64) -> Result<Piece, Fault> {
        let range = match &options.range {
            Some(GetRange::Bounded(range)) => Some(range),
            _ => None,
        };
        // Of a whole object, `body` knows its length and has less patience.
        self.tries(Operation::Get, most, || async {
            let begin = || async {
                let answer = self.remote.get_opts(location, options.clone());
                match timeout(self.limits.timeout, answer).await {
                    Ok(Ok(result)) => Ok(result),
                    Ok(Err(error)) => Err(past_the_end(classify(&error), range)),
                    Err(_) => Err(Fault::timeout()),
                }
            };
            let result = self.hedged(begin).await?;
            self.body(result, most).await
        })
        .await
    }

    /// The bytes of an answer, as many as it announced.
    async fn body(&self, result: GetResult, most: u64) -> Result<Piece, Fault> {
        let expected = result.range.end - result.range.start;
        if expected > most {
            let text = format!("there are {expected} bytes, expected {most} at most");
            return Err(Fault::Failed(Kind::Rejected, text));
        }
        let version = version(result.meta.e_tag.clone(), result.meta.version.clone());
        match timeout(self.time_for(expected), self.chunks(result, expected)).await {
            Ok(bytes) => Ok(Piece { bytes: bytes?, version }),
            Err(_) => Err(Fault::timeout()),
        }
    }

    async fn chunks(&self, result: GetResult, expected: u64) -> Result<Bytes, Fault> {
        let mut stream = result.into_stream();
        let (mut chunks, mut got) = (Vec::new(), 0);
        loop {
            let chunk: Bytes = match timeout(self.limits.timeout, stream.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(error))) => return Err(classify(&error)),
                Ok(None) => break,
                Err(_) => return Err(Fault::timeout()),
            };
            add(&self.counters.bytes_in, chunk.len() as u64);
            got += chunk.len() as u64;
            if got > expected {
                break;
            }
            chunks.push(chunk);
        }
        if got != expected {
            let text = format!("the answer had {got} bytes, expected {expected}");
            return Err(Fault::Failed(Kind::Short, text));
        }
        Ok(joined(chunks, got))
    }

    /// The first answer to a question that is asked again, beside, when there is none for a while.
    async fn hedged<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let Some(delay) = self.limits.hedge_after else { return ask().await };
        let number = |number: u32, permit| {
            let answer = ask();
            async move {
                let result = answer.await;
                drop(permit);
                (number, result)
            }
        };
        let mut asked = FuturesUnordered::new();
        asked.push(number(0, None));
        let mut extra = 0;
        let mut room = self.limits.hedge_up_to > 0;
        loop {
            tokio::select! {
                Some((number, result)) = asked.next() => match result {
                    Err(Fault::Failed(kind, _)) if kind.passes() && !asked.is_empty() => {}
                    result => {
                        if number > 0 && result.is_ok() {
                            add(&self.counters.hedges_won, 1);
                        }
                        return result;
                    }
                },
                () = sleep(delay), if room => match self.permits.clone().try_acquire_owned() {
                    Ok(permit) => {
                        extra += 1;
                        room = extra < self.limits.hedge_up_to;
                        add(&self.counters.hedges_started, 1);
                        asked.push(number(extra, Some(permit)));
                    }
                    // Too busy to ask twice.
                    Err(_) => room = false,
                },
            }
        }
    }
}

/// What it means that a store does not have the range.
fn past_the_end(fault: Fault, range: Option<&Range<u64>>) -> Fault {
    match (fault, range) {
        (Fault::Failed(_, text), Some(range))
            if text.contains("416 ") || text.contains("Wanted range starting at") =>
        {
            Fault::Damaged(format!("it ends before byte {}, expected bytes {range:?} of it", range.start))
        }
        (fault, _) => fault,
    }
}

fn ends_early(range: &Range<u64>, end: u64) -> Fault {
    Fault::Damaged(format!("it ends at byte {end}, expected bytes {range:?} of it"))
}

/// The chunks as one.
fn joined(mut chunks: Vec<Bytes>, bytes: u64) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(bytes as usize);
    for chunk in chunks {
        whole.extend_from_slice(&chunk);
    }
    whole.freeze()
}
