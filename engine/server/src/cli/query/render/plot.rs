//! One series as a plot of blocks, and as a line of them, each on a scale of its own: its numbers stand beside it.

use super::super::answer::Sample;
use super::grid::Grid;
use super::text::{line, right};
use super::unit::Unit;
use super::{Paint, Style};

/// Eighths of a row, from the bottom.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Columns of a value at the axis.
pub const LABEL: usize = 8;

/// Rows of a plot.
const ROWS: usize = 8;

/// What the bottom and the top stand for. 0 is always between them or at one of them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    /// A scale on which all finite samples fit.
    fn of(samples: &[Sample]) -> Self {
        let values = samples.iter().map(|sample| sample.value);
        let (mut least, mut most) = (0.0f64, 0.0f64);
        for value in values.filter(|value| value.is_finite()) {
            (least, most) = (least.min(value), most.max(value));
        }
        if least == most {
            most = 1.0;
        }
        Self { least, most }
    }

    /// How many of so many eighths a value fills, at least 1, so that a value differs from none.
    fn eighths(&self, value: f64, all: usize) -> usize {
        // Halved, so that the difference of the largest numbers is one.
        let share = (value / 2.0 - self.least / 2.0) / (self.most / 2.0 - self.least / 2.0);
        ((share * all as f64).round() as usize).clamp(1, all)
    }
}

/// A plot with values at the left and times below.
pub fn plot(style: &Style, unit: Unit, grid: &Grid, samples: &[Sample]) -> String {
    let scale = Scale::of(samples);
    let columns = grid.largest(samples);
    let mut out = String::new();
    for row in (0..ROWS).rev() {
        let label = match row {
            0 => unit.print(scale.least),
            _ if row == ROWS - 1 => unit.print(scale.most),
            _ => String::new(),
        };
        let mark = if label.is_empty() { '│' } else { '┤' };
        let cells: String = columns.iter().map(|value| block(&scale, *value, row)).collect();
        let cells = style.paint(Paint::Cyan, cells.trim_end());
        line(&mut out, &format!("{} {mark}{cells}", right(&label, LABEL)));
    }
    line(&mut out, &format!("{} └{}", " ".repeat(LABEL), "─".repeat(grid.columns)));
    line(&mut out, &format!("{}  {}", " ".repeat(LABEL), grid.axis()));
    out
}

/// What a value fills of a row, counted from the bottom.
fn block(scale: &Scale, value: Option<f64>, row: usize) -> char {
    let filled = value.map_or(0, |value| scale.eighths(value, ROWS * 8));
    BLOCKS[filled.saturating_sub(row * 8).min(8)]
}

/// One line of blocks.
pub fn spark(grid: &Grid, samples: &[Sample]) -> String {
    let scale = Scale::of(samples);
    let columns = grid.largest(samples);
    columns.iter().map(|value| value.map_or(' ', |value| BLOCKS[scale.eighths(value, 8)])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::answer::Series;
    use super::*;

    fn series(values: &[f64]) -> Series {
        let sample = |(at, value): (u64, &f64)| Sample { timestamp_ms: at * 1000, value: *value };
        Series { samples: (1_700_000_000..).zip(values).map(sample).collect(), ..Series::default() }
    }

    #[test]
    fn a_line_shows_what_is_there() {
        let check = |values: &[f64], expected: &str| {
            let all = [series(values)];
            let grid = Grid::over(&all, values.len()).unwrap();
            assert_eq!(spark(&grid, &all[0].samples), expected, "{values:?}");
        };
        check(&[0.0, 1.0, 2.0, 4.0, 8.0], "▁▁▂▄█");
        check(&[0.0, f64::NAN, 8.0, f64::INFINITY], "▁ █ ");
        check(&[0.0, 0.0], "▁▁");
        check(&[-4.0, 0.0, 4.0], "▁▄█");
        check(&[-8.0, -4.0], "▁▄");
        check(&[f64::MAX, f64::MIN, 0.0], "█▁▄");
        check(&[f64::NAN], " ");
    }
}
