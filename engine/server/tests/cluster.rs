//! Several real processes as one store: every acknowledged span is found whole, from any node, whatever happens to one of
//! them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod house;

use house::House;
use house::load::{Spans, check, load_gently, load_while, some_traces};
use house::nodes::{MOST, Nodes, counted, counts, load};

#[test]
fn three_nodes_lose_nothing_whatever_happens_to_one() {
    let mut nodes = Nodes::start(3, "");
    let mut all = load(nodes.house(0), 100, 3_000);
    all.extend(load(nodes.house(1), 200, 3_000));
    nodes.check(&all, "with three nodes");
    nodes.counts(&all, "with three nodes");
    // One dies while spans come.
    let port = nodes.house(0).otlp;
    all.extend(load_while(port, 300, |count| {
        nodes.house(0).wait_until("some are acknowledged", || count() >= 1_000);
        nodes.house(2).signal("KILL");
        let so_far = count();
        nodes.house(0).wait_until("more are acknowledged", || count() >= so_far + 3_000);
    }));
    nodes.houses[2] = None;
    nodes.check(&all, "when one has died");
    nodes.begin(2);
    nodes.wait_for(3);
    nodes.check(&all, "when it is back");
    // One stands still, which a cut cable looks like.
    nodes.house(1).signal("STOP");
    all.extend(load(nodes.house(0), 400, 3_000));
    for node in [0, 2] {
        check(nodes.house(node), &some_traces(&all, MOST), "while one stands still");
    }
    nodes.house(1).signal("CONT");
    nodes.wait_for(3);
    nodes.check(&all, "when it goes on");
    // All are restarted in turn, while spans come.
    for node in 0..3 {
        let stopped = nodes.houses[node].take().unwrap();
        let other = nodes.house((node + 1) % 3);
        all.extend(load_gently(other.otlp, 500 + 10 * node as u64, |count| {
            other.wait_until("some are acknowledged", || count() >= 500);
            stopped.stop();
            let so_far = count();
            other.wait_until("more are acknowledged", || count() >= so_far + 500);
        }));
        nodes.begin(node);
        nodes.wait_for(3);
    }
    nodes.check(&all, "when all were restarted");
    nodes.counts(&all, "when all were restarted");
    // Two come, one goes for good.
    nodes.add();
    nodes.add();
    nodes.wait_for(5);
    all.extend(load(nodes.house(4), 600, 3_000));
    nodes.check(&all, "with five nodes");
    nodes.stop(0);
    nodes.wait_for(4);
    all.extend(load(nodes.house(3), 700, 1_000));
    nodes.check(&all, "when one has left");
    nodes.counts(&all, "when one has left");
}

#[test]
fn a_node_that_was_down_gets_what_it_missed() {
    // The spans are of long ago: what retention would remove is not fetched.
    let mut nodes = Nodes::start(3, "retention: {max_age: 0s}");
    let mut all = load(nodes.house(0), 100, 1_000);
    nodes.houses[2].take().unwrap().kill();
    let missed = load(nodes.house(0), 200, 2_000);
    all.extend(&missed);
    nodes.begin(2);
    nodes.wait_for(3);
    let back = nodes.house(2);
    back.wait_until("what it missed is fetched", || {
        back.metric("spanloom_repair_fetched_spans_total") as usize >= missed.len()
    });
    nodes.check(&all, "when it was fetched");
    nodes.counts(&all, "when it was fetched");
    for other in 0..2 {
        nodes.houses[other].take().unwrap().kill();
    }
    let alone = nodes.house(2);
    check(alone, &some_traces(&all, MOST), "on the one that is left");
    let (status, count) = counts(alone);
    assert!(status == "PARTIAL" && count >= all.len(), "{status}: {count} of {}", all.len());
}

#[test]
fn one_copy_of_a_trace_goes_to_a_shared_store() {
    let store = tempfile::tempdir().unwrap();
    let store = format!("store: {{backend: folder, folder: {}, poll: 100ms}}", store.path().display());
    let mut nodes = Nodes::start(3, &store);
    let mut all = load(nodes.house(0), 100, 3_000);
    all.extend(load(nodes.house(2), 200, 3_000));
    let settled = |house: &House| {
        house.wait_until("the store has everything, and no copy stands by", || {
            house.metric("spanloom_live_traces") == 0
                && house.metric("spanloom_blocks_unshipped") == 0
                && house.metric("spanloom_blocks_standing_by") == 0
        });
    };
    nodes.up().for_each(House::flush);
    nodes.up().for_each(settled);
    let shipped: u64 = nodes.up().map(|house| house.metric("spanloom_blocks_shipped_total")).sum();
    let sealed: u64 = nodes.up().map(|house| house.metric("spanloom_blocks_sealed_total")).sum();
    assert!(shipped > 0 && shipped < sealed, "{shipped} of {sealed} blocks were brought to the store");
    nodes.check(&all, "from the store");
    nodes.counts(&all, "from the store");
    // What a node has not shipped when it dies is brought by another.
    all.extend(load(nodes.house(1), 300, 3_000));
    nodes.houses[1].take().unwrap().kill();
    nodes.check(&all, "when one has died");
    nodes.up().for_each(House::flush);
    nodes.up().for_each(|house| {
        house.wait_until("the other node's part is brought, too", || {
            house.metric("spanloom_blocks_unshipped") == 0 && house.metric("spanloom_blocks_standing_by") == 0
        });
    });
    nodes.check(&all, "when its part was brought by others");
    nodes.counts(&all, "when its part was brought by others");
}

#[test]
fn each_node_does_what_its_roles_are() {
    let store = tempfile::tempdir().unwrap();
    let store = format!("store: {{backend: folder, folder: {}, poll: 100ms}}", store.path().display());
    let roles = ["distributor, compactor", "ingester", "ingester", "ingester", "querier"];
    let mut nodes = Nodes::of_roles(&roles, &store);
    let querier = |nodes: &Nodes, spans: &Spans, when: &str| {
        check(nodes.house(4), &some_traces(spans, MOST), when);
        let count = counted(nodes.house(4));
        assert!(count >= spans.len(), "{when}: {count} of {}", spans.len());
    };
    let mut all = load(nodes.house(0), 100, 3_000);
    querier(&nodes, &all, "live");
    // What is not a node's part it does not do, and says so.
    for node in 1..5 {
        let refused = std::net::TcpStream::connect(("127.0.0.1", nodes.house(node).otlp));
        assert_eq!(refused.map(drop).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused, "{node}");
    }
    for (node, roles) in [(0, "distributor,compactor"), (1, "ingester")] {
        let expected = format!("this node's roles are {roles} (cluster.roles): ask one that is a querier\n");
        for path in
            ["/api/search?q=%7B%7D", "/api/search/tags", "/api/traces/5b8efff798038103d269b633813fc60c"]
        {
            assert_eq!(nodes.house(node).says(path), (501, expected.clone()), "{node} {path}");
        }
        assert_eq!(nodes.house(node).says("/ready").0, 200);
    }
    assert_eq!(nodes.house(0).metric("spanloom_blocks_sealed_total"), 0, "a distributor holds nothing");
    // Without any querier spans are taken, and found by one that comes.
    nodes.stop(4);
    all.extend(load(nodes.house(0), 200, 3_000));
    nodes.begin(4);
    nodes.wait_for(5);
    querier(&nodes, &all, "with a querier again");
    // All in turn, and one ingester dies.
    for node in [0, 1] {
        nodes.stop(node);
        nodes.begin(node);
        nodes.wait_for(5);
    }
    querier(&nodes, &all, "after restarts");
    nodes.houses[2].take().unwrap().kill();
    all.extend(load(nodes.house(0), 300, 3_000));
    querier(&nodes, &all, "with two ingesters");
    let flushed = |node: usize| {
        nodes.house(node).flush();
        nodes.house(node).wait_until("all is in the store", || {
            let zero = |name| nodes.house(node).metric(name) == 0;
            zero("spanloom_live_traces")
                && zero("spanloom_blocks_unshipped")
                && zero("spanloom_blocks_standing_by")
        });
    };
    [1, 3].into_iter().for_each(flushed);
    querier(&nodes, &all, "from the store");
}

#[test]
fn nodes_speak_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let mut nodes = Nodes::on_ipv6(2, "");
    let all = load(nodes.house(1), 100, 1_000);
    nodes.check(&all, "on IPv6");
    nodes.stop(0);
    nodes.begin(0);
    nodes.wait_for(2);
    nodes.check(&all, "after a restart");
    nodes.counts(&all, "after a restart");
}
