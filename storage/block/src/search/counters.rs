//! What a search has looked at, for those who ask how it went.

use std::collections::HashSet;
use std::ops::AddAssign;

use crate::directory::Chunk;
use crate::reader::contents::Contents;
use crate::seq::NONE;

/// What a search has looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Row groups that were asked.
    pub groups: u64,
    /// Of these, those passed over since no span of them is within the time asked for.
    pub pruned_by_time: u64,
    /// Those passed over since their spans' durations exclude every filter.
    pub pruned_by_duration: u64,
    /// Those passed over since keys, dictionaries and classes exclude every filter: no row was looked at.
    pub pruned_by_values: u64,
    /// Rows of the other row groups.
    pub rows_read: u64,
    /// Rows for which a filter holds, summed over the filters.
    pub rows_matched: u64,
    /// Bytes of the sections that were read, each once; about.
    pub bytes_touched: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.groups += other.groups;
        self.pruned_by_time += other.pruned_by_time;
        self.pruned_by_duration += other.pruned_by_duration;
        self.pruned_by_values += other.pruned_by_values;
        self.rows_read += other.rows_read;
        self.rows_matched += other.rows_matched;
        self.bytes_touched += other.bytes_touched;
    }
}

/// The sections that were read so far.
#[derive(Default)]
pub(crate) struct Touched {
    sections: HashSet<u32, foldhash::fast::RandomState>,
    /// Bytes of them.
    pub bytes: u64,
}

impl Touched {
    /// Notes that the sections of a chunk are read.
    pub fn chunk(&mut self, block: &Contents, chunk: &Chunk) {
        for section in [chunk.seq.a, chunk.seq.b, chunk.pages, chunk.data] {
            self.section(block, section);
        }
    }

    /// Notes that a section is read.
    pub fn section(&mut self, block: &Contents, section: u32) {
        if section != NONE && self.sections.insert(section) {
            self.bytes += block.sections.places().get(section as usize).map_or(0, |place| place.len);
        }
    }
}
