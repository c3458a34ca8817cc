//! Which rows of a block count when names and values are listed.

use std::collections::HashSet;

use crate::directory::Group;
use crate::error::{BlockError, Result};
use crate::reader::contents::Contents;
use crate::search::bits::Bits;
use crate::search::lookup::rows::{MAX_REMEMBERED, Rows};
use crate::search::lookup::{Lookup, SpanRow};

/// Which rows count: all, those of the row groups that overlap a range of times, or given ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'r> {
    /// Earliest and latest time, nanoseconds since 1970, both included. Exact to a row group.
    pub time: Option<(u64, u64)>,
    /// Rows of each row group; a set that is empty or missing is no rows.
    pub rows: Option<&'r [Bits]>,
}

/// Rows of a row group that count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'r> {
    None,
    All,
    Some(&'r Bits),
}

impl<'r> Wanted<'r> {
    /// The rows of a group that count.
    pub(crate) fn of(&self, number: usize, group: &Group) -> Of<'r> {
        if self.time.is_some_and(|(from, to)| group.min_start > to || group.max_end < from) {
            return Of::None;
        }
        match self.rows {
            None => Of::All,
            Some(rows) => match rows.get(number) {
                Some(rows) if !rows.is_empty() => Of::Some(rows),
                _ => Of::None,
            },
        }
    }

    /// The groups with rows that count, and which.
    pub(crate) fn groups(&self, block: &Contents) -> Vec<(u32, Of<'r>)> {
        let of = |(number, group)| (number as u32, self.of(number, group));
        let groups = block.groups.iter().enumerate().map(of);
        groups.filter(|(_, of)| !matches!(of, Of::None)).collect()
    }

    /// Whether all rows of a block count.
    pub(crate) fn is_all(&self, block: &Contents) -> bool {
        let is_all = |(number, group)| matches!(self.of(number, group), Of::All);
        block.groups.iter().enumerate().all(is_all)
    }
}

impl Of<'_> {
    /// Shows the rows, ascending, until `see` fails.
    pub fn each(&self, len: u64, see: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::All => (0..len).try_for_each(see),
            Self::Some(rows) if rows.len() as u64 > len => {
                Err(BlockError::Damaged("a row group has another count of rows"))
            }
            Self::Some(rows) => rows.iter().try_for_each(|row| see(row as u64)),
        }
    }
}

/// Keys that were met.
#[derive(Default)]
pub(crate) struct Met {
    low: Vec<bool>,
    high: HashSet<u64>,
}

impl Met {
    /// Whether a key was not met before.
    #[inline]
    pub fn is_new(&mut self, key: u64) -> bool {
        match self.low.get_mut(key as usize) {
            Some(met) => !std::mem::replace(met, true),
            None if key < MAX_REMEMBERED as u64 => {
                self.low.resize(key as usize + 1, false);
                self.low[key as usize] = true;
                true
            }
            None => self.high.insert(key),
        }
    }
}

/// The keys of the rows that count, each once, with the first row that has it.
pub(crate) fn keys(rows: &mut Rows<'_>, of: Of<'_>) -> Result<Vec<(u64, u64)>> {
    let (mut met, mut out) = (Met::default(), Vec::new());
    of.each(rows.len(), &mut |row| {
        let key = rows.key(row)?;
        if met.is_new(key) {
            out.push((key, row));
        }
        Ok(())
    })?;
    Ok(out)
}

/// The rows of scopes that the rows that count refer to, each once.
pub(crate) fn scopes(
    lookup: &mut Lookup<'_>,
    group: u32,
    of: Of<'_>,
    met: &mut Met,
    see: &mut dyn FnMut(&mut Lookup<'_>, u64) -> Result<()>,
) -> Result<()> {
    let rows = lookup.group(group)?.spans.len();
    let first = match of {
        Of::Some(bits) => bits.iter().next().unwrap_or(0) as u64,
        _ => 0,
    };
    let (_, is_by_class) = lookup.scope(SpanRow { group, row: first })?;
    let mut look = |lookup: &mut Lookup<'_>, row: u64| {
        let (scope, _) = lookup.scope(SpanRow { group, row })?;
        if met.is_new(scope) { see(lookup, scope) } else { Ok(()) }
    };
    if is_by_class {
        let keys = keys(&mut lookup.group(group)?.spans, of)?;
        return keys.into_iter().try_for_each(|(_, row)| look(lookup, row));
    }
    of.each(rows, &mut |row| look(lookup, row))
}
