//! Rows in columns: each column as wide as its widest cell, the last one as wide as there is room.

use super::text::{clip, left, line, right, width, wrap};
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

    /// The rows under their headings. Where there is not room for all, columns of words give way; where that is not
    /// enough, each row has a few lines: a number is never cut.
    pub fn print(&self, style: &Style, out: &mut String) {
        let Some(widths) = self.widths(style.width) else {
            self.rows.iter().for_each(|row| self.put_lines(style, row, out));
            return;
        };
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

    /// The first cell, and below it the others with their headings.
    fn put_lines(&self, style: &Style, row: &[String], out: &mut String) {
        let [first, rest @ ..] = row else { return };
        line(out, &style.paint(Paint::Bold, &clip(first, style.width)));
        let named = self.columns.iter().skip(1).zip(rest).filter(|(_, cell)| !cell.is_empty());
        let named =
            named.map(|((name, _), cell)| format!("{} {cell}", name.to_lowercase()).trim().to_owned());
        let text = named.collect::<Vec<_>>().join(", ");
        wrap(&text, style.width - GAP.len()).lines().for_each(|text| line(out, &format!("{GAP}{text}")));
    }

    /// The width of each column; none when the table does not fit.
    fn widths(&self, most: usize) -> Option<Vec<usize>> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| width(name)).collect();
        for row in &self.rows {
            widths.iter_mut().zip(row).for_each(|(known, cell)| *known = width(cell).max(*known));
        }
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(most);
        for (columns, (_, side)) in widths.iter_mut().zip(&self.columns) {
            if *side == Side::Left {
                let given = over.min(columns.saturating_sub(most / 4));
                *columns -= given;
                over -= given;
            }
        }
        (over == 0).then_some(widths)
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
            "NAME            SPANS  WHY\n\
             live               12\n\
             012345678…  1,234,567  out of the time …\n",
        );
    }

    #[test]
    fn numbers_are_never_cut() {
        let mut table = Table::new(&[
            ("NAME", Side::Left),
            ("SPANS", Side::Right),
            ("TRACES", Side::Right),
            ("", Side::Left),
        ]);
        table.row(vec!["漢字".into(), "1,234,567,890,123".into(), "1,234,567,890,123".into(), "why".into()]);
        table.row(vec!["x".into(), String::new(), "1".into(), String::new()]);
        let mut out = String::new();
        table.print(&Style::new(40, false), &mut out);
        let expected = "漢字\n  spans 1,234,567,890,123, traces\n  1,234,567,890,123, why\nx\n  traces 1\n";
        assert_eq!(out, expected);
    }
}
