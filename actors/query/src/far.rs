//! Blocks that are elsewhere are asked at the same time: each answer takes a while, and little work.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use spanloom_block::Block;
use spanloom_bucket::Listed;

/// Most blocks that are waited for at once.
const AT_ONCE: usize = 16;

/// Asks blocks, and gives their answers in their order. Those that are here are asked one after the other, in this
/// thread; the others beside each other, in threads that end with this call.
pub(crate) fn each<T: Send>(blocks: &[Listed], ask: impl Fn(&Block) -> T + Sync) -> Vec<T> {
    let far = blocks.iter().filter(|listed| listed.block.is_far()).count();
    if far < 2 {
        return blocks.iter().map(|listed| ask(&listed.block)).collect();
    }
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<Option<T>>> = Mutex::new(blocks.iter().map(|_| None).collect());
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(listed) = blocks.get(at) else { return };
            let answer = ask(&listed.block);
            if let Some(slot) = answers.lock().get_mut(at) {
                *slot = Some(answer);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..far.min(AT_ONCE) {
            // Where no more threads are to be had, those that are there do it.
            let _ = std::thread::Builder::new().name("far".into()).spawn_scoped(scope, work);
        }
        work();
    });
    answers.into_inner().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use spanloom_block::{BlockBuilder, BlockId, BlockMeta, BuilderOptions, Partial, ResidentSet, Source};
    use spanloom_span::Tenant;

    use super::*;

    struct Nowhere;

    impl Source for Nowhere {
        fn open(&self) -> std::io::Result<Arc<dyn Partial>> {
            Err(std::io::Error::other("nowhere"))
        }
    }

    #[test]
    fn answers_come_in_the_order_of_the_blocks() {
        let near =
            BlockBuilder::new(&Tenant::default(), BuilderOptions::default()).unwrap().finish().unwrap();
        let listed = |number: u64, is_far: bool| {
            let meta = BlockMeta { created: number, ..near.meta.clone() };
            let block = match is_far {
                true => Block::far(meta, 0, Arc::new(Nowhere), &Arc::<ResidentSet>::default()),
                false => Block::from_bytes(near.bytes.clone()).unwrap(),
            };
            Listed { id: BlockId { created: number, number }, path: "".into(), block }
        };
        let check = |is_far: fn(u64) -> bool| {
            let blocks: Vec<Listed> = (0..100).map(|number| listed(number, is_far(number))).collect();
            let answers = each(&blocks, |block| (block.is_far(), block.meta().created));
            let expected: Vec<_> = (0..100).map(|n| (is_far(n), if is_far(n) { n } else { 0 })).collect();
            assert_eq!(answers, expected);
        };
        check(|_| false);
        check(|_| true);
        check(|number| number == 7);
        check(|number| number % 3 == 0);
    }
}
