//! Aligned columns for people.

use std::fmt;
use std::io::stdout;

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
    /// Longest line, in characters.
    width: usize,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub const fn new(header: [(&'static str, Align); COLUMNS]) -> Self {
        Self {
            header,
            rows: Vec::new(),
            width: usize::MAX,
        }
    }

    /// The table with its last column cut so that no line is longer than the terminal is wide;
    /// as it is where standard output is no terminal.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        let size = rustix::termios::tcgetwinsize(stdout());
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        if columns > 0 {
            self.width = columns;
        }
        self
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
        if let Some((last, others)) = widths.split_last_mut() {
            let taken: usize = others.iter().map(|width| width + GAP.len()).sum();
            let least = self.header.last().map_or(0, |(title, _)| title.len());
            *last = (*last).min(self.width.saturating_sub(taken)).max(least);
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
                let cell = &on_one_line(cell, width);
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
    fn the_last_column_is_cut_to_the_width_of_the_terminal() {
        let mut table = Table::new([("TASK", Align::Left), ("NOTE", Align::Left)]);
        table.row(["1".into(), "no space left on the device".into()]);
        table.width = 16;
        assert_eq!(table.to_string(), "TASK  NOTE\n1     no space …\n");
        table.width = 3;
        assert_eq!(table.to_string(), "TASK  NOTE\n1     no …\n");
    }

    #[test]
    fn a_cell_is_one_short_line() {
        assert_eq!(on_one_line("a\nb\x1b[31m", 60), "a b [31m");
        assert_eq!(on_one_line("abcdef", 4), "abc…");
    }
}
