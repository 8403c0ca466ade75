use std::cell::RefCell;
use std::io::stderr;
use std::time::{Duration, Instant};

use russet_engine::{Clock, SystemClock};
use rustix::termios::tcgetwinsize;

use super::Board;
use super::frame::{Frame, Row};
use crate::run::limits;
use crate::run::plan::Plan;
use crate::text::aside_text;

/// A bar for the whole, and below it a row for each of the tasks that have run longest. The
/// cursor waits below them, where the echo of a Ctrl-C does no harm.
pub(super) struct Bars {
    workflow: String,
    start: Instant,
    /// How many tasks had ended before: that says nothing about how fast this session is.
    before: usize,
    shown: RefCell<Shown>,
}

/// What is on the terminal.
#[derive(Default)]
struct Shown {
    frame: String,
    at: Option<Instant>,
}

impl Bars {
    pub fn new(workflow: &str, board: &Board) -> Self {
        Self {
            workflow: workflow.to_owned(),
            start: Instant::now(),
            before: board.ended(),
            shown: RefCell::default(),
        }
    }

    pub fn show(&self, lines: &str, plan: &Plan, board: &Board) {
        let is_early = |at: Instant| at.elapsed() < limits::REDRAW_PAUSE;
        if lines.is_empty() && self.shown.borrow().at.is_some_and(is_early) {
            return;
        }
        let (columns, height) = size();
        let mut oldest: Vec<_> = board.running().collect();
        oldest.sort_unstable_by_key(|(position, since)| (*since, *position));
        let now = SystemClock.now();
        let rows = oldest
            .iter()
            .take(limits::ROWS.min(height.saturating_sub(3)));
        let frame = Frame {
            workflow: &self.workflow,
            ended: board.ended(),
            before: self.before,
            total: board.total(),
            unsuccessful: board.unsuccessful(),
            running: oldest.len(),
            elapsed: self.start.elapsed(),
            rows: rows
                .map(|(position, since)| Row {
                    task: plan.name(*position),
                    time: Duration::from(now.since(*since)),
                })
                .collect(),
        };
        self.draw(lines, frame.draw(columns));
    }

    /// Prints a line above the bar.
    pub fn print(&self, line: &str) {
        let frame = self.shown.borrow().frame.clone();
        self.draw(&format!("{line}\n"), frame);
    }

    pub fn finish(self) {
        self.draw("", String::new());
    }

    fn draw(&self, lines: &str, frame: String) {
        let mut shown = self.shown.borrow_mut();
        aside_text(replacing(&shown.frame, lines, &frame));
        *shown = Shown {
            frame,
            at: Some(Instant::now()),
        };
    }
}

/// What puts `lines`, and below them the frame `next`, in the place of the frame `last`.
fn replacing(last: &str, lines: &str, next: &str) -> String {
    let up = match last.lines().count() {
        0 => String::new(),
        count => format!("\r\x1b[{count}A\x1b[J"),
    };
    format!("{up}{lines}{next}")
}

/// How many columns and lines the terminal has.
fn size() -> (usize, usize) {
    let size = tcgetwinsize(stderr());
    let size = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    match size {
        (0, _) | (_, 0) => limits::TERMINAL,
        (columns, lines) => (columns.into(), lines.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_the_place_of_the_last_one_and_lines_go_above() {
        assert_eq!(replacing("", "", "bar\n"), "bar\n");
        let again = replacing("bar\n  a  1s\n", "b: failed\n", "bar\n");
        assert_eq!(again, "\r\x1b[2A\x1b[Jb: failed\nbar\n");
        assert_eq!(replacing("bar\n", "", ""), "\r\x1b[1A\x1b[J");
    }
}
