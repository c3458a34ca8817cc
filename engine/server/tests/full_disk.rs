//! A disk that fills up: spans are taken as long as there is room, then refused with a hint; nothing that was
//! acknowledged is lost, and everything goes on by itself when there is room again.
//!
//! The data directory is a small file system in memory, mounted where this test's servers alone see it. That takes a
//! right that not everybody has (root's): without it these tests do nothing and say so.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(clippy::print_stdout, reason = "what was left out is what one wants to know")]

mod house;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use house::House;
use house::load::{Spans, check, load_while, some_traces};

const MIB: u64 = 1 << 20;

/// Traces that are read back at a time.
const MOST: usize = 5_000;

/// Nothing is sealed by itself.
const PATIENT: &str = "
log: {segment_bytes: 1MiB, min_free_disk: 16MiB}
trace: {idle: 10m, max_age: 10m}
seal: {max_age: 10m}
retention: {max_age: 0s}
";

/// A small disk at `data` of a folder.
struct SmallDisk {
    holder: Child,
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`, which is said, if nothing may be mounted.
    fn mount(mib: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        let script = format!("mount -t tmpfs -o size={mib}m none \"$0\" && echo mounted && exec cat");
        let mut holder = Command::new("unshare")
            .args(["-m", "sh", "-c", &script])
            .arg(dir.path().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take()?).read_line(&mut line).unwrap();
        if line != "mounted\n" {
            println!("left out: no file system can be mounted here");
            // It has ended, or is about to.
            let _ = holder.wait();
            return None;
        }
        Some(Self { holder, dir })
    }

    fn start(&self, config: &str) -> House {
        let within = ["nsenter", &format!("--mount=/proc/{}/ns/mnt", self.holder.id())].map(String::from);
        House::start_within(self.dir.path(), &within, "", config)
    }

    /// The disk, seen from here.
    fn data(&self) -> PathBuf {
        let path = self.dir.path().strip_prefix("/").unwrap();
        Path::new(&format!("/proc/{}/root", self.holder.id())).join(path).join("data")
    }

    /// Somebody else's file takes the room, but for so many bytes.
    fn fill(&self, left: u64, house: &House) {
        self.empty();
        let bytes = house.metric("spanloom_disk_free_bytes").saturating_sub(left);
        let mut file = std::fs::File::create(self.data().join("ballast")).unwrap();
        let piece = vec![1; 64 << 10];
        let mut written = 0;
        while written < bytes {
            let next = (bytes - written).min(piece.len() as u64) as usize;
            // A log that grows meanwhile may have taken the rest.
            let Ok(part) = file.write(&piece[..next]) else { return };
            written += part as u64;
        }
    }

    fn empty(&self) {
        // At first there is none.
        let _ = std::fs::remove_file(self.data().join("ballast"));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its input ends with this, so it would end anyway.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn is_refusing(house: &House) -> bool {
    house.metric("spanloom_log_refusing") == 1
}

/// Spans until there is no room for more.
fn load_until_refused(house: &House, seed: u64) -> Spans {
    load_while(house.otlp, seed, |_| house.wait_until("spans are refused", || is_refusing(house)))
}

/// What senders, load balancers and people are told.
fn says_that_it_refuses(house: &House, why: &str) {
    // What is smaller than that which was refused may still fit.
    let mut sender = house.sender();
    let mut post = |bytes: &[u8]| sender.post("/v1/traces", "application/x-protobuf", bytes).unwrap();
    let refused = spanloom_load::Generator::new(spanloom_load::Profile::Default, 77)
        .map(|request| post(&request.bytes))
        .find(|answer| answer.status != 200)
        .unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    let (status, ready) = house.says("/ready");
    assert_eq!(status, 503);
    assert!(ready.starts_with("not ready: the log takes no requests: ") && ready.contains(why), "{ready}");
    let (status, page) = house.says("/status");
    assert!(status == 200 && page.contains("refusing: ") && page.contains(why), "{page}");
}

fn takes_again(house: &House, seed: u64) -> Spans {
    house.wait_until("it is ready", || house.says("/ready").0 == 200);
    assert!(!is_refusing(house));
    load_while(house.otlp, seed, |count| house.wait_until("spans are acknowledged", || count() > 1_000))
}

/// Nothing but the log and blocks: sealing gives back the log's room.
#[test]
fn a_log_that_fills_the_disk_leaves_room_for_sealing() {
    let Some(disk) = SmallDisk::mount(40) else { return };
    let house = disk.start(PATIENT);
    let mut all = Spans::new();
    for round in 0..3 {
        all.extend(load_until_refused(&house, 100 + round));
        says_that_it_refuses(&house, "stay free for making blocks of what the log holds");
        assert!(house.metric("spanloom_disk_free_bytes") > 15 * MIB, "more was taken than may be");
        check(&house, &some_traces(&all, MOST), "while the disk is full");
        house.flush();
        all.extend(takes_again(&house, 200 + round));
    }
    assert_eq!(house.metric("spanloom_seal_errors_total"), 0, "{}", house.log());
    let lines = house.log().lines().filter(|line| line.contains("the log takes no requests")).count();
    assert!((1..=2).contains(&lines), "once a minute\n{}", house.log());
    check(&house, &some_traces(&all, MOST), "at the end");
    house.stop();
    let house = disk.start(PATIENT);
    check(&house, &some_traces(&all, MOST), "after a restart");
    house.stop();
}

/// Somebody else fills the disk to its last byte: nothing can be sealed or joined, and a start on it is possible.
#[test]
fn a_disk_that_others_fill_is_waited_for() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let config = format!("{PATIENT}\ncompaction: {{every: 50ms}}\n");
    let house = disk.start(&config);
    let mut all = load_while(house.otlp, 1, |count| house.wait_until("spans are there", || count() > 2_000));
    house.flush();
    all.extend(load_while(house.otlp, 11, |count| {
        house.wait_until("spans are there", || count() > 2_000);
        disk.fill(0, &house);
        house.wait_until("spans are refused", || is_refusing(&house));
    }));
    says_that_it_refuses(&house, "free on the disk");
    let refused = house.client().post("/flush", "text/plain", &[]).unwrap();
    assert_ne!(refused.status, 204, "there is no room for a block");
    assert!(house.metric("spanloom_seal_errors_total") > 0);
    check(&house, &some_traces(&all, MOST), "while nothing can be written");
    house.kill();
    // It waits for no room, but is not ready before there is some.
    disk.empty();
    let house = disk.start(&config);
    disk.fill(0, &house);
    check(&house, &some_traces(&all, MOST), "after a crash");
    disk.empty();
    all.extend(takes_again(&house, 21));
    house.flush();
    house.wait_until("blocks are joined", || house.metric("spanloom_compaction_errors_total") == 0);
    check(&house, &some_traces(&all, MOST), "when there is room again");
    house.stop();
    let house = disk.start(&config);
    assert_eq!(house.metric("spanloom_log_unsealed_spans"), 0);
    check(&house, &some_traces(&all, MOST), "after a drain");
    house.stop();
}

/// Blocks pile up since the store is down; once it is there again their room comes back.
#[test]
fn blocks_that_wait_for_the_store_fill_the_disk_until_it_is_there_again() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let store = tempfile::tempdir().unwrap();
    let (folder, away) = (store.path().join("store"), store.path().join("away"));
    let config = format!(
        "log: {{segment_bytes: 1MiB, min_free_disk: 16MiB}}\ntrace: {{idle: 50ms, max_age: 1s}}\n\
         seal: {{block_bytes: 1MiB, max_age: 200ms}}\ncompaction: {{every: 100ms, zstd_level: 1}}\n\
         cache: {{data_bytes: 64KiB, metadata_bytes: 64KiB}}\n\
         store: {{backend: folder, folder: {}, poll: 100ms, tries: 1}}\n",
        folder.display()
    );
    let house = disk.start(&config);
    let mut all = load_while(house.otlp, 1, |count| house.wait_until("spans are there", || count() > 2_000));
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    disk.fill(20 * MIB, &house);
    all.extend(load_while(house.otlp, 11, |_| {
        house.wait_until("blocks that wait have taken all room", || {
            let metrics = ["spanloom_log_refusing", "spanloom_store_failing", "spanloom_log_unsealed_spans"];
            metrics.map(|name| house.metric(name)) == [1, 1, 0]
        });
    }));
    house.wait_until("it is not ready", || house.says("/ready").0 == 503);
    assert!(house.metric("spanloom_blocks_unshipped") > 0);
    check(&house, &some_traces(&all, MOST), "while the store is down");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    house.wait_until("all blocks are in the store", || {
        house.metric("spanloom_blocks_unshipped") == 0 && house.metric("spanloom_store_failing") == 0
    });
    all.extend(takes_again(&house, 21));
    check(&house, &some_traces(&all, MOST), "when the store is there again");
    house.stop();
    let other = tempfile::tempdir().unwrap();
    let house = House::start(other.path(), &config);
    check(&house, &some_traces(&all, MOST), "by another node");
    house.stop();
}
