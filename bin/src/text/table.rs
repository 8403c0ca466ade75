//! Aligned columns for people.

use std::fmt;

/// Longest cell, in characters; longer ones are cut.
const CELL_CHARS: usize = 60;
/// Between two columns.
const GAP: &str = "  ";

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a header.
#[derive(Clone, Debug)]
pub struct Table<const COLUMNS: usize> {
    header: [(&'static str, Align); COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub const fn new(header: [(&'static str, Align); COLUMNS]) -> Self {
        Self {
            header,
            rows: Vec::new(),
        }
    }

    /// Adds a row. Control characters and line breaks become spaces.
    pub fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows
            .push(cells.map(|cell| on_one_line(&cell, CELL_CHARS)));
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn widths(&self) -> [usize; COLUMNS] {
        let mut widths = self.header.map(|(title, _)| title.len());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let header = self.header.map(|(title, _)| title.to_owned());
        for row in std::iter::once(&header).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(widths).zip(self.header) {
                let padding = " ".repeat(width - cell.chars().count());
                match align {
                    Align::Left => line.extend([cell, padding.as_str(), GAP]),
                    Align::Right => line.extend([padding.as_str(), cell, GAP]),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `text` without line breaks, cut to `most` characters.
pub fn on_one_line(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut cut: String = text.chars().take(most).map(plain).collect();
    if text.chars().nth(most).is_some() {
        cut.pop();
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([("QUEUE", Align::Left), ("N", Align::Right)]);
        table.row(["mail".into(), "5".into()]);
        table.row(["reports:nightly".into(), "12345".into()]);
        let lines = [
            "QUEUE                N",
            "mail                 5",
            "reports:nightly  12345",
        ];
        assert_eq!(table.to_string(), lines.join("\n") + "\n");
    }

    #[test]
    fn a_cell_is_one_short_line() {
        assert_eq!(on_one_line("a\nb\x1b[31m", 60), "a b [31m");
        assert_eq!(on_one_line("abcdef", 4), "abc…");
    }
}
