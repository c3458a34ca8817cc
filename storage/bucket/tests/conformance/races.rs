//! Several at once, through two stores on the same objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use spanloom_bucket::objects::{Got, Objects, Swapped, Upload};

use crate::subject::Subject;

/// Adds one to the number in an object, until nobody comes between.
async fn increment(store: &dyn Objects) {
    loop {
        let (number, version) = match store.get("counter", None).await.unwrap() {
            Got::Object(bytes, version) => {
                (std::str::from_utf8(&bytes).unwrap().parse().unwrap(), Some(version))
            }
            _ => (0u64, None),
        };
        let bytes = Bytes::from((number + 1).to_string());
        if let Swapped::Done(_) = store.swap("counter", bytes, version.as_ref()).await.unwrap() {
            return;
        }
    }
}

pub async fn no_update_is_lost(s: Subject) {
    const EACH: u64 = 40;
    let writers = [s.store.clone(), s.other.clone(), s.store.clone()].map(|store| {
        tokio::spawn(async move {
            for _ in 0..EACH {
                increment(&*store).await;
            }
        })
    });
    let count = writers.len() as u64;
    for writer in writers {
        writer.await.unwrap();
    }
    let Got::Object(bytes, _) = s.store.get("counter", None).await.unwrap() else { panic!("no counter") };
    assert_eq!(bytes, (count * EACH).to_string());
}

pub async fn one_of_many_creates(s: Subject) {
    for round in 0..5 {
        let path: Arc<str> = format!("created/{round}").into();
        let writers: Vec<_> = (0..8)
            .map(|number: u32| {
                let store = if number.is_multiple_of(2) { s.store.clone() } else { s.other.clone() };
                let path = path.clone();
                tokio::spawn(async move {
                    (number, store.swap(&path, number.to_string().into(), None).await.unwrap())
                })
            })
            .collect();
        let mut winners = Vec::new();
        for writer in writers {
            let (number, swapped) = writer.await.unwrap();
            if swapped != Swapped::Conflict {
                winners.push(number.to_string());
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        let Got::Object(bytes, _) = s.store.get(&path, None).await.unwrap() else { panic!("nothing there") };
        assert_eq!(bytes, winners[0]);
    }
}

pub async fn readers_see_old_or_new(s: Subject) {
    const LEN: usize = 300_000;
    let of = |letter: u8| Upload::Bytes(vec![letter; LEN].into());
    s.store.put("page", of(b'a')).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers = [s.store.clone(), s.other.clone()].map(|store| {
        let done = done.clone();
        tokio::spawn(async move {
            let mut reads = 0;
            while !done.load(Ordering::SeqCst) || reads == 0 {
                let Got::Object(bytes, _) = store.get("page", None).await.unwrap() else {
                    panic!("it was never deleted");
                };
                assert!(bytes.len() == LEN && bytes.iter().all(|byte| *byte == bytes[0]), "a mix");
                let len = LEN as u64;
                let found =
                    store.ranges("page", &[0..10, len / 2..len / 2 + 10, len - 10..len]).await.unwrap();
                assert!(
                    found.iter().flatten().all(|byte| *byte == found[0][0]),
                    "a mix of ranges: {found:?}"
                );
                reads += 1;
            }
        })
    });
    for letter in b'b'..=b'z' {
        s.other.put("page", of(letter)).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
}
