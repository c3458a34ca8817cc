//! Large objects are written part by part: some at once, each tried by itself, read from the file when their turn
//! comes. An upload that is not completed is aborted, also when its caller goes away.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{PutMultipartOptions, PutPayload};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{Cloud, Fault, Kind, Operation, Ordering, Remote, StoreCounters, add, classify};

/// The most parts that S3 and Google take.
const MAX_PARTS: u64 = 10_000;

/// What an object is written from.
pub(super) enum Source {
    Bytes(Bytes),
    File(Arc<File>, u64, PathBuf),
}

impl Source {
    /// Opens a file. Its length is fixed from here on.
    pub async fn open(path: PathBuf) -> Result<Self, String> {
        let opened = blocking(move || {
            let said = |error: std::io::Error| format!("the file {}: {error}", path.display());
            let file = File::open(&path).map_err(said)?;
            let bytes = file.metadata().map_err(said)?.len();
            Ok(Self::File(Arc::new(file), bytes, path))
        });
        opened.await
    }

    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, bytes, _) => *bytes,
        }
    }

    /// A part of it, in memory.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, Fault> {
        let (file, path) = match self {
            Self::Bytes(bytes) => return Ok(bytes.slice(range.start as usize..range.end as usize)),
            Self::File(file, _, path) => (file.clone(), path.clone()),
        };
        let read = blocking(move || {
            let mut bytes = vec![0; (range.end - range.start) as usize];
            file.read_exact_at(&mut bytes, range.start)
                .map_err(|error| format!("bytes {range:?} of the file {}: {error}", path.display()))?;
            Ok(Bytes::from(bytes))
        });
        read.await.map_err(|reason| Fault::Failed(Kind::Local, reason))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// An upload that has begun. Unless it is completed, it is aborted when nobody has it any more.
struct Begun {
    remote: Arc<dyn Remote>,
    counters: Arc<StoreCounters>,
    location: Path,
    id: String,
    time: std::time::Duration,
    open: bool,
}

impl Begun {
    /// Gives up the upload. Should that fail, the bucket's own rule has to remove its parts.
    async fn abort(&mut self) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        add(&self.counters.uploads_aborted, 1);
        let aborted = timeout(self.time, self.remote.abort_multipart(&self.location, &self.id)).await;
        if !matches!(aborted, Ok(Ok(()))) {
            tracing::warn!(path = %self.location, "an unfinished upload could not be aborted");
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let (true, Ok(runtime)) = (self.open, Handle::try_current()) {
            self.open = false;
            let mut begun = Self {
                remote: self.remote.clone(),
                counters: self.counters.clone(),
                location: self.location.clone(),
                id: std::mem::take(&mut self.id),
                time: self.time,
                open: true,
            };
            runtime.spawn(async move { begun.abort().await });
        }
    }
}

impl Cloud {
    /// Writes an object in parts.
    pub(super) async fn put_parts(&self, location: &Path, source: &Arc<Source>) -> Result<(), Fault> {
        let mut began_anew = false;
        loop {
            let id = self.begin(location).await?;
            let mut begun = Begun {
                remote: self.remote.clone(),
                counters: self.counters.clone(),
                location: location.clone(),
                id,
                time: self.limits.timeout,
                open: true,
            };
            match self.send_and_complete(&begun, source).await {
                Ok(()) => {
                    begun.open = false;
                    return Ok(());
                }
                // The upload is gone: its completion succeeded, but the answer was lost; or somebody aborted it.
                // Nobody can tell, so it is written once more.
                Err(Fault::Absent) if !began_anew => {
                    begun.open = false;
                    began_anew = true;
                }
                Err(Fault::Absent) => {
                    begun.abort().await;
                    return Err(Fault::Failed(Kind::Server, "its upload in parts was gone twice".into()));
                }
                Err(fault) => {
                    begun.abort().await;
                    return Err(fault);
                }
            }
        }
    }

    async fn begin(&self, location: &Path) -> Result<String, Fault> {
        let begin = || async {
            let options =
                PutMultipartOptions { attributes: self.attributes.clone(), ..PutMultipartOptions::default() };
            let id = self.remote.create_multipart_opts(location, options).await;
            id.map_err(|error| classify(&error))
        };
        self.tries(Operation::Part, 0, begin).await
    }

    async fn send_and_complete(&self, begun: &Begun, source: &Arc<Source>) -> Result<(), Fault> {
        let sent = futures_util::stream::iter(parts_of(source.len(), self.limits.part_bytes).enumerate())
            .map(|(number, range)| self.send(begun, number, source, range))
            .buffered(self.limits.parts_at_once.max(1));
        let parts: Vec<PartId> = sent.try_collect().await?;
        let complete = || async {
            let done = self.remote.complete_multipart(&begun.location, &begun.id, parts.clone()).await;
            done.map(drop).map_err(|error| classify(&error))
        };
        // S3 takes some time to put many parts together.
        self.tries(Operation::Part, source.len() / 16, complete).await
    }

    async fn send(
        &self,
        begun: &Begun,
        number: usize,
        source: &Source,
        range: Range<u64>,
    ) -> Result<PartId, Fault> {
        let bytes = source.read(range).await?;
        let send = || async {
            let payload = PutPayload::from_bytes(bytes.clone());
            let part = self.remote.put_part(&begun.location, &begun.id, number, payload).await;
            let part = part.map_err(|error| classify(&error))?;
            self.counters.bytes_out.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Ok(part)
        };
        self.tries(Operation::Part, bytes.len() as u64, send).await
    }
}

/// The parts of an object: all of one length but the last, and no more than a store takes.
fn parts_of(bytes: u64, part: u64) -> impl Iterator<Item = Range<u64>> {
    let part = part.max(bytes.div_ceil(MAX_PARTS).next_multiple_of(1 << 20)).max(1);
    (0..bytes.div_ceil(part)).map(move |at| at * part..bytes.min((at + 1) * part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_alike_and_not_too_many() {
        const MIB: u64 = 1 << 20;
        for (bytes, part, count, first) in [
            (1, 5 * MIB, 1, 1),
            (11 * MIB, 5 * MIB, 3, 5 * MIB),
            (10 * MIB, 5 * MIB, 2, 5 * MIB),
            (1 << 40, 5 * MIB, 9987, 105 * MIB),
        ] {
            let parts: Vec<_> = parts_of(bytes, part).collect();
            assert_eq!((parts.len(), parts[0].end), (count, first), "{bytes}");
            assert_eq!(parts.iter().map(|part| part.end - part.start).sum::<u64>(), bytes);
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }
}
