//! How fast the log is on this machine: groups appended and synced, then replayed from the page cache.
//!
//! `cargo run --release -p spanloom-wal --example log_speed -- DIRECTORY MEGABYTES REQUEST_KB GROUP`; without
//! arguments it is a short run in a temporary directory.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use spanloom_wal::disk::RealDisk;
use spanloom_wal::{Entry, Log, Options};

/// CPU time of this process, in seconds.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = std::env::temp_dir().join(format!("spanloom-log-speed-{}", std::process::id()));
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        arguments = [&*temporary.to_string_lossy(), "16", "200", "4"].map(String::from).into();
    }
    let [directory, megabytes, request_kb, group] = arguments.as_slice() else {
        return Err("expected DIRECTORY MEGABYTES REQUEST_KB GROUP, or nothing".into());
    };
    let (bytes, request, group) =
        (megabytes.parse::<usize>()? << 20, request_kb.parse::<usize>()? << 10, group.parse::<usize>()?);
    let disk = Arc::new(RealDisk::new(directory)?);
    let options = Options { new_log_id: 1, ..Options::default() };
    let payload: Vec<u8> = (0..request as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let entry = Entry { tenant: "single-tenant", kind: 0, spans: 1, payload: &payload };
    let groups = bytes / request / group;

    let (mut log, _) = Log::open(disk.clone(), "log", &options, |_| 0)?;
    let (start, start_cpu) = (Instant::now(), cpu());
    for _ in 0..groups {
        log.append_group(&vec![entry; group], 0)?;
        log.sync()?;
    }
    let each = |seconds: f64| seconds * 1e6 / groups as f64;
    let (wall, used) = (start.elapsed().as_secs_f64(), cpu() - start_cpu);
    println!(
        "append and sync of {group} x {request} bytes: {:.0} us, of which CPU {:.0} us",
        each(wall),
        each(used)
    );
    drop(log);

    for keep in [0, 64] {
        let mut kept = std::collections::VecDeque::new();
        let (start, start_cpu) = (Instant::now(), cpu());
        let (log, report) = Log::open(disk.clone(), "log", &options, |frame| {
            kept.push_back(frame.payload);
            if kept.len() > keep {
                kept.pop_front();
            }
            1
        })?;
        let (wall, used) = (start.elapsed().as_secs_f64(), cpu() - start_cpu);
        println!(
            "replay of {} MB in {} frames, {keep} payloads kept: {wall:.3} s, CPU {used:.3} s, {:.2} GB/s",
            report.payload_bytes >> 20,
            report.frames,
            report.payload_bytes as f64 / wall / 1e9,
        );
        drop(log);
    }
    if temporary.exists() {
        std::fs::remove_dir_all(temporary)?;
    }
    Ok(())
}
