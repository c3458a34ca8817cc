//! What every [`Disk`] must do, run on the file system and on the simulated disk.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, IoSlice};

use spanloom_wal::disk::{Disk, DiskFile, RealDisk, SimDisk, write_file_durably};

fn append(file: &mut dyn DiskFile, parts: &[&[u8]]) {
    let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    file.append_vectored(&mut slices).unwrap();
}

fn names(disk: &dyn Disk, dir: &str) -> Vec<(String, bool, u64)> {
    disk.list(dir).unwrap().into_iter().map(|entry| (entry.name, entry.is_dir, entry.len)).collect()
}

fn files_are_created_once_and_appended_to(disk: &dyn Disk) {
    let mut file = disk.create("a").unwrap();
    assert_eq!(disk.create("a").err().unwrap().kind(), ErrorKind::AlreadyExists);
    append(&mut *file, &[b"one", b"", b"two"]);
    append(&mut *file, &[b"three"]);
    assert_eq!((file.position(), disk.len("a").unwrap()), (11, 11));
    file.sync_data().unwrap();
    drop(file);
    let mut file = disk.open_append("a").unwrap();
    append(&mut *file, &[b"!"]);
    assert_eq!(disk.read("a").unwrap(), b"onetwothree!");
}

fn many_slices_are_appended_in_order(disk: &dyn Disk) {
    let parts: Vec<Vec<u8>> = (0..3000u32).map(|i| vec![i as u8; i as usize % 5]).collect();
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    append(&mut *disk.create("many").unwrap(), &slices);
    assert_eq!(disk.read("many").unwrap(), parts.concat());
}

fn preallocated_room_reads_as_zeros(disk: &dyn Disk) {
    let mut file = disk.create("room").unwrap();
    append(&mut *file, &[b"abc"]);
    file.preallocate(10_000).unwrap();
    file.preallocate(2).unwrap();
    assert_eq!((file.position(), disk.len("room").unwrap()), (3, 10_000));
    append(&mut *file, &[b"def"]);
    file.sync_data().unwrap();
    let bytes = disk.read("room").unwrap();
    assert_eq!(&bytes[..6], b"abcdef");
    assert!(bytes.len() == 10_000 && bytes[6..].iter().all(|byte| *byte == 0));
}

fn cutting_moves_the_position_and_leaves_nothing(disk: &dyn Disk) {
    let mut file = disk.create("cut").unwrap();
    append(&mut *file, &[b"abcdef"]);
    file.set_len(2).unwrap();
    file.set_len(5).unwrap();
    assert_eq!(file.position(), 2);
    assert_eq!(disk.read("cut").unwrap(), b"ab\0\0\0");
    append(&mut *file, &[b"X"]);
    assert_eq!(disk.read("cut").unwrap(), b"abX\0\0");
}

fn reads_are_ranged(disk: &dyn Disk) {
    append(&mut *disk.create("read").unwrap(), &[b"0123456789"]);
    let file = disk.open_read("read").unwrap();
    let mut buf = [0; 4];
    for (offset, expected) in [(0, &b"0123"[..]), (3, b"3456"), (8, b"89"), (10, b""), (50, b"")] {
        let read = file.read_at(offset, &mut buf).unwrap();
        assert_eq!(&buf[..read], expected, "at {offset}");
    }
    assert_eq!((file.len().unwrap(), file.is_empty().unwrap()), (10, false));
}

fn directories_list_their_own(disk: &dyn Disk) {
    disk.create_dir_all("x/y").unwrap();
    disk.create_dir_all("x/y").unwrap();
    append(&mut *disk.create("x/b").unwrap(), &[b"12"]);
    disk.create("x/a").unwrap();
    disk.create("x/y/deep").unwrap();
    let expected = [("a", false, 0), ("b", false, 2), ("y", true, 0)];
    assert_eq!(names(disk, "x"), expected.map(|(name, dir, len)| (name.to_owned(), dir, len)));
    assert_eq!(disk.list("absent").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.create("absent/file").err().unwrap().kind(), ErrorKind::NotFound);
    disk.sync_dir("x").unwrap();
    disk.sync_dir("").unwrap();
}

fn renaming_replaces_and_removing_removes(disk: &dyn Disk) {
    append(&mut *disk.create("from").unwrap(), &[b"new"]);
    append(&mut *disk.create("to").unwrap(), &[b"old"]);
    disk.rename("from", "to").unwrap();
    assert_eq!(disk.read("to").unwrap(), b"new");
    assert_eq!(disk.len("from").unwrap_err().kind(), ErrorKind::NotFound);
    disk.remove("to").unwrap();
    for result in [disk.remove("to"), disk.rename("to", "from"), disk.read("to").map(drop)] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(disk.open_append("to").err().unwrap().kind(), ErrorKind::NotFound);
}

fn paths_stay_below_the_root(disk: &dyn Disk) {
    for bad in ["/etc", "..", "a/../b", "a//b", "./a", "a/"] {
        assert_eq!(disk.create(bad).err().unwrap().kind(), ErrorKind::InvalidInput, "{bad}");
        assert_eq!(disk.read(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
    }
}

fn a_removed_file_can_still_be_read_by_who_has_it_open(disk: &dyn Disk) {
    append(&mut *disk.create("gone").unwrap(), &[b"still"]);
    let file = disk.open_read("gone").unwrap();
    disk.remove("gone").unwrap();
    let mut buf = [0; 5];
    assert_eq!(file.read_at(0, &mut buf).unwrap(), 5);
    assert_eq!(&buf, b"still");
}

fn a_whole_file_is_written_and_replaced(disk: &dyn Disk) {
    disk.create_dir_all("blocks").unwrap();
    disk.create("blocks/one.tmp").unwrap();
    write_file_durably(disk, "blocks", "one", &[b"head", b"body"]).unwrap();
    write_file_durably(disk, "blocks", "one", &[b"again"]).unwrap();
    assert_eq!(disk.read("blocks/one").unwrap(), b"again");
    assert_eq!(names(disk, "blocks").len(), 1);
}

fn conformance(disk: &dyn Fn() -> Box<dyn Disk>) {
    let laws: [fn(&dyn Disk); 10] = [
        files_are_created_once_and_appended_to,
        many_slices_are_appended_in_order,
        preallocated_room_reads_as_zeros,
        cutting_moves_the_position_and_leaves_nothing,
        reads_are_ranged,
        directories_list_their_own,
        renaming_replaces_and_removing_removes,
        paths_stay_below_the_root,
        a_removed_file_can_still_be_read_by_who_has_it_open,
        a_whole_file_is_written_and_replaced,
    ];
    laws.iter().for_each(|law| law(&*disk()));
}

#[test]
fn the_real_disk_conforms() {
    let root = tempfile::tempdir().unwrap();
    let next = std::cell::Cell::new(0);
    conformance(&|| {
        next.set(next.get() + 1);
        Box::new(RealDisk::new(root.path().join(next.get().to_string())).unwrap())
    });
}

#[test]
fn the_simulated_disk_conforms() {
    conformance(&|| Box::new(SimDisk::new()));
}

#[test]
fn a_crash_keeps_what_was_synced_and_may_lose_the_rest() {
    let mut survivors = std::collections::BTreeSet::new();
    for seed in 0..1000 {
        let disk = SimDisk::new();
        let mut file = disk.create("a").unwrap();
        append(&mut *file, &[b"synced"]);
        file.sync_data().unwrap();
        disk.sync_dir("").unwrap();
        append(&mut *file, &[b"+lost"]);
        disk.create("b").unwrap().sync_data().unwrap();
        disk.crash(seed);
        assert!(file.sync_data().is_err());
        let bytes = disk.read("a").unwrap();
        assert!(bytes.starts_with(b"synced"), "seed {seed}");
        survivors.insert((bytes, disk.len("b").is_ok()));
    }
    // Nothing, everything, each torn length, and the length without the bytes; with and without the new name.
    assert_eq!(survivors.len(), 14);
}

#[test]
fn a_durable_write_survives_whole_or_not_at_all() {
    for seed in 0..200 {
        let disk = SimDisk::new();
        write_file_durably(&disk, "", "f", &[&[1; 3000]]).unwrap();
        disk.crash(seed);
        assert_eq!(disk.read("f").unwrap(), [1; 3000]);
        disk.set_space(Some(seed * 20));
        let written = write_file_durably(&disk, "", "f", &[&[2; 3000]]);
        disk.set_space(None);
        disk.crash(seed);
        let expected = if written.is_ok() { [2; 3000] } else { [1; 3000] };
        assert_eq!(disk.read("f").unwrap(), expected, "seed {seed}");
    }
}

#[test]
fn bytes_whose_sync_failed_are_lost_though_a_later_sync_succeeds() {
    let disk = SimDisk::new();
    let mut file = disk.create("a").unwrap();
    disk.sync_dir("").unwrap();
    append(&mut *file, &[b"dropped"]);
    disk.fail_sync(0);
    assert!(file.sync_data().is_err());
    append(&mut *file, &[b"kept"]);
    file.sync_data().unwrap();
    assert_eq!(disk.read("a").unwrap(), b"droppedkept");
    disk.crash_losing_all();
    assert_eq!(disk.read("a").unwrap(), b"\0\0\0\0\0\0\0kept");
}
