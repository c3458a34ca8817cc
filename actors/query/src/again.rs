//! A question over many traces is put to its sources, and put again when a block of another node cannot be read: the
//! node may have let go of what it listed, or have died. What others hold as well is then read from them.

use std::time::{Duration, Instant};

use spanloom_ring::NodeName;
use spanloom_span::Tenant;
use tokio::sync::mpsc;

use crate::kind::Kind;
use crate::peers::Asking;
use crate::progress::Progress;
use crate::querier::Inner;
use crate::question::Question;
use crate::sources::Sources;
use crate::split::{drive, plan};
use crate::{Answers, Querier, QueryError};

/// Parts of an answer that wait for their reader.
pub(crate) const PARTS: usize = 4;

/// How often a question is put again at most.
const AGAIN: u32 = 3;

/// Most errands that another node has of a question at a time.
const MOST_ERRANDS: usize = 8;

/// Where the parts of an answer go.
pub(crate) type Parts<T> = mpsc::Sender<Result<T, QueryError>>;

/// A question, and how it is worked on once its sources are there.
struct Put<W> {
    querier: Querier,
    tenants: Vec<Tenant>,
    begun: Instant,
    again: u32,
    without: Vec<NodeName>,
    kind: W,
}

impl Querier {
    /// Sets the threads to work on an answer that comes in parts.
    pub(crate) async fn ask<K: Kind>(
        &self,
        tenants: Vec<Tenant>,
        kind: impl Fn(Sources) -> K + Send + Sync + 'static,
    ) -> Result<Answers<K::Part>, QueryError> {
        let (querier, begun) = (self.clone(), Instant::now());
        let mut question = Put { querier, tenants, begun, again: 0, without: Vec::new(), kind };
        let parts = question.put().await?;
        if self.inner.peers.is_none() {
            return Ok(Answers::new(parts));
        }
        let (answer, out) = mpsc::channel(PARTS);
        tokio::spawn(question.hand_on(parts, answer));
        Ok(Answers::new(out))
    }
}

impl<W> Put<W> {
    /// Puts it to its sources, and again where that helps.
    async fn put<K: Kind>(&mut self) -> Result<mpsc::Receiver<Result<K::Part, QueryError>>, QueryError>
    where
        W: Fn(Sources) -> K,
    {
        loop {
            match self.put_once().await {
                Err(error) if self.is_worth_another(&error) => {}
                put => return put,
            }
        }
    }

    async fn put_once<K: Kind>(&self) -> Result<mpsc::Receiver<Result<K::Part, QueryError>>, QueryError>
    where
        W: Fn(Sources) -> K,
    {
        let inner = &self.querier.inner;
        let busy = || self.querier.busy();
        // As many may wait for their sources as are worked on.
        let waiting = inner.waiting.try_acquire().map_err(|_| busy())?;
        let asking = Asking { deadline: self.deadline(), without: self.without.clone() };
        let sources = Sources::take(inner, &self.tenants, &asking).await?;
        let kind = (self.kind)(sources);
        let split = plan(inner, &kind, &self.without);
        let (answer, parts) = mpsc::channel(PARTS);
        let progress = Progress::begun(self.begun, inner.options.timeout);
        let question = Question::new(kind, progress, answer, split.clone());
        let submitted = inner.pool.submit(question.clone()).map_err(|_| busy());
        drop(waiting);
        submitted?;
        if let (Some(split), [tenant]) = (split, &self.tenants[..]) {
            // As many as keep its threads busy, if it has as many as this node.
            let most = inner.pool.threads().clamp(2, MOST_ERRANDS);
            tokio::spawn(drive(question, split, tenant.clone(), self.deadline(), most));
        }
        Ok(parts)
    }

    fn deadline(&self) -> Option<Instant> {
        let timeout: Duration = self.querier.inner.options.timeout;
        (!timeout.is_zero()).then(|| self.begun + timeout)
    }

    /// Whether to put it again after an error; from then on without the nodes that are to blame.
    fn is_worth_another(&mut self, error: &QueryError) -> bool {
        let Inner { peers: Some(peers), .. } = &*self.querier.inner else { return false };
        let QueryError::Peers { nodes, .. } = error else { return false };
        self.again += 1;
        // Who has let go of a block, or gave other bytes than it should, has another chance.
        let blamed = peers.to_blame(nodes, self.begun, self.again > 1);
        self.without.extend(blamed);
        tracing::debug!(%error, without = ?self.without, "blocks of other nodes could not be read");
        self.again <= AGAIN
    }

    /// Hands the parts on to whoever reads them, and puts the question again when that helps. Parts that were handed on
    /// before are repeated then, and the last one is whole all the same.
    async fn hand_on<K: Kind>(
        mut self,
        mut parts: mpsc::Receiver<Result<K::Part, QueryError>>,
        answer: Parts<K::Part>,
    ) where
        W: Fn(Sources) -> K,
    {
        loop {
            let part = tokio::select! {
                biased;
                () = answer.closed() => return,
                part = parts.recv() => part,
            };
            let part = match part {
                None => return,
                Some(Err(error)) if self.is_worth_another(&error) => match self.put().await {
                    Ok(fresh) => {
                        parts = fresh;
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Some(part) => part,
            };
            if answer.send(part).await.is_err() {
                return;
            }
        }
    }
}
