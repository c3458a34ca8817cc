//! What is asked of a store of objects: a cloud's, a folder, or one that a test makes misbehave.

use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// A store of objects. Paths are relative to the store's own prefix, with `/` between their parts.
///
/// Every call is tried again within the store's own limits before it fails; it may have had its effect though it
/// failed, so whoever calls must be able to call again.
pub trait Objects: Send + Sync + 'static {
    /// A whole object; `unless` is the version that the caller has already.
    fn get<'a>(
        &'a self,
        path: &'a str,
        unless: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Got, StoreError>>;

    /// Some ranges of an object, in their order. Neighbours may be read in one request, and more than was asked for.
    fn ranges<'a>(
        &'a self,
        path: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>>;

    /// Writes an object, whatever is there; when this returns it is durable and whole.
    fn put<'a>(&'a self, path: &'a str, from: Upload) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Writes a small object if what is there has the expected version, or nothing is there and `None` is expected.
    fn swap<'a>(
        &'a self,
        path: &'a str,
        bytes: Bytes,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>>;

    /// Deletes an object; one that is not there is no error.
    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Every object below a folder, in no order.
    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Found>, StoreError>>;

    /// The folders directly below a folder, by their last names.
    fn folders<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;
}

/// What an object is written from.
#[derive(Debug, Clone)]
pub enum Upload {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file, read part by part.
    File(PathBuf),
}

/// Which writing of an object it is: what the store calls entity tag or generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The entity tag, if the store has them.
    pub tag: Option<String>,
    /// The generation, if the store has them.
    pub generation: Option<String>,
}

/// What was found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// There is no such object.
    Absent,
    /// It is still the version that the caller has.
    Unchanged,
    /// The object.
    Object(Bytes, Version),
}

/// What came of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swapped {
    /// It was written, and has this version now.
    Done(Version),
    /// Another writer came first, or the caller's own first try did and its answer was lost; nothing was written.
    Conflict,
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path, as it is given to [`Objects::get`].
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was written, in nanoseconds since 1970 by the store's clock.
    pub modified: u64,
}

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("{path}: there is no such object in {store}")]
    Absent {
        /// Which store, without credentials.
        store: String,
        /// Which object.
        path: String,
    },
    /// The store refuses the credentials, or what they may do. Trying again does not help.
    #[error("{action} {path}: {store} refuses the credentials: {reason}")]
    Refused {
        /// What was being done.
        action: &'static str,
        /// Which store, without credentials.
        store: String,
        /// Which object.
        path: String,
        /// What the store said.
        reason: String,
    },
    /// The store did not answer, or answered with an error, however often it was tried.
    #[error("{action} {path}: {store}: {reason}")]
    Failed {
        /// What was being done.
        action: &'static str,
        /// Which store, without credentials.
        store: String,
        /// Which object.
        path: String,
        /// What was said last.
        reason: String,
    },
    /// What came back is not what was written.
    #[error("{path} of {store} is damaged: {reason}")]
    Damaged {
        /// Which store, without credentials.
        store: String,
        /// Which object.
        path: String,
        /// What was found and what was expected.
        reason: String,
    },
}
