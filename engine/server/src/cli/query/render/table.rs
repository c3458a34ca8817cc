//! Rows in columns: each column as wide as its widest cell, the last one as wide as there is room.

use super::text::{left, line, right, width};
use super::{Paint, Style};

/// Between two columns.
const GAP: &str = "  ";

/// On which side the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction. Cells are escaped already.
pub struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these headings.
    pub fn new(columns: &[(&'static str, Side)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// A row, a cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The rows under their headings. Where there is not room for all, the first column gives way to no less than a
    /// quarter of the width, and then the others are cut.
    pub fn print(&self, style: &Style, out: &mut String) {
        let widths = self.widths(style.width);
        let mut heading = String::new();
        for (at, ((name, side), columns)) in self.columns.iter().zip(&widths).enumerate() {
            cell(&mut heading, at, name, *side, *columns);
        }
        line(out, &style.paint(Paint::Bold, heading.trim_end()));
        for row in &self.rows {
            let mut text = String::new();
            for (at, ((_, side), (columns, shown))) in
                self.columns.iter().zip(widths.iter().zip(row)).enumerate()
            {
                cell(&mut text, at, shown, *side, *columns);
            }
            line(out, &text);
        }
    }

    fn widths(&self, most: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| width(name)).collect();
        for row in &self.rows {
            widths.iter_mut().zip(row).for_each(|(known, cell)| *known = width(cell).max(*known));
        }
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
        for (at, columns) in widths.iter_mut().enumerate() {
            let least = if at == 0 { most / 4 } else { 4 };
            let given = over.min(columns.saturating_sub(least));
            *columns -= given;
            over -= given;
        }
        widths
    }
}

fn cell(out: &mut String, at: usize, text: &str, side: Side, columns: usize) {
    if at > 0 {
        out.push_str(GAP);
    }
    out.push_str(&match side {
        Side::Left => left(text, columns),
        Side::Right => right(text, columns),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_column_gives_way() {
        let mut table = Table::new(&[("NAME", Side::Left), ("SPANS", Side::Right), ("WHY", Side::Left)]);
        table.row(vec!["live".into(), "12".into(), String::new()]);
        table.row(vec![
            "0123456789abcdef.block".into(),
            "1,234,567".into(),
            "out of the time asked for".into(),
        ]);
        let check = |columns: usize, expected: &str| {
            let mut out = String::new();
            table.print(&Style::new(columns, false), &mut out);
            assert_eq!(out, expected);
        };
        check(
            100,
            "NAME                        SPANS  WHY\n\
             live                           12\n\
             0123456789abcdef.block  1,234,567  out of the time asked for\n",
        );
        check(
            50,
            "NAME              SPANS  WHY\n\
             live                 12\n\
             0123456789a…  1,234,567  out of the time asked for\n",
        );
        check(
            40,
            "NAME        SPANS  WHY\n\
             live           12\n\
             012345678…  1,2…  out of the time asked…\n",
        );
    }
}
