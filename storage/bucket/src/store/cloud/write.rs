//! Writing: objects that fit one request, conditional writes, deleting.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, PutMode, PutOptions, PutPayload, UpdateVersion};

use super::parts::Source;
use super::{Cloud, Fault, Kind, Operation, Ordering, add, classify, version};
use crate::objects::{StoreError, Swapped, Upload, Version};

impl Cloud {
    pub async fn put(&self, path: &str, from: Upload) -> Result<(), StoreError> {
        const ACTION: &str = "writing";
        let location = self.location(ACTION, path)?;
        let source = match from {
            Upload::Bytes(bytes) => Source::Bytes(bytes),
            Upload::File(file) => Source::open(file).await.map_err(|reason| {
                self.counters.ended(Operation::Put, Default::default(), Some(Kind::Local));
                self.failed(ACTION, path, &reason)
            })?,
        };
        let result = self.put_source(&location, Arc::new(source)).await;
        self.finish(ACTION, path, result)
    }

    async fn put_source(&self, location: &Path, source: Arc<Source>) -> Result<(), Fault> {
        let bytes = source.len();
        if bytes > self.limits.part_bytes {
            self.put_parts(location, &source).await?;
        } else {
            let body = source.read(0..bytes).await?;
            self.put_once(Operation::Put, location, &body, PutMode::Overwrite).await?;
        }
        let found = self.length(location).await?;
        if found == bytes {
            return Ok(());
        }
        Err(Fault::Damaged(format!("{bytes} bytes were written, but it has {found}")))
    }

    pub async fn swap(
        &self,
        path: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Swapped, StoreError> {
        const ACTION: &str = "writing";
        let location = self.location(ACTION, path)?;
        let mode = match expected {
            None => PutMode::Create,
            Some(expected) => PutMode::Update(UpdateVersion {
                e_tag: expected.tag.clone(),
                version: expected.generation.clone(),
            }),
        };
        match self.put_once(Operation::Swap, &location, &bytes, mode).await {
            // Of an object that is to be replaced, some say that it is absent.
            Err(Fault::Conflict | Fault::Absent | Fault::Unchanged) => {
                self.health.good();
                add(&self.counters.conflicts, 1);
                Ok(Swapped::Conflict)
            }
            result => self.finish(ACTION, path, result).map(Swapped::Done),
        }
    }

    async fn put_once(
        &self,
        operation: Operation,
        location: &Path,
        bytes: &Bytes,
        mode: PutMode,
    ) -> Result<Version, Fault> {
        self.tries(operation, bytes.len() as u64, || async {
            let attributes = self.attributes.clone();
            let options = PutOptions { mode: mode.clone(), attributes, ..PutOptions::default() };
            let payload = PutPayload::from_bytes(bytes.clone());
            let written = self.remote.put_opts(location, payload, options).await;
            let written = written.map_err(|error| classify(&error))?;
            self.counters.bytes_out.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Ok(version(written.e_tag, written.version))
        })
        .await
    }

    /// An object's length.
    async fn length(&self, location: &Path) -> Result<u64, Fault> {
        self.tries(Operation::Head, 0, || async {
            let options = GetOptions { head: true, ..GetOptions::default() };
            let found = self.remote.get_opts(location, options).await;
            found.map(|found| found.meta.size).map_err(|error| classify(&error))
        })
        .await
    }

    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        const ACTION: &str = "deleting";
        let location = self.location(ACTION, path)?;
        let result = self
            .tries(Operation::Delete, 0, || async {
                use object_store::ObjectStoreExt;
                self.remote.delete(&location).await.map_err(|error| classify(&error))
            })
            .await;
        match result {
            Err(Fault::Absent) => {
                self.health.good();
                Ok(())
            }
            result => self.finish(ACTION, path, result),
        }
    }
}
