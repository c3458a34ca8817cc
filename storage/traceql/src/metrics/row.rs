//! The samples of one group.

use super::cell::Cell;

/// How full a row must be to be kept dense: one sample of so many. A list is kept in order, so it must be short.
const SPARSE: usize = 64;

/// Cells by sample: few as a list, many as they lie.
#[derive(Debug)]
pub(super) enum Row<C> {
    Sparse(Vec<(u32, C)>),
    Dense(Vec<C>),
}

impl<C> Default for Row<C> {
    fn default() -> Self {
        Row::Sparse(Vec::new())
    }
}

impl<C: Cell> Row<C> {
    /// The cell of a sample; `count` is how many samples there can be.
    pub fn at(&mut self, sample: u32, count: u32) -> Option<&mut C> {
        if let Row::Sparse(cells) = self
            && cells.len() > 16.max(count as usize / SPARSE)
        {
            let mut dense = Vec::new();
            dense.resize_with(count as usize, C::default);
            for (sample, cell) in cells.drain(..) {
                if let Some(place) = dense.get_mut(sample as usize) {
                    *place = cell;
                }
            }
            *self = Row::Dense(dense);
        }
        match self {
            Row::Dense(cells) => cells.get_mut(sample as usize),
            Row::Sparse(cells) => {
                let at = match cells.last() {
                    Some((last, _)) if *last == sample => Ok(cells.len() - 1),
                    Some((last, _)) if *last > sample => {
                        cells.binary_search_by_key(&sample, |(known, _)| *known)
                    }
                    _ => Err(cells.len()),
                };
                let at = at.unwrap_or_else(|at| {
                    cells.insert(at, (sample, C::default()));
                    at
                });
                cells.get_mut(at).map(|(_, cell)| cell)
            }
        }
    }

    /// Cells that hold something, by sample, ascending.
    pub fn cells(&self) -> impl Iterator<Item = (u32, &C)> {
        let (sparse, dense): (&[(u32, C)], &[C]) = match self {
            Row::Sparse(cells) => (cells, &[]),
            Row::Dense(cells) => (&[], cells),
        };
        let sparse = sparse.iter().map(|(sample, cell)| (*sample, cell));
        sparse.chain((0..).zip(dense)).filter(|(_, cell)| !cell.is_empty())
    }

    /// Adds another row.
    pub fn merge(&mut self, other: Self, count: u32) {
        for (sample, cell) in other.cells() {
            if let Some(mine) = self.at(sample, count) {
                mine.merge(cell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn sparse_and_dense_rows_hold_the_same() {
        let samples = |count: u32| (0..count * 3).map(move |at| at.wrapping_mul(2_654_435_761) % count);
        for count in [1, 10, 100, 5000] {
            let (mut row, mut late, mut expected) = (Row::<u64>::default(), Row::default(), BTreeMap::new());
            for (at, sample) in samples(count).enumerate() {
                let half = if at % 2 == 0 { &mut row } else { &mut late };
                *half.at(sample, count).unwrap() += 1;
                *expected.entry(sample).or_insert(0) += 1;
            }
            assert_eq!(matches!(row, Row::Dense(_)), count > 10, "{count}");
            row.merge(late, count);
            let found: Vec<(u32, u64)> = row.cells().map(|(sample, cell)| (sample, *cell)).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{count}");
        }
    }
}
