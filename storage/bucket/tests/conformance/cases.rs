//! One at a time: reading, writing, deleting, listing.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use spanloom_bucket::objects::{Found, Got, Objects, StoreError, Swapped, Upload, Version};
use spanloom_span::Tenant;

use crate::subject::Subject;

/// Bytes that are all different from their neighbours, so that a wrong place shows.
fn noise(len: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

async fn put(store: &dyn Objects, path: &str, bytes: impl Into<Bytes>) {
    store.put(path, Upload::Bytes(bytes.into())).await.unwrap();
}

async fn object(store: &dyn Objects, path: &str) -> (Bytes, Version) {
    match store.get(path, None).await.unwrap() {
        Got::Object(bytes, version) => (bytes, version),
        got => panic!("{path} is {got:?}, expected an object"),
    }
}

async fn lengths(store: &dyn Objects, folder: &str) -> BTreeMap<String, u64> {
    let found: Vec<Found> = store.list(folder).await.unwrap();
    let count = found.len();
    let lengths: BTreeMap<_, _> = found.into_iter().map(|found| (found.path, found.bytes)).collect();
    assert_eq!(lengths.len(), count, "a path was listed twice");
    lengths
}

pub async fn what_is_put_is_read(s: Subject) {
    assert_eq!(s.store.get("a/b", None).await.unwrap(), Got::Absent);
    put(&*s.store, "a/b", &b"one"[..]).await;
    assert_eq!(object(&*s.store, "a/b").await.0, "one");
    put(&*s.other, "a/b", &b"another one"[..]).await;
    assert_eq!(object(&*s.store, "a/b").await.0, "another one");
    assert_eq!(s.store.get("a", None).await.unwrap(), Got::Absent, "a folder is no object");
}

pub async fn what_is_known_is_not_read_again(s: Subject) {
    put(&*s.store, "a", &b"one"[..]).await;
    let (_, first) = object(&*s.store, "a").await;
    assert_eq!(s.other.get("a", Some(&first)).await.unwrap(), Got::Unchanged);
    put(&*s.store, "a", &b"two"[..]).await;
    let Got::Object(bytes, second) = s.store.get("a", Some(&first)).await.unwrap() else {
        panic!("it changed")
    };
    assert_eq!(bytes, "two");
    assert_ne!(first, second);
    s.store.delete("a").await.unwrap();
    assert_eq!(s.store.get("a", Some(&second)).await.unwrap(), Got::Absent);
}

pub async fn empty_objects_are_objects(s: Subject) {
    put(&*s.store, "empty", Bytes::new()).await;
    assert_eq!(object(&*s.store, "empty").await.0, "");
    let swapped = s.store.swap("also", Bytes::new(), None).await.unwrap();
    assert!(matches!(swapped, Swapped::Done(_)));
    let expected = [("also".to_owned(), 0), ("empty".to_owned(), 0)];
    assert_eq!(lengths(&*s.store, "").await, expected.into());
    assert_eq!(s.store.ranges("empty", &[]).await.unwrap().len(), 0);
    assert_eq!(s.store.ranges("empty", &[0..0]).await.unwrap(), [Bytes::new()]);
}

pub async fn ranges_are_read(s: Subject) {
    let bytes = noise(3_000_000);
    put(&*s.store, "a", bytes.clone()).await;
    for ranges in [
        vec![0..3_000_000],
        vec![0..1, 2_999_999..3_000_000],
        vec![2_000_000..2_000_100, 5..5, 10..20, 15..30, 10..20, 1_500_000..1_500_001],
        (0..40).map(|at| at * 70_000..at * 70_000 + 13).collect(),
    ] {
        let found = s.store.ranges("a", &ranges).await.unwrap();
        let expected: Vec<_> =
            ranges.iter().map(|range| bytes.slice(range.start as usize..range.end as usize)).collect();
        assert!(found == expected, "{ranges:?}");
    }
    let absent = s.store.ranges("b", &[0..1, 1_000_000..1_000_001]).await;
    assert!(matches!(absent, Err(StoreError::Absent { .. })), "{absent:?}");
}

pub async fn ranges_past_the_end_are_damage(s: Subject) {
    put(&*s.store, "a", noise(1000)).await;
    for range in [999..1001, 1000..1001, 5000..6000] {
        let found = s.store.ranges("a", &[0..10, range.clone()]).await;
        assert!(matches!(found, Err(StoreError::Damaged { .. })), "{range:?}: {found:?}");
    }
    assert_eq!(s.store.ranges("a", &[999..1000]).await.unwrap(), [noise(1000).slice(999..)]);
}

pub async fn swaps_need_the_expected_version(s: Subject) {
    let bytes = Bytes::from_static;
    let swap = |text, expected: Option<Version>| {
        let store = s.store.clone();
        async move { store.swap("m", bytes(text), expected.as_ref()).await.unwrap() }
    };
    let Swapped::Done(first) = swap(b"1", None).await else { panic!("nothing was there") };
    assert_eq!(swap(b"x", None).await, Swapped::Conflict);
    assert_eq!(s.other.get("m", Some(&first)).await.unwrap(), Got::Unchanged, "the version is the reader's");
    let Swapped::Done(second) = swap(b"2", Some(first.clone())).await else { panic!("nobody came between") };
    assert_ne!(first, second);
    assert_eq!(swap(b"x", Some(first)).await, Swapped::Conflict);
    put(&*s.other, "m", &b"3"[..]).await;
    assert_eq!(swap(b"x", Some(second)).await, Swapped::Conflict);
    let (found, third) = object(&*s.store, "m").await;
    assert_eq!(found, "3");
    s.store.delete("m").await.unwrap();
    assert_eq!(swap(b"x", Some(third)).await, Swapped::Conflict, "what is not there has no version");
    assert!(matches!(swap(b"4", None).await, Swapped::Done(_)));
}

pub async fn long_listings_are_whole(s: Subject) {
    const OBJECTS: usize = 1100;
    let name = |at: usize| format!("many/{}/{at:04}", at % 3);
    let puts = (0..OBJECTS).map(|at| {
        let store = s.store.clone();
        async move { store.put(&name(at), Upload::Bytes(vec![0; at % 7].into())).await }
    });
    futures_util::stream::iter(puts).buffer_unordered(32).try_collect::<Vec<()>>().await.unwrap();
    put(&*s.store, "many-others/0", &b"not below many"[..]).await;
    let expected: BTreeMap<_, _> = (0..OBJECTS).map(|at| (name(at), (at % 7) as u64)).collect();
    assert_eq!(lengths(&*s.store, "many").await, expected);
    let first: BTreeMap<_, _> =
        expected.into_iter().filter(|(path, _)| path.starts_with("many/0/")).collect();
    assert_eq!(lengths(&*s.store, "many/0").await, first);
    assert_eq!(s.store.folders("many").await.unwrap(), ["0", "1", "2"]);
    assert_eq!(lengths(&*s.store, "").await.len(), OBJECTS + 1);
}

pub async fn folders_are_listed(s: Subject) {
    assert_eq!(s.store.folders("").await.unwrap(), [""; 0]);
    assert_eq!(s.store.list("a").await.unwrap(), []);
    for path in ["a/x/1", "a/x/2", "a/y/z/3", "a/4", "ab/5", "6"] {
        put(&*s.store, path, &b"text"[..]).await;
    }
    assert_eq!(s.store.folders("").await.unwrap(), ["a", "ab"]);
    assert_eq!(s.store.folders("a").await.unwrap(), ["x", "y"]);
    assert_eq!(s.store.folders("a/x").await.unwrap(), [""; 0]);
    assert_eq!(s.store.folders("nothing").await.unwrap(), [""; 0]);
    let modified = s.store.list("a/y").await.unwrap();
    assert_eq!((modified.len(), modified[0].path.as_str()), (1, "a/y/z/3"));
    s.store.delete("a/y/z/3").await.unwrap();
    assert_eq!(s.other.folders("a").await.unwrap(), ["x"]);
}

pub async fn what_is_deleted_is_absent(s: Subject) {
    s.store.delete("never/there").await.unwrap();
    put(&*s.store, "a/b", &b"text"[..]).await;
    s.other.delete("a/b").await.unwrap();
    assert_eq!(s.store.get("a/b", None).await.unwrap(), Got::Absent);
    s.store.delete("a/b").await.unwrap();
    assert_eq!(s.store.list("").await.unwrap(), []);
    put(&*s.store, "a/b", &b"again"[..]).await;
    assert_eq!(object(&*s.store, "a/b").await.0, "again");
}

pub async fn large_objects_are_written_in_parts(s: Subject) {
    for len in [(5 << 20) + 1, (12 << 20) + 321] {
        let bytes = noise(len);
        put(&*s.store, "large", bytes.clone()).await;
        assert!(object(&*s.other, "large").await.0 == bytes, "{len} bytes");
        assert_eq!(lengths(&*s.store, "").await, [("large".to_owned(), len as u64)].into());
    }
}

pub async fn files_are_written(s: Subject) {
    for len in [0, 1000, (12 << 20) + 321] {
        let bytes = noise(len);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        s.store.put("from/file", Upload::File(file.path().to_owned())).await.unwrap();
        assert!(object(&*s.store, "from/file").await.0 == bytes, "{len} bytes");
    }
    let missing = s.store.put("from/nothing", Upload::File("/nowhere/at/all".into())).await;
    assert!(matches!(&missing, Err(StoreError::Failed { reason, .. }) if reason.contains("/nowhere/at/all")));
    assert_eq!(s.store.get("from/nothing", None).await.unwrap(), Got::Absent);
}

pub async fn every_name_of_a_tenant_is_kept(s: Subject) {
    let long = "t".repeat(150);
    let names = ["x.y_(z)!*'-0", "...", "ends.", "*", "'", "(", "!", "-", "_", "A", "a", &long];
    for name in names {
        let path = format!("{}/{name}", Tenant::new(name).unwrap());
        put(&*s.store, &path, name.to_owned()).await;
    }
    for name in names {
        let path = format!("{name}/{name}");
        assert_eq!(object(&*s.store, &path).await.0, name);
        assert_eq!(lengths(&*s.store, name).await, [(path.clone(), name.len() as u64)].into());
    }
    let mut expected = names.map(str::to_owned);
    expected.sort();
    assert_eq!(s.store.folders("").await.unwrap(), expected);
    for name in names {
        s.store.delete(&format!("{name}/{name}")).await.unwrap();
    }
    assert_eq!(s.store.list("").await.unwrap(), []);
}

pub async fn paths_that_are_none_are_refused(s: Subject) {
    for path in ["", "/", "/a", "a/", "a//b", "..", "../a", "a/./b", "a b", "a?b", "a%2Fb", "~aside/x", "é"]
    {
        let refused = [
            s.store.get(path, None).await.map(drop),
            s.store.ranges(path, &[0..0]).await.map(drop),
            s.store.put(path, Upload::Bytes(Bytes::new())).await,
            s.store.swap(path, Bytes::new(), None).await.map(drop),
            s.store.delete(path).await,
        ];
        for result in &refused {
            assert!(matches!(result, Err(StoreError::Failed { .. })), "{path:?}: {result:?}");
        }
        if !path.is_empty() {
            assert!(s.store.list(path).await.is_err() && s.store.folders(path).await.is_err(), "{path:?}");
        }
    }
    assert_eq!(s.store.list("").await.unwrap(), []);
}
