//! A block that is elsewhere answers as one that is here, and brings what it reads alone.
#![allow(clippy::unwrap_used)]

mod common;

use std::any::Any;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use spanloom_block::{Block, BlockError, BlockMeta, Partial, Source};
use spanloom_span::TraceId;

/// A block that is brought range by range.
struct Elsewhere {
    bytes: Vec<u8>,
    /// The file is made anew when what was opened is let go of.
    now: Mutex<Option<Arc<Brought>>>,
    is_down: Mutex<bool>,
}

struct Brought {
    of: Arc<Vec<u8>>,
    file: File,
    /// What was brought, in order, each range as a source would ask a store for it.
    brought: Mutex<Vec<Range<u64>>>,
    kept: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
    is_down: bool,
}

impl Elsewhere {
    fn new(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self { bytes: bytes.to_vec(), now: Mutex::default(), is_down: Mutex::new(false) })
    }

    fn let_go(&self) {
        let kept = self.now.lock().take().map(|brought| std::mem::take(&mut *brought.kept.lock()));
        drop(kept);
    }

    fn brought(&self) -> Vec<Range<u64>> {
        self.now.lock().as_ref().map(|now| now.brought.lock().clone()).unwrap_or_default()
    }
}

impl Source for Elsewhere {
    fn open(&self) -> io::Result<Arc<dyn Partial>> {
        let mut now = self.now.lock();
        if let Some(now) = &*now {
            return Ok(now.clone());
        }
        let file = tempfile::tempfile()?;
        file.set_len(self.bytes.len() as u64)?;
        let of = Arc::new(self.bytes.clone());
        let (brought, kept, is_down) = (Mutex::default(), Mutex::default(), *self.is_down.lock());
        let made = Arc::new(Brought { of, file, brought, kept, is_down });
        *now = Some(made.clone());
        Ok(made)
    }
}

impl Partial for Brought {
    fn file(&self) -> &File {
        &self.file
    }

    fn fill(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        for range in ranges.iter().filter(|range| !self.has(range)) {
            if self.is_down {
                return Err(io::Error::other("the store does not answer"));
            }
            let bytes = &self.of[range.start as usize..range.end as usize];
            self.file.write_all_at(bytes, range.start)?;
            self.brought.lock().push(range.clone());
        }
        Ok(())
    }

    fn has(&self, range: &Range<u64>) -> bool {
        let brought = self.brought.lock();
        range.is_empty() || brought.iter().any(|have| have.start <= range.start && range.end <= have.end)
    }

    fn keep(&self, made: Arc<dyn Any + Send + Sync>) {
        self.kept.lock().push(made);
    }
}

fn far(meta: &BlockMeta, source: &Arc<Elsewhere>) -> Block {
    Block::far(meta.clone(), meta.file_bytes, source.clone(), &Arc::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_far_block_answers_as_one_that_is_here(requests in common::any_requests(), group_rows in 1usize..40) {
        let parts = common::parts_of(&requests);
        let (finished, _) = common::build_in_groups(&parts, group_rows);
        let here = Block::from_bytes(finished.bytes.clone()).unwrap();
        let source = Elsewhere::new(&finished.bytes);
        let far = far(here.meta(), &source);
        prop_assert!(source.brought().is_empty(), "nothing is read before it is asked for");
        for id in parts.keys() {
            prop_assert!(far.may_contain_now(id), "nothing is known");
            prop_assert!(far.may_contain(id));
            prop_assert_eq!(far.find(id).unwrap(), here.find(id).unwrap());
            prop_assert_eq!(far.trace(id).unwrap(), here.trace(id).unwrap());
            prop_assert_eq!(far.sealed_through(id).unwrap(), here.sealed_through(id).unwrap());
        }
        let places = 0..here.meta().traces;
        for place in places {
            prop_assert_eq!(far.summary(place).unwrap(), here.summary(place).unwrap());
        }
        prop_assert_eq!(far.newest_start().unwrap(), here.newest_start().unwrap());
        let ids = |block: &Block| block.trace_ids().unwrap().collect::<Vec<_>>();
        prop_assert_eq!(ids(&far), ids(&here));
        for id in (0..40u8).map(|id| TraceId([id; 16])) {
            prop_assert_eq!(far.may_contain_now(&id), here.may_contain_now(&id));
        }
        // A cache that lets go of everything costs another reading, and changes no answer.
        source.let_go();
        let verified = |block: &Block| block.verify().map_err(|error| error.to_string());
        prop_assert_eq!(verified(&far), verified(&here));
        prop_assert!(!source.brought().is_empty());
    }
}

#[test]
fn a_source_that_fails_is_an_error_and_hides_nothing() {
    let parts = common::parts_of(&[common::request(vec![common::span(3, 7)])]);
    let (finished, _) = common::build(&parts);
    let here = Block::from_bytes(finished.bytes.clone()).unwrap();
    let source = Elsewhere::new(&finished.bytes);
    let block = far(here.meta(), &source);
    let id = *parts.keys().next().unwrap();
    *source.is_down.lock() = true;
    assert!(block.may_contain(&id), "what cannot be asked excludes nothing");
    assert!(matches!(block.trace(&id), Err(BlockError::Io(_))));
    *source.is_down.lock() = false;
    source.let_go();
    assert_eq!(block.trace(&id).unwrap(), here.trace(&id).unwrap());
}

#[test]
fn another_block_than_the_one_that_is_listed_is_refused() {
    let build = |id| common::build(&common::parts_of(&[common::request(vec![common::span(id, 7)])])).0;
    let (one, two) = (build(1), build(2));
    let check = |meta: BlockMeta, expected: &str| {
        let found = far(&meta, &Elsewhere::new(&one.bytes)).reader().map(drop);
        assert!(found.as_ref().is_err_and(|error| error.to_string().contains(expected)), "{found:?}");
    };
    check(BlockMeta { spans: 7, ..one.meta.clone() }, "not the one that is listed");
    check(BlockMeta { file_bytes: two.meta.file_bytes + 64, ..one.meta.clone() }, "length");
}
