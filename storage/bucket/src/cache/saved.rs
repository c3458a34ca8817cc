//! What a stopped server leaves for the next one: its files, and one that says what is in them. That one is gone as soon
//! as it is read, so that after a crash, when nobody knows what is in the files, they are removed.
//!
//! Lines of text, since it is read once: `spanloom cache 1`, then for each block a line with its object, file, length,
//! where its metadata begins and when it was used, and a line with its units and their checksums. The last line has the
//! checksum of all before it.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use xxhash_rust::xxh3::xxh3_64;

use super::Cache;
use super::kept::{Kept, SparseFile};

/// The file's name in the cache's folder.
const NAME: &str = "kept";
const TITLE: &str = "spanloom cache 1";

/// Most bytes of it that are read: 100 GB of units take some 40 MB.
const MOST: u64 = 256 << 20;

impl Cache {
    /// Says what is in the files, for the next server. To be called when nobody reads any more.
    pub fn save(&self) -> io::Result<()> {
        let Some(folder) = &self.0.options.folder else { return Ok(()) };
        let mut out = format!("{TITLE}\n");
        let index = self.0.index.lock();
        for kept in index.blocks.values() {
            let Some(left) = kept.leave() else { continue };
            let file = left.file.file_name().unwrap_or_default().to_string_lossy();
            let object = left.object;
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{object}\t{file}\t{}\t{}\t{}", left.len, left.tail, left.used);
            for (unit, sum) in left.units {
                let _ = write!(out, "{unit:x}:{sum:x} ");
            }
            out.push('\n');
            kept.leave_file();
        }
        let _ = writeln!(out, "{:016x}", xxh3_64(out.as_bytes()));
        let aside = folder.join("kept.tmp");
        std::fs::write(&aside, out)?;
        std::fs::rename(aside, folder.join(NAME))
    }

    /// Takes over what a former server left, and removes what nobody knows.
    pub(super) fn load(&self) {
        let Some(folder) = self.0.options.folder.clone() else { return };
        if let Err(error) = std::fs::create_dir_all(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "the cache's folder cannot be made");
            return;
        }
        let path = folder.join(NAME);
        let is_short = std::fs::metadata(&path).is_ok_and(|file| file.len() <= MOST);
        let text = if is_short { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        // Before anything is taken over: from here on the files change.
        let _ = std::fs::remove_file(&path);
        let mut next = 0;
        for (object, kept, number) in self.parse(&folder, &text).unwrap_or_default() {
            next = next.max(number + 1);
            self.0.tick.fetch_max(kept.used() + 1, Ordering::Relaxed);
            self.0.index.lock().blocks.insert(object, Arc::new(kept));
        }
        self.0.numbered.store(next, Ordering::Relaxed);
        self.sweep(&folder);
        self.make_room("");
    }

    /// The blocks of a list that is whole; `None` for another.
    fn parse(&self, folder: &Path, text: &str) -> Option<Vec<(Arc<str>, Kept, u64)>> {
        let body = text.trim_end_matches('\n').rfind('\n')? + 1;
        let (body, sum) = text.split_at(body);
        if sum.trim_end() != format!("{:016x}", xxh3_64(body.as_bytes())) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let mut out = Vec::new();
        while let (Some(head), Some(units)) = (lines.next(), lines.next()) {
            out.extend(self.parse_block(folder, head, units));
        }
        Some(out)
    }

    fn parse_block(&self, folder: &Path, head: &str, units: &str) -> Option<(Arc<str>, Kept, u64)> {
        let mut parts = head.split('\t');
        let (object, name) = (Arc::<str>::from(parts.next()?), parts.next()?);
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (len, tail, used) = (number()?, number()?, number()?);
        let number = u64::from_str_radix(name.strip_suffix(".part")?, 16).ok()?;
        let file = SparseFile::taken_over(folder.join(format!("{number:016x}.part")), len)?;
        let unit = |text: &str| {
            let (unit, sum) = text.split_once(':')?;
            Some((u32::from_str_radix(unit, 16).ok()?, u64::from_str_radix(sum, 16).ok()?))
        };
        let kept = Kept::new(self.0.store.clone(), object.clone(), file, len, tail);
        kept.touch(used);
        Some((object, kept.with_left(units.split_whitespace().filter_map(unit)), number))
    }

    /// Removes files that belong to no block.
    fn sweep(&self, folder: &Path) {
        let index = self.0.index.lock();
        let known: Vec<String> = index
            .blocks
            .values()
            .filter_map(|kept| Some(kept.leave()?.file.file_name()?.to_string_lossy().into_owned()))
            .collect();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".part") && !known.contains(&name) || name == "kept.tmp" {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
