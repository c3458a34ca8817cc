//! Answers to text: pure functions, no IO.
//!
//! | file | holds |
//! |---|---|
//! | `text.rs` | escaping, columns, cutting |
//! | `number.rs` | durations, counts, moments for people |
//! | `table.rs` | rows in columns |
//! | `caret.rs` | where a query is wrong |
//! | `found.rs` | traces that were found |
//! | `explain.rs` | how they were found |
//! | `unit.rs` | what a query for series gives: its unit, and how it is best drawn |
//! | `grid.rs` | samples in columns of time |
//! | `series.rs` | series: the whole picture |
//! | `plot.rs` | one series as a plot, many as lines |
//! | `instant.rs` | one value a series |
//! | `heat.rs` | histograms, over time and at once |
//! | `compare.rs` | what sets a selection apart |
//! | `tree.rs` | a trace as a tree with bars |
//! | `attributes.rs` | what a span of a tree carries |
//! | `names.rs` | names and values of attributes |
//! | `ring.rs` | the nodes of a cluster |

pub mod attributes;
pub mod caret;
pub mod compare;
pub mod explain;
pub mod found;
pub mod grid;
pub mod heat;
pub mod instant;
pub mod names;
pub mod number;
pub mod plot;
pub mod ring;
pub mod series;
pub mod table;
pub mod text;
pub mod tree;
pub mod unit;

/// How wide the terminal is, and whether it shows colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns, at least [`Style::NARROWEST`].
    pub width: usize,
    /// Whether to colour.
    pub colour: bool,
}

/// What a text is coloured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
    /// Errors.
    Red,
    /// Bars of time.
    Blue,
    /// Values.
    Cyan,
}

impl Style {
    /// Narrower terminals are written to as if they were so wide.
    pub const NARROWEST: usize = 40;
    /// Wider ones gain nothing.
    pub const WIDEST: usize = 1000;
    /// Where there is no terminal.
    pub const PIPED: Self = Self { width: 100, colour: false };

    /// A terminal of so many columns.
    pub fn new(columns: usize, colour: bool) -> Self {
        Self { width: columns.clamp(Self::NARROWEST, Self::WIDEST), colour }
    }

    /// A text in colour, where colour is shown.
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Red => "31",
            Paint::Blue => "34",
            Paint::Cyan => "36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// A bar of `share` (0 to 1) of so many columns, in eighths of one; something is always shown as something.
fn bar(share: f64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if share.is_nan() || share <= 0.0 {
        return String::new();
    }
    // Within the columns, so that it can be no large number.
    let eighths = ((share.min(1.0) * columns as f64 * 8.0).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// Golden texts: what is rendered, compared with `tests/golden/NAME.txt`.
#[cfg(test)]
mod golden {
    use std::path::Path;

    /// With `SPANLOOM_GOLDEN=write` the file is written, to be looked at before it is kept.
    #[track_caller]
    pub fn check(name: &str, found: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/query/render/tests/golden");
        let file = folder.join(format!("{name}.txt"));
        if std::env::var_os("SPANLOOM_GOLDEN").is_some_and(|what| what == "write") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == expected, "{name}: found\n{found}\nexpected ({})\n{expected}", file.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_shown_only_where_it_is() {
        assert_eq!(Style::new(80, true).paint(Paint::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Style::new(80, false).paint(Paint::Red, "x"), "x");
        assert_eq!(Style::new(3, false).width, 40);
        assert_eq!(Style::new(usize::MAX, false).width, 1000);
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        let check = |share: f64, expected: &str| assert_eq!(bar(share, 4), expected, "{share}");
        check(0.0, "");
        check(0.000_1, "▏");
        check(0.5, "██");
        check(0.65, "██▋");
        check(1.0, "████");
        check(7.0, "████");
        check(f64::NAN, "");
    }
}
