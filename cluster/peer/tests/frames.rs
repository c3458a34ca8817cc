//! Frames between nodes: what is written is read, damage of any kind is noticed, and version 1 stays as it is.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test answers by panicking
#![allow(clippy::single_range_in_vec_init)] // one range of a block is meant

#[path = "fuzz/peer_frame.rs"]
mod peer_frame;
mod samples;

use std::fmt::Debug;

use bytes::Bytes;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use spanloom_peer::frame::{
    FrameError, KnownHere, KnownThere, ListTenants, MAGIC, Message, Pieces, TenantList, VERSION, decode,
    encode,
};
use spanloom_peer::{
    BlockList, FindTrace, ListBlocks, ListTraces, MAX_RANGES, MAX_SCAN_BLOCKS, PeerBlock, PeerError, Push,
    PushSliced, Pushed, ReadBlock, ScanBlocks, ScanList, ScanQuestion, Scanned, StoreBlock, TraceCopy,
    TraceList, TraceSum,
};
use spanloom_span::{Tenant, TraceId};

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn tenant() -> impl Strategy<Value = Tenant> {
    "[a-zA-Z0-9_-]{1,150}".prop_map(|name| Tenant::new(&name).unwrap())
}

fn block() -> impl Strategy<Value = PeerBlock> {
    (".{0,20}", bytes(), any::<u64>(), any::<bool>(), btree_set(any::<u32>(), 0..20)).prop_map(
        |(name, meta, tail, is_live, sealed)| PeerBlock {
            name: name.into(),
            meta,
            tail,
            is_live,
            sealed: sealed.into_iter().collect(),
        },
    )
}

fn places() -> impl Strategy<Value = Vec<u32>> {
    btree_set(any::<u32>(), 0..9).prop_map(|places| places.into_iter().collect())
}

fn store_block() -> impl Strategy<Value = StoreBlock> {
    (any::<u64>(), any::<u64>(), places(), places())
        .prop_map(|(created, number, elsewhere, sealed)| StoreBlock { created, number, elsewhere, sealed })
}

fn list() -> impl Strategy<Value = ScanList> {
    let text = proptest::option::of(".{0,9}");
    (text, any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>())
        .prop_map(|(filter, start, end, count, bytes)| ScanList { filter, start, end, count, bytes })
}

fn question() -> impl Strategy<Value = ScanQuestion> {
    let after = proptest::option::of(any::<(u64, [u8; 16])>());
    let numbers = any::<[u64; 5]>();
    let search = (".{0,9}", numbers, after, any::<bool>()).prop_map(|(query, of, after, every)| {
        let [start, end, limit, spans, floor] = of;
        let after = after.map(|(start, id)| (start, TraceId(id)));
        ScanQuestion::Search { query, start, end, limit, spans, after, floor, every }
    });
    let series =
        (".{0,9}", any::<[u64; 5]>(), any::<u32>(), any::<bool>()).prop_map(|(query, of, count, closed)| {
            let [first, step, max_series, max_bytes, exemplars] = of;
            ScanQuestion::Series { query, first, step, count, closed, max_series, max_bytes, exemplars }
        });
    let names = (0_u8..6, list()).prop_map(|(scope, list)| ScanQuestion::Names { scope, list });
    let values = (".{0,9}", list()).prop_map(|(field, list)| ScanQuestion::Values { field, list });
    prop_oneof![search, series, names, values]
}

/// Written and read it is the same; cut or longer anywhere, or with another bit anywhere, it is refused.
fn check<M: Message + Clone + PartialEq + Debug>(message: M) -> Result<(), TestCaseError> {
    let frame = encode(message.clone()).unwrap().to_bytes();
    prop_assert_eq!(&decode::<M>(&frame), &Ok(message));
    for len in 0..frame.len() {
        prop_assert!(decode::<M>(&frame.slice(..len)).is_err(), "cut after {} bytes", len);
    }
    let mut longer = frame.to_vec();
    longer.push(0);
    prop_assert!(decode::<M>(&longer.into()).is_err());
    let mut damaged = frame.to_vec();
    for bit in 0..frame.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(decode::<M>(&Bytes::copy_from_slice(&damaged)).is_err(), "bit {}", bit);
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pushes_are_read_as_written(
        tenant in tenant(), request in bytes(), index in bytes(), spans in any::<u64>(), refused_spans in any::<u64>(), message in ".{0,60}"
    ) {
        check(PushSliced { tenant: tenant.clone(), request: request.clone(), index })?;
        check(Push { tenant, request })?;
        check(Pushed { spans, refused_spans, message })?;
    }

    #[test]
    fn traces_are_read_as_written(
        tenant in tenant(), id in any::<[u8; 16]>(), spans in bytes(), blocks in any::<u64>(), live_parts in any::<u64>()
    ) {
        check(FindTrace { tenant, id: TraceId(id) })?;
        check(TraceCopy { spans, blocks, live_parts })?;
    }

    #[test]
    fn lists_are_read_as_written(tenant in tenant(), run in any::<u64>(), blocks in vec(block(), 0..5)) {
        check(ListBlocks { tenant })?;
        check(BlockList { run, blocks })?;
    }

    #[test]
    fn reads_are_read_as_written(
        tenant in tenant(), run in any::<u64>(), name in ".{0,20}",
        ranges in vec((any::<u32>(), any::<u32>()), 0..9), pieces in vec(bytes(), 0..5)
    ) {
        let ranges = ranges.into_iter().map(|(start, len)| start.into()..u64::from(start) + u64::from(len)).collect();
        check(ReadBlock { tenant, run, name: name.into(), ranges })?;
        check(Pieces(pieces))?;
    }

    #[test]
    fn scans_are_read_as_written(
        tenant in tenant(), within_micros: u64, question in question(), blocks in vec(store_block(), 0..3),
        counts: [u64; 3], shared in vec(places(), 0..3), found in bytes()
    ) {
        check(ScanBlocks { tenant, within_micros, question, blocks })?;
        let [traces, spans, bytes] = counts;
        check(Scanned { traces, spans, bytes, shared, found })?;
    }

    #[test]
    fn members_are_read_as_written(here in bytes(), there in bytes()) {
        check(KnownHere(here))?;
        check(KnownThere(there))?;
    }

    #[test]
    fn lists_of_traces_are_read_as_written(
        tenant in tenant(), after in any::<Option<[u8; 16]>>(), since in any::<u64>(), most in any::<u32>(),
        tenants in vec(tenant(), 0..5), is_last in any::<bool>(),
        traces in proptest::collection::btree_map(any::<[u8; 16]>(), any::<(u32, u32)>(), 0..9)
    ) {
        check(ListTenants)?;
        check(TenantList(tenants))?;
        check(ListTraces { tenant, after: after.map(TraceId), since, most })?;
        let sum = |(id, (spans, digest))| TraceSum { id: TraceId(id), spans, digest };
        check(TraceList { traces: traces.into_iter().map(sum).collect(), is_last })?;
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(data in vec(any::<u8>(), 0..200), kind in 0_u8..9, is_answer in any::<bool>()) {
        let mut data = data;
        peer_frame::holds(&data);
        if let Some(first) = data.first_mut() {
            *first = kind + if is_answer { 128 } else { 0 };
        }
        peer_frame::holds(&data);
    }
}

#[test]
fn payloads_are_not_copied() {
    let request = Bytes::from(vec![7; 100_000]);
    let encoded = encode(Push { tenant: Tenant::default(), request: request.clone() }).unwrap();
    assert_eq!(encoded.payload[0].as_ptr(), request.as_ptr());
    let frame = encoded.to_bytes();
    let read = decode::<Push>(&frame).unwrap();
    assert_eq!(read.request.as_ptr(), frame[frame.len() - 100_000..].as_ptr());
}

#[test]
fn another_version_is_refused_and_named() {
    let (_, frame) = &samples::frames()[0];
    for version in [0, 2, 255] {
        let mut other = frame.to_vec();
        other[MAGIC.len()] = version;
        let error = decode::<Push>(&other.into()).unwrap_err();
        assert_eq!(error, FrameError::Version(version));
        assert_eq!(error.to_string(), format!("the frame has version {version}, expected {VERSION}"));
        assert!(matches!(PeerError::from(error), PeerError::Garbled(_)));
    }
}

#[test]
fn another_kind_is_refused() {
    for (name, frame) in samples::frames() {
        let (here, there) = (decode::<KnownHere>(&frame), decode::<KnownThere>(&frame));
        assert_eq!(here.is_ok(), name == "exchange-members");
        assert_eq!(there.is_ok(), name == "members");
        let kind = frame[5];
        assert!(here.is_ok() || here == Err(FrameError::Kind { found: kind, expected: 5 }), "{name}");
    }
}

#[test]
fn what_does_not_fit_a_frame_is_refused_by_its_writer() {
    let read = |ranges| ReadBlock { tenant: Tenant::default(), run: 0, name: "a".into(), ranges };
    let sealed = |sealed| {
        let block = PeerBlock { name: "a".into(), meta: Bytes::new(), tail: 0, is_live: false, sealed };
        BlockList { run: 0, blocks: vec![block] }
    };
    let field = |field, problem| Some(FrameError::Field { field, problem });
    assert_eq!(encode(read(vec![0..1; MAX_RANGES])).err(), None);
    let many = "has more than 256 entries";
    assert_eq!(encode(read(vec![0..1; MAX_RANGES + 1])).err(), field("list of ranges", many));
    assert_eq!(encode(Pieces(vec![Bytes::new(); MAX_RANGES + 1])).err(), field("list of pieces", many));
    let backward = std::ops::Range { start: 2, end: 1 };
    assert_eq!(encode(read(vec![backward])).err(), field("range", "ends before it begins"));
    let unsorted = field("list of sealed traces", "is not ascending");
    assert_eq!(encode(sealed(vec![1, 1])).err(), unsorted);
    assert_eq!(encode(sealed(vec![2, 1])).err(), unsorted);
    let scanned = |shared| Scanned { shared, ..Scanned::default() };
    assert_eq!(encode(scanned(vec![vec![2, 1]])).err(), field("list of places", "is not ascending"));
    assert_eq!(encode(scanned(vec![Vec::new(); MAX_SCAN_BLOCKS])).err(), None);
    let many = scanned(vec![Vec::new(); MAX_SCAN_BLOCKS + 1]);
    assert_eq!(encode(many).err(), field("list of blocks", "has more than 64 entries"));
    let sum = TraceSum { id: TraceId([1; 16]), spans: 1, digest: 1 };
    let twice = TraceList { traces: vec![sum, sum], is_last: true };
    assert_eq!(encode(twice).err(), field("list of traces", "is not ascending"));
}

/// Frames of version 1 in hexadecimal, as `docs/formats/peer.md` describes them. They never change.
#[test]
fn version_1_stays_as_it_is() {
    let golden = include_str!("golden/version_1.txt");
    let found: String =
        samples::frames().iter().map(|(name, frame)| format!("{name} {}\n", hex(frame))).collect();
    assert_eq!(found, golden);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
