//! What must hold for any bytes found as a manifest. Shared by the fuzz target and the seed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

use spanloom_bucket::catalog::{Change, Manifest, TenantsList};
use xxhash_rust::xxh3::xxh3_64;

/// The bytes are refused or read; the same with a checksum that is right. What is read comes back when it is written,
/// and takes changes.
pub fn holds(data: &[u8]) {
    check(data);
    if let Some(body) = data.len().checked_sub(8) {
        let sum = xxh3_64(&data[..body]).to_le_bytes();
        check(&[&data[..body], &sum].concat());
    }
    if let Ok(tenants) = TenantsList::decode(data) {
        assert_eq!(tenants.encode(), data, "a list of tenants has one form");
    }
}

fn check(bytes: &[u8]) {
    let Ok(manifest) = Manifest::decode(bytes) else { return };
    let listed = manifest.blocks.len() + manifest.gone.len() + manifest.aside.len();
    assert!(listed <= bytes.len() * 8, "each entry takes a bit at least");
    assert!(manifest.blocks.is_sorted_by(|one, next| one.id < next.id));
    assert!(manifest.blocks.iter().all(|entry| entry.tail <= entry.bytes));
    let again = manifest.encode();
    assert_eq!(
        Manifest::decode(&again).as_ref(),
        Ok(&manifest),
        "what is read is written so that it reads the same"
    );
    let add: Vec<_> = manifest.blocks.iter().copied().take(4).collect();
    if manifest.version < u64::MAX {
        let same =
            manifest.apply(&Change { add, ..Change::default() }, 1).expect("what is listed may be added");
        assert_eq!(same, manifest);
    }
}
