use indicatif::{ProgressBar, ProgressStyle};
use russet_engine::{Clock, SystemClock};

use super::Board;
use crate::run::limits;
use crate::run::plan::Plan;
use crate::text::{lasting, on_one_line};

const TEMPLATE: &str = "{prefix} [{bar:30}] {pos}/{len}, {elapsed} elapsed, {eta} left, {msg}";

/// A bar for the whole, and below it a row for each of the tasks that have run longest.
pub(super) struct Bars(ProgressBar);

impl Bars {
    pub fn new(workflow: &str, board: &Board) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).expect("a template");
        let bar = ProgressBar::new(board.total() as u64).with_style(style.progress_chars("=> "));
        bar.set_prefix(on_one_line(workflow, limits::SHOWN_CHARS));
        bar.set_position(board.ended() as u64);
        // What earlier sessions did says nothing about how fast this one is.
        bar.reset_eta();
        Self(bar)
    }

    pub fn show(&self, lines: &str, plan: &Plan, board: &Board) {
        for line in lines.lines() {
            self.print(line);
        }
        self.0.set_position(board.ended() as u64);
        self.0.set_message(message(plan, board));
    }

    /// Prints a line above the bar.
    pub fn print(&self, line: &str) {
        self.0.println(line);
    }

    pub fn finish(self) {
        self.0.finish_and_clear();
    }
}

fn message(plan: &Plan, board: &Board) -> String {
    let mut oldest: Vec<_> = board.running().collect();
    let mut message = format!("{} running", oldest.len());
    if board.unsuccessful() > 0 {
        message.push_str(&format!(", {} not succeeded", board.unsuccessful()));
    }
    oldest.sort_unstable_by_key(|(position, since)| (*since, *position));
    let now = SystemClock.now();
    for (position, since) in oldest.iter().take(limits::ROWS) {
        let name = on_one_line(plan.name(*position), limits::SHOWN_CHARS);
        let time = lasting(now.since(*since).into());
        message.push_str(&format!("\n  {name}  {time}"));
    }
    if let Some(more @ 1..) = oldest.len().checked_sub(limits::ROWS) {
        message.push_str(&format!("\n  and {more} more"));
    }
    message
}
