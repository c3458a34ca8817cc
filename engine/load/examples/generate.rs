//! Measures generation alone: nanoseconds and bytes a span for each profile.
//!
//! `cargo run --release -p spanloom-load --example generate`

use std::time::Instant;

use spanloom_load::{Generator, Profile};

#[allow(clippy::print_stdout)]
fn main() {
    for profile in [Profile::Small, Profile::Default, Profile::Large] {
        let mut generator = Generator::new(profile, 1);
        let (mut spans, mut bytes, start) = (0usize, 0usize, Instant::now());
        while spans < 1_000_000 {
            let Some(request) = generator.next() else { break };
            spans += request.spans.len();
            bytes += request.bytes.len();
        }
        let ns = start.elapsed().as_nanos() as f64 / spans as f64;
        println!("{profile:?}: {ns:.0} ns/span, {:.1} B/span", bytes as f64 / spans as f64);
    }
}
