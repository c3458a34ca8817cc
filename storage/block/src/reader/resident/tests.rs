//! The ring and the blocks agree, whatever is read, opened and dropped.

use proptest::prelude::*;
use spanloom_span::Tenant;

use super::*;
use crate::{Block, BlockBuilder, BuilderOptions};

fn is_resident(block: &Block) -> bool {
    block.opened().unwrap().slot.0.lock().resident.is_some()
}

fn bytes() -> Vec<u8> {
    let builder = BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap();
    builder.finish().unwrap().bytes
}

proptest! {
    #[test]
    fn the_ring_has_the_resident_blocks_and_keeps_to_the_limits(
        steps in proptest::collection::vec((0u8..8, 0usize..6), 0..80),
        fits in 0u64..5,
    ) {
        let bytes = bytes();
        let alone = Block::from_bytes(bytes.clone()).unwrap().opened().unwrap().usage();
        prop_assert!(alone.directory_bytes > 0);
        let limits = ResidentLimits { directory_bytes: fits * alone.directory_bytes, mapped_bytes: 0 };
        let set = Arc::new(ResidentSet::new(limits));
        let open = || Block::from_bytes_in(bytes.clone(), &set).unwrap();
        let mut blocks: [Block; 6] = std::array::from_fn(|_| open());
        let mut held = Vec::new();
        for (what, at) in steps {
            match what {
                0 => blocks[at] = open(),
                1 => held.push(blocks[at].reader().unwrap()),
                2 => held.clear(),
                _ => {
                    drop(blocks[at].reader().unwrap());
                    prop_assert!(is_resident(&blocks[at]), "what was read last stays");
                }
            }
            let ring = set.ring.lock();
            let mut usage = ResidentUsage::default();
            ring.entries.iter().for_each(|entry| usage.add(entry.usage));
            prop_assert_eq!(usage, ring.usage);
            prop_assert!(usage.blocks as u64 <= fits.max(1));
            let live: Vec<_> = ring.entries.iter().filter_map(|entry| entry.block.upgrade()).collect();
            for block in &blocks {
                let entries = live.iter().filter(|live| Arc::ptr_eq(live, &block.opened().unwrap())).count();
                prop_assert_eq!(entries, usize::from(is_resident(block)));
            }
        }
    }
}

#[test]
fn a_reader_that_comes_second_takes_what_the_first_one_has() {
    let block = Block::from_bytes(bytes()).unwrap();
    let set = ResidentSet::default();
    let first = set.admit(&block.opened().unwrap());
    assert!(Arc::ptr_eq(&first, &set.admit(&block.opened().unwrap())));
    assert_eq!(set.usage(), block.opened().unwrap().usage());
}

#[test]
fn two_readers_that_parse_at_once_share_what_is_kept() {
    let block = Block::from_bytes(bytes()).unwrap();
    let begin = std::sync::Barrier::new(4);
    let readers: Vec<_> = std::thread::scope(|scope| {
        let read = || {
            begin.wait();
            block.reader().unwrap()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let kept = block.reader().unwrap();
    assert!(readers.iter().all(|reader| std::ptr::eq(reader.contents(), kept.contents())));
}
