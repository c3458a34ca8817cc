//! A message of each kind, for the tests of frames.

use bytes::Bytes;
use spanloom_peer::frame::{KnownHere, KnownThere, ListTenants, Message, Pieces, TenantList, encode};
use spanloom_peer::{
    BlockList, FindTrace, ListBlocks, ListTraces, PeerBlock, Push, PushSliced, Pushed, ReadBlock, ScanBlocks,
    ScanList, ScanQuestion, Scanned, StoreBlock, TraceCopy, TraceList, TraceSum,
};
use spanloom_span::{Tenant, TraceId};

/// A frame of each kind, by name.
pub fn frames() -> Vec<(&'static str, Bytes)> {
    let tenant = Tenant::new("team-1").unwrap();
    let id = TraceId(*b"0123456789abcdef");
    let mut frames = vec![
        ("push", frame(Push { tenant: tenant.clone(), request: Bytes::from_static(b"spans") })),
        ("pushed", frame(Pushed { spans: 7, refused_spans: 2, message: "the trace is too large".into() })),
        ("find-trace", frame(FindTrace { tenant: tenant.clone(), id })),
        ("trace-copy", frame(TraceCopy { spans: Bytes::from_static(b"trace"), blocks: 3, live_parts: 1 })),
        ("list-blocks", frame(ListBlocks { tenant: tenant.clone() })),
        ("block-list", frame(BlockList { run: 0x0102_0304_0506_0708, blocks: blocks() })),
        (
            "read-block",
            frame(ReadBlock {
                tenant: tenant.clone(),
                run: 9,
                name: "000a".into(),
                ranges: vec![0..16, 40..40, 64..1000],
            }),
        ),
        (
            "pieces",
            frame(Pieces(vec![Bytes::from_static(b"first"), Bytes::new(), Bytes::from_static(b"third")])),
        ),
        ("exchange-members", frame(KnownHere(Bytes::from_static(b"here")))),
        ("members", frame(KnownThere(Bytes::from_static(b"there")))),
        ("list-tenants", frame(ListTenants)),
        ("tenant-list", frame(TenantList(vec![Tenant::default(), tenant.clone()]))),
        ("list-traces", frame(ListTraces { tenant: tenant.clone(), after: None, since: 0, most: 3 })),
        (
            "list-more-traces",
            frame(ListTraces { tenant: tenant.clone(), after: Some(id), since: 5, most: u32::MAX }),
        ),
        ("trace-list", frame(TraceList { traces: traces(id), is_last: true })),
        ("push-sliced", frame(sliced(tenant))),
    ];
    let scan = |(name, question)| (name, frame(scan(question)));
    frames.extend(questions().into_iter().map(scan));
    let shared = vec![vec![3, u32::MAX], Vec::new()];
    let scanned = Scanned { traces: 5, spans: 60, bytes: 700, shared, found: Bytes::from_static(b"found") };
    frames.push(("scanned", frame(scanned)));
    frames
}

fn scan(question: ScanQuestion) -> ScanBlocks {
    let block = StoreBlock { created: 1, number: 2, elsewhere: vec![0, 3, u32::MAX], sealed: vec![7] };
    let blocks = vec![block, StoreBlock { created: u64::MAX, ..StoreBlock::default() }];
    ScanBlocks { tenant: Tenant::new("team-1").unwrap(), within_micros: 1_500_000, question, blocks }
}

fn questions() -> Vec<(&'static str, ScanQuestion)> {
    let list = ScanList { filter: Some("{ .a".into()), start: 1, end: u64::MAX, count: 2, bytes: 300 };
    let search = ScanQuestion::Search {
        query: "{ }".into(),
        start: 0,
        end: 9,
        limit: 20,
        spans: 3,
        after: Some((8, TraceId(*b"0123456789abcdef"))),
        floor: 4,
        every: true,
    };
    let series = ScanQuestion::Series {
        query: "{ } | rate()".into(),
        first: 100,
        step: 10,
        count: 11,
        closed: false,
        max_series: 1000,
        max_bytes: 1 << 26,
        exemplars: 5,
    };
    vec![
        ("scan-blocks-search", search),
        ("scan-blocks-series", series),
        (
            "scan-blocks-names",
            ScanQuestion::Names { scope: 2, list: ScanList { filter: None, ..list.clone() } },
        ),
        ("scan-blocks-values", ScanQuestion::Values { field: ".a".into(), list }),
    ]
}

fn traces(id: TraceId) -> Vec<TraceSum> {
    vec![
        TraceSum { id: TraceId([0; 16]), spans: 1, digest: 0 },
        TraceSum { id, spans: 300, digest: 0x0102_0304 },
    ]
}

fn sliced(tenant: Tenant) -> PushSliced {
    PushSliced { tenant, request: Bytes::from_static(b"spans"), index: Bytes::from_static(b"slices") }
}

fn blocks() -> Vec<PeerBlock> {
    let meta = Bytes::from_static(b"summary");
    vec![
        PeerBlock { name: "000a".into(), meta: meta.clone(), tail: 4096, is_live: false, sealed: Vec::new() },
        PeerBlock { name: "live".into(), meta, tail: u64::MAX, is_live: true, sealed: vec![0, 3, u32::MAX] },
    ]
}

fn frame<M: Message>(message: M) -> Bytes {
    encode(message).unwrap().to_bytes()
}
