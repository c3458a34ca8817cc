//! What every store of objects promises, tried on each of them: memory and a folder always; S3, Google Cloud Storage
//! and Azure on the servers that the environment names, which `cargo xtask stores` starts.
//!
//! | file | holds |
//! |---|---|
//! | `main.rs` | the table of cases and stores |
//! | `subject.rs` | the stores, each test with a prefix of its own |
//! | `cases.rs` | reading, writing, deleting, listing |
//! | `races.rs` | several at once |
//! | `refusals.rs` | wrong keys, absent buckets, servers that are not there |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // these are tests
#![allow(clippy::single_range_in_vec_init)] // a list of one range is meant

mod cases;
mod races;
mod refusals;
mod subject;

use std::pin::Pin;

use subject::{Kind, Subject};

type Case = fn(Subject) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a case on a store, if there is one.
fn run(kind: Kind, case: Case) {
    let Some(subject) = Subject::new(kind) else { return };
    runtime().block_on(case(subject));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A test of each case on each store.
macro_rules! every_store {
    ($($module:ident :: $case:ident),* $(,)?) => {
        every_store!(@on memory Memory $($module $case)*);
        every_store!(@on folder Folder $($module $case)*);
        every_store!(@on s3 S3 $($module $case)*);
        every_store!(@on gcs Gcs $($module $case)*);
        every_store!(@on azure Azure $($module $case)*);
    };
    (@on $name:ident $kind:ident $($module:ident $case:ident)*) => {
        mod $name {
            $(#[test]
            fn $case() {
                super::run(super::Kind::$kind, |subject| Box::pin(super::$module::$case(subject)));
            })*
        }
    };
}

every_store!(
    cases::what_is_put_is_read,
    cases::what_is_known_is_not_read_again,
    cases::empty_objects_are_objects,
    cases::ranges_are_read,
    cases::ranges_past_the_end_are_damage,
    cases::swaps_need_the_expected_version,
    cases::long_listings_are_whole,
    cases::folders_are_listed,
    cases::what_is_deleted_is_absent,
    cases::large_objects_are_written_in_parts,
    cases::files_are_written,
    cases::every_name_of_a_tenant_is_kept,
    cases::paths_that_are_none_are_refused,
    races::no_update_is_lost,
    races::one_of_many_creates,
    races::readers_see_old_or_new,
);
