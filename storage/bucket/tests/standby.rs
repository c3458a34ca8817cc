//! Of a trace that several nodes hold, one copy goes to the store.
#![allow(clippy::unwrap_used)]

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use house::{House, block, block_of};
use spanloom_bucket::catalog::Pace;
use spanloom_bucket::{Bucket, RealPace, Standby};

/// A node that ships nothing while the switch is off.
fn standing_by(node: Bucket, takeover_after: Duration) -> (Bucket, Arc<AtomicBool>) {
    let is_ours = Arc::new(AtomicBool::new(false));
    let switch = is_ours.clone();
    let is_ours = Box::new(move |_: &_, _: &_| is_ours.load(Ordering::Relaxed));
    (node.with_standby(Standby { is_ours, takeover_after }), switch)
}

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_waits_for_the_others_and_is_let_go_of_when_it_is_there() {
    let mut house = House::new();
    let now = RealPace.now();
    let (one, two) = (house.node(), house.node());
    let dir = house.dirs[1].path().to_owned();
    let (two, _) = standing_by(two, LONG);
    one.put(&house.tenant, block(5), now).unwrap();
    two.put(&house.tenant, block(5), now).unwrap();
    assert_eq!(two.ship(&house.tenant).await.unwrap().blocks, 0);
    assert_eq!((two.unshipped().blocks, two.unshipped().standing_by), (0, 1));
    assert_eq!(house.seen(&two).await, [(5, false)], "it is found meanwhile");
    one.ship(&house.tenant).await.unwrap();
    two.poll(&house.tenant).await.unwrap();
    assert_eq!(two.ship(&house.tenant).await.unwrap().blocks, 0);
    assert_eq!(house.seen(&two).await, [(5, true)], "the other's");
    assert_eq!(two.unshipped(), Default::default());
    two.remote().unwrap().set_log_floor(6);
    assert_eq!((two.let_go(&house.tenant).unwrap(), House::files(&dir)), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_are_compared_where_traces_were_cut_elsewhere() {
    let mut house = House::new();
    let now = RealPace.now();
    let check = async |house: &mut House, theirs: &[&[u8]], covered: bool| {
        let (one, two) = (house.node(), house.node());
        let (two, _) = standing_by(two, LONG);
        for spans in theirs {
            one.put(&house.tenant, block_of(7, spans), now).unwrap();
        }
        two.put(&house.tenant, block_of(7, &[1, 2, 3]), now).unwrap();
        one.ship(&house.tenant).await.unwrap();
        two.poll(&house.tenant).await.unwrap();
        two.ship(&house.tenant).await.unwrap();
        assert_eq!(two.unshipped().standing_by, u64::from(!covered), "{theirs:?}");
        *house = House::new();
    };
    check(&mut house, &[&[1, 2, 3]], true).await;
    check(&mut house, &[&[1], &[2, 3]], true).await;
    check(&mut house, &[&[1, 2], &[3, 4]], true).await;
    check(&mut house, &[&[1, 2]], false).await;
    check(&mut house, &[&[1, 2, 4]], false).await;
    check(&mut house, &[], false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_other_does_not_ship_is_taken_over() {
    let mut house = House::new();
    let now = RealPace.now();
    let node = house.node();
    let (node, is_ours) = standing_by(node, LONG);
    node.put(&house.tenant, block(5), now).unwrap();
    assert_eq!(node.ship(&house.tenant).await.unwrap().blocks, 0);
    is_ours.store(true, Ordering::Relaxed);
    assert_eq!(node.ship(&house.tenant).await.unwrap().blocks, 1, "the other is gone");
    is_ours.store(false, Ordering::Relaxed);
    node.put(&house.tenant, block(6), now - 2 * LONG.as_nanos() as u64).unwrap();
    assert_eq!(node.ship(&house.tenant).await.unwrap().blocks, 1, "the other takes too long");
    node.put(&house.tenant, block(7), now).unwrap();
    assert_eq!(node.ship(&house.tenant).await.unwrap().blocks, 0);
    assert_eq!(node.ship_all(&house.tenant).await.unwrap().blocks, 1, "whoever wants all of it there");
}
