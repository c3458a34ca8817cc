//! Real processes on hosts of their own whose ways to each other are cut: what is acknowledged meanwhile is found, from
//! the side that has a majority at once, from all when the ways are mended.
//!
//! In every run for some seconds; for longer by `SPANLOOM_PARTITION_SECONDS=60`.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod house;

use std::time::{Duration, Instant};

use house::House;
use house::load::{Spans, check, load_to, some_traces};
use house::network::{Network, is_inside};
use house::nodes::{MOST, Nodes, counted, load};

/// For how long ways are cut.
fn seconds() -> Duration {
    let seconds = std::env::var("SPANLOOM_PARTITION_SECONDS").ok();
    Duration::from_secs(seconds.map_or(4, |text| text.parse().unwrap()))
}

/// Cuts ways, or mends them.
fn set(nodes: &Nodes, ways: &[(usize, usize)], is_cut: bool) {
    let network = nodes.network.as_ref().unwrap();
    for &(from, to) in ways {
        if is_cut { network.cut(from, to) } else { network.mend(from, to) }
    }
}

/// Spans for as long as ways are cut, to a node that goes on taking them all the time.
fn load_meanwhile(house: &House, seed: u64) -> Spans {
    let until = Instant::now() + seconds();
    load_to((&house.host, house.otlp), None, seed, |count| {
        let mut before = 0;
        while Instant::now() < until {
            house.wait_until("more is acknowledged", || count() > before + 100);
            before = count();
        }
    })
}

/// Waits until a node sees so many of the others, itself among them, as up.
fn wait_until_up(house: &House, count: usize) {
    house.wait_until("the others are seen as they are", || {
        let (_, text) = house.says("/memberlist?format=json");
        text.matches(r#""status":"up""#).count() == count
    });
}

#[test]
fn nothing_is_lost_when_nodes_are_cut_off() {
    if !is_inside("nothing_is_lost_when_nodes_are_cut_off") {
        return;
    }
    // On all addresses: others are told the one by which a host reaches them.
    let nodes = Nodes::on(Network::new(), 3, "listen_host: 0.0.0.0");
    let mut all = load(nodes.house(0), 100, 3_000);
    nodes.check(&all, "with all ways");

    let both_ways = [(2, 0), (0, 2), (2, 1), (1, 2)];
    set(&nodes, &both_ways, true);
    all.extend(load_meanwhile(nodes.house(0), 200));
    for node in [0, 1] {
        check(nodes.house(node), &some_traces(&all, MOST), "by those who see each other");
        assert!(counted(nodes.house(node)) >= all.len());
    }
    // Who is cut off takes nothing, and says that it may not know everything.
    wait_until_up(nodes.house(2), 1);
    let refused = nodes.house(2).sender().post("/v1/traces", "application/x-protobuf", &one_span()).unwrap();
    assert_eq!(refused.status, 503, "{}", String::from_utf8_lossy(&refused.body));
    let (_, text) =
        nodes.house(2).says("/api/metrics/query?q=%7B%7D%7Ccount_over_time()&start=1&end=4102444800");
    assert!(text.contains("PARTIAL"), "{text}");
    set(&nodes, &both_ways, false);
    nodes.wait_for(3);
    nodes.check(&all, "when one that was cut off is back");
    nodes.counts(&all, "when one that was cut off is back");

    // What one sends to another is lost, not what it hears.
    set(&nodes, &[(0, 1)], true);
    all.extend(load_meanwhile(nodes.house(0), 300));
    all.extend(load(nodes.house(1), 400, 2_000));
    check(nodes.house(2), &some_traces(&all, MOST), "by who is heard by all");
    set(&nodes, &[(0, 1)], false);
    nodes.wait_for(3);
    nodes.check(&all, "with all ways again");
    nodes.counts(&all, "with all ways again");
}

/// A request of one span.
fn one_span() -> Vec<u8> {
    let options = spanloom_load::GeneratorOptions {
        spans_per_request: 1,
        ..spanloom_load::GeneratorOptions::new(spanloom_load::Profile::Default, 900)
    };
    let sampler = spanloom_load::sample::Sample::new(0).1;
    spanloom_load::Generator::with(options, sampler).next().unwrap().bytes.to_vec()
}
