//! Stop 2: one checking walk over a request.

use std::hint::black_box;

use spanloom_span::slice::{SliceLimits, slice};

use crate::{Line, measure, requests};

/// Slices requests of the default load.
pub fn run(spans: usize) -> Vec<Line> {
    let requests = requests(spans);
    let limits = SliceLimits::default();
    let count = |bytes: &bytes::Bytes| slice(bytes.clone(), &limits).map_or(0, |batch| batch.spans().len());
    let units: usize = requests.iter().map(count).sum();
    let bytes: usize = requests.iter().map(bytes::Bytes::len).sum();
    let mut line = measure(
        "slice",
        "span",
        units,
        || (),
        |()| {
            for request in &requests {
                black_box(slice(request.clone(), &limits).is_ok());
            }
        },
    );
    let rate = bytes as f64 / units as f64 / line.wall_ns * 1e9 / (1 << 20) as f64;
    line.note = format!("{:.0} B/span, {rate:.0} MiB/s", bytes as f64 / units as f64);
    vec![line]
}
