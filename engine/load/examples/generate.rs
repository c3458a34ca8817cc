//! Measures generation alone: CPU nanoseconds and bytes a span for each profile.
//!
//! `cargo run --release -p spanloom-load --example generate`

use spanloom_load::{Generator, Profile, process};

#[allow(clippy::print_stdout, reason = "an example shows its result")]
fn main() {
    let cpu = || process::cpu_seconds(std::process::id()).unwrap_or(f64::NAN);
    for profile in [Profile::Small, Profile::Default, Profile::Large] {
        let (mut spans, mut bytes, before) = (0usize, 0usize, cpu());
        for request in Generator::new(profile, 1) {
            spans += request.spans.len();
            bytes += request.bytes.len();
            if spans >= 2_000_000 {
                break;
            }
        }
        let ns = (cpu() - before) * 1e9 / spans as f64;
        println!("{profile:?}: {ns:.0} ns/span, {:.1} B/span", bytes as f64 / spans as f64);
    }
}
