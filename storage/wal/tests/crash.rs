//! Random appends, syncs, seals, full disks and crashes on the simulated disk: what was synced comes back whole,
//! once and in order; what was not may come back whole or not at all; nothing is called damaged.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use spanloom_wal::disk::SimDisk;
use spanloom_wal::{Entry, Log, Options, WalError};

#[derive(Debug, Clone)]
enum Step {
    /// Payload lengths of a group.
    Append(Vec<u16>),
    Sync,
    /// So many bytes fit on the disk; then there is room again after the next append.
    AppendWithSpace(Vec<u16>, u16),
    /// One of the frames that are left, as a share of 255.
    Seal(u8),
    Release,
    Crash(u64),
    Kill,
    FailSync,
}

fn step() -> impl Strategy<Value = Step> {
    let group = || prop::collection::vec(prop_oneof![0..40u16, 0..3_000u16], 0..5);
    prop_oneof![
        8 => group().prop_map(Step::Append),
        4 => Just(Step::Sync),
        2 => (group(), 0..9_000u16).prop_map(|(group, space)| Step::AppendWithSpace(group, space)),
        3 => any::<u8>().prop_map(Step::Seal),
        2 => Just(Step::Release),
        2 => any::<u64>().prop_map(Step::Crash),
        1 => Just(Step::Kill),
        1 => Just(Step::FailSync),
    ]
}

/// What the log must hold.
#[derive(Default)]
struct Model {
    disk: SimDisk,
    /// Payloads by ordinal that were appended and not yet released.
    frames: BTreeMap<u64, Vec<u8>>,
    /// Ordinals through which the log said that it is durable.
    synced: u64,
    /// Ordinals that were sealed: they may or may not come back.
    sealed: BTreeMap<u64, ()>,
    /// Appends so far, so that each payload differs.
    count: u64,
}

const DIR: &str = "log";

impl Model {
    fn open(&mut self) -> Log {
        let options = Options { segment_bytes: 8_000, min_next_seq: 1, new_log_id: 77, ..Options::default() };
        let mut replayed = BTreeMap::new();
        let mut last = 0;
        let (log, report) = Log::open(Arc::new(self.disk.clone()), DIR, &options, |frame| {
            assert!(frame.seq > last, "{} after {last}", frame.seq);
            last = frame.seq;
            replayed.insert(frame.seq, frame.payload.to_vec());
            u64::from(!self.sealed.contains_key(&frame.seq))
        })
        .unwrap();
        for (seq, payload) in &replayed {
            assert_eq!(Some(payload), self.frames.get(seq), "frame {seq}");
        }
        for seq in self.frames.range(..=self.synced).map(|frame| frame.0) {
            assert!(replayed.contains_key(seq) || self.sealed.contains_key(seq), "frame {seq} was synced");
        }
        assert!(log.next_seq() > self.synced && log.next_seq() > last);
        assert_eq!((report.damage, report.aside_files), (vec![], 0));
        let next = log.next_seq();
        self.sealed.retain(|seq, ()| *seq < next);
        self.frames = replayed;
        self.synced = log.synced_seq();
        log
    }

    fn append(&mut self, log: &mut Log, lens: &[u16]) -> bool {
        let payloads: Vec<Vec<u8>> = lens
            .iter()
            .map(|len| {
                self.count += 1;
                self.count.to_le_bytes().repeat(usize::from(*len) / 8 + 1)
            })
            .collect();
        let entries: Vec<_> =
            payloads.iter().map(|payload| Entry { tenant: "t", kind: 0, spans: 1, payload }).collect();
        let next = log.next_seq();
        match log.append_group(&entries, 0) {
            Ok(appended) => {
                assert_eq!(appended.first_seq, next);
                self.frames.extend((next..).zip(payloads));
                assert_eq!(log.next_seq(), next + lens.len() as u64);
                self.synced = log.synced_seq();
                true
            }
            Err(error) => error.is_disk_full(),
        }
    }

    /// Whether the log is still of use.
    fn step(&mut self, log: &mut Log, step: &Step) -> bool {
        match step {
            Step::Append(lens) => return self.append(log, lens),
            Step::AppendWithSpace(lens, space) => {
                self.disk.set_space(Some(u64::from(*space)));
                let good = self.append(log, lens);
                self.disk.set_space(None);
                return good;
            }
            Step::Sync => match log.sync() {
                Ok(synced) => {
                    assert_eq!(synced, log.next_seq() - 1);
                    self.synced = synced;
                }
                Err(_) => return false,
            },
            Step::Seal(share) => {
                let seq = log.next_seq() * u64::from(*share) / 256;
                if self.frames.contains_key(&seq) && !self.sealed.contains_key(&seq) {
                    assert!(log.ledger().sealed(seq, 1));
                    self.sealed.insert(seq, ());
                }
            }
            Step::Release => drop(log.ledger().release().unwrap()),
            Step::Crash(seed) => {
                self.disk.crash(*seed);
                return false;
            }
            Step::Kill => {
                self.disk.kill();
                return false;
            }
            Step::FailSync => self.disk.fail_sync(0),
        }
        true
    }

    fn run(&mut self, steps: &[Step]) {
        let mut log = self.open();
        for step in steps {
            if !self.step(&mut log, step) {
                if log.sync().is_err_and(|error| matches!(error, WalError::Poisoned { .. })) {
                    // Bytes whose sync failed are readable until the machine restarts.
                    self.disk.crash_losing_all();
                }
                self.disk.kill();
                self.disk.forget_faults();
                log = self.open();
            }
        }
        self.disk.forget_faults();
        self.disk.crash_losing_all();
        self.open();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_synced_survives_every_crash(steps in prop::collection::vec(step(), 1..60)) {
        Model::default().run(&steps);
    }

    #[test]
    fn damaged_bytes_never_give_a_wrong_frame(
        lens in prop::collection::vec(0..900u16, 1..20),
        spoils in prop::collection::vec((any::<u32>(), any::<u8>(), 0..400usize), 1..6),
        segment_bytes in prop_oneof![Just(1u64), Just(7_000), Just(1 << 20)],
    ) {
        let mut model = Model::default();
        let options = Options { segment_bytes, min_next_seq: 1, new_log_id: 5, ..Options::default() };
        let (mut log, _) = Log::open(Arc::new(model.disk.clone()), DIR, &options, |_| 0).unwrap();
        for len in &lens {
            model.append(&mut log, &[*len]);
            log.sync().unwrap();
        }
        use spanloom_wal::disk::Disk;
        let files = model.disk.list(DIR).unwrap();
        for (at, value, len) in spoils {
            let file = &files[at as usize % files.len()];
            model.disk.damage(&format!("{DIR}/{}", file.name), |bytes| {
                let from = at as usize / 7 % bytes.len();
                let to = bytes.len().min(from + len);
                if value == 0 { bytes.truncate(from.max(1)) } else { bytes[from..to].fill(value) }
            }).unwrap();
        }
        model.disk.kill();
        let mut last = 0;
        let replay = Log::open(Arc::new(model.disk.clone()), DIR, &options, |frame| {
            assert!(frame.seq > last);
            last = frame.seq;
            assert_eq!(model.frames.get(&frame.seq).map(Vec::as_slice), Some(&frame.payload[..]));
            1
        });
        let (_, report) = replay.unwrap();
        prop_assert_eq!(report.last_seq, last);
    }
}
