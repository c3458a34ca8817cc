//! Choices and owners that may never change: nodes of two versions must see one ring. If a test here fails, the
//! change breaks running clusters.

use spanloom_ring::{MemberState, NodeName, RingOptions, Token};
use spanloom_span::Tenant;

use crate::cluster::{grown, joiner, names, with};

#[test]
fn fingerprints_never_change() {
    let fingerprint = |nodes, zones, replication, zone_aware| {
        grown(nodes, zones, RingOptions { replication, zone_aware }).fingerprint()
    };
    let found = [
        fingerprint(0, 1, 3, true),
        fingerprint(1, 1, 1, false),
        fingerprint(10, 1, 1, false),
        fingerprint(10, 1, 3, false),
        fingerprint(9, 3, 3, true),
        fingerprint(10, 5, 3, true),
        fingerprint(10, 2, 3, true),
    ];
    let expected = [
        16_169_524_375_275_942_869,
        9_251_187_008_562_837_584,
        10_539_817_817_122_763_859,
        12_292_850_969_588_424_706,
        17_029_004_660_314_577_846,
        12_596_082_378_122_276_611,
        14_734_667_806_221_557_918,
    ];
    assert_eq!(found, expected);
}

#[test]
fn owners_shards_and_jobs_never_change() {
    let ring = grown(9, 3, RingOptions::default());
    let ring = with(&ring, joiner(&ring, "node-9", "z0", MemberState::Joining));
    let token = |i: u64| Token(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let in_order = |i| {
        let order: Vec<_> = ring.owners_for_write(token(i)).in_order().map(|node| node.get()).collect();
        format!("{order:?}")
    };
    let found: Vec<String> = (0..8).map(in_order).collect();
    let expected = [
        "[4, 5, 6, 9]",
        "[8, 0, 7]",
        "[3, 4, 5]",
        "[7, 6, 8, 9]",
        "[0, 1, 2, 9]",
        "[3, 4, 8]",
        "[0, 1, 8]",
        "[4, 3, 5]",
    ];
    assert_eq!(found, expected);
    let moving = ring.find(&NodeName::new("node-9").unwrap()).unwrap();
    assert_eq!(ring.member(moving).tokens()[..4], [691_478, 48_070_412, 56_627_829, 101_120_728]);
    let beyond: Vec<usize> = ring.successors(token(1)).map(|node| node.get()).collect();
    assert_eq!(beyond, [5, 4, 1, 2, 3, 6]);
    let shard = |tenant: &str| {
        names(&ring, &ring.shard_of_tenant(&Tenant::new(tenant).unwrap(), 4).nodes()).join(" ")
    };
    assert_eq!(
        [shard("single-tenant"), shard("shop")],
        ["node-1 node-2 node-3 node-6", "node-0 node-1 node-2 node-4"]
    );
    let jobs: Vec<usize> = (0..8).map(|key| ring.owner_of_job(key).unwrap().get()).collect();
    assert_eq!(jobs, [6, 3, 6, 1, 3, 1, 7, 4]);
}
