//! The store as the catalog sees it: requests take time, fail before or after their effect, or take effect after they
//! failed. What is in flight when a worker dies still arrives.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use spanloom_bucket::catalog::Pace;
use spanloom_bucket::objects::{Found, Got, Objects, StoreError, Swapped, Upload, Version};

use crate::world::{REQUEST, Shared, World};

pub struct SimStore(pub Shared);
pub struct SimPace(pub Shared);

/// An answer that is waited for.
struct Answer<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T: 'static> Answer<T> {
    fn new() -> (Self, impl FnOnce(T) + Send)
    where
        T: Send,
    {
        let slot = Arc::new(Mutex::new((None, None)));
        let give = slot.clone();
        let give = move |value| {
            let mut slot = give.lock();
            slot.0 = Some(value);
            if let Some(waker) = slot.1.take() {
                Waker::wake(waker);
            }
        };
        (Self(slot), give)
    }
}

impl<T> Future for Answer<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock();
        match slot.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn failed(path: &str) -> StoreError {
    let (action, store, reason) = ("asking for", "the simulation".into(), "no answer".into());
    StoreError::Failed { action, store, path: path.into(), reason }
}

impl SimStore {
    /// Sends a request when it is first polled.
    fn send<T: Send + 'static>(
        &self,
        path: &str,
        effect: impl FnOnce(&mut World, &str) -> T + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (shared, path) = (self.0.clone(), path.to_owned());
        Box::pin(async move {
            let answer = {
                let mut world = shared.world();
                submit(&mut world, path, effect)
            };
            answer.await
        })
    }
}

fn submit<T: Send + 'static>(
    world: &mut World,
    path: String,
    effect: impl FnOnce(&mut World, &str) -> T + Send + 'static,
) -> Answer<Result<T, StoreError>> {
    let (answer, give) = Answer::new();
    world.count("request");
    let time = world.now + world.chance.below(REQUEST / 2);
    let fate = if world.faults { world.chance.below(100) } else { 100 };
    match fate {
        0..=3 => {
            world.count("error before");
            world.at(time, move |_| give(Err(failed(&path))));
        }
        4..=7 => {
            world.count("error after");
            world.at(time, move |world| {
                effect(world, &path);
                give(Err(failed(&path)));
            });
        }
        8..=9 => {
            world.count("late effect");
            let late = time + 1 + world.chance.below(REQUEST / 2 - 1);
            let told = path.clone();
            world.at(time, move |_| give(Err(failed(&told))));
            world.at(late, move |world| _ = effect(world, &path));
        }
        _ => world.at(time, move |world| {
            let result = effect(world, &path);
            // The answer travels, too.
            let later = world.now + world.chance.below(REQUEST / 2);
            world.at(later, move |_| give(Ok(result)));
        }),
    }
    answer
}

fn version(number: u64) -> Version {
    Version { tag: Some(number.to_string()), generation: None }
}

fn number(version: &Version) -> u64 {
    version.tag.as_ref().unwrap().parse().unwrap()
}

impl Objects for SimStore {
    fn get<'a>(
        &'a self,
        path: &'a str,
        unless: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Got, StoreError>> {
        let unless = unless.map(number);
        self.send(path, move |world, path| match world.get(path) {
            None => Got::Absent,
            Some((_, found)) if Some(found) == unless => {
                world.count("unchanged");
                Got::Unchanged
            }
            Some((bytes, found)) => Got::Object(bytes, version(found)),
        })
    }

    fn ranges<'a>(
        &'a self,
        path: &'a str,
        _ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>> {
        Box::pin(async move { Err(failed(path)) })
    }

    fn put<'a>(&'a self, path: &'a str, from: Upload) -> BoxFuture<'a, Result<(), StoreError>> {
        let Upload::Bytes(bytes) = from else { panic!("{path} is put from a file") };
        self.send(path, move |world, path| _ = world.put(path, bytes))
    }

    fn swap<'a>(
        &'a self,
        path: &'a str,
        bytes: Bytes,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        let expected = expected.map(number);
        self.send(path, move |world, path| match world.swap(path, bytes, expected) {
            Some(now) => Swapped::Done(version(now)),
            None => Swapped::Conflict,
        })
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.send(path, |world, path| world.delete(path))
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<Found>, StoreError>> {
        self.send(folder, |world, folder| {
            world.count("listing");
            let found = world.list(folder).into_iter();
            found.map(|(path, bytes, modified)| Found { path, bytes, modified }).collect()
        })
    }

    fn folders<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.send(folder, |world, folder| {
            world.count("listing");
            let paths = world.list(folder).into_iter();
            let mut folders: Vec<String> =
                paths.filter_map(|(path, ..)| Some(path.split_once('/')?.0.to_owned())).collect();
            folders.dedup();
            folders
        })
    }
}

impl Pace for SimPace {
    fn now(&self) -> u64 {
        self.0.world().now
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let shared = self.0.clone();
        Box::pin(async move {
            let (answer, give) = Answer::new();
            {
                let mut world = shared.world();
                let end = world.now + time.as_nanos() as u64;
                world.at(end, move |_| give(()));
            }
            answer.await;
        })
    }

    fn random(&self) -> u64 {
        self.0.world().chance.next()
    }
}
