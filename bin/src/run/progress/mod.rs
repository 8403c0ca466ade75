//! Tells on standard error how a run goes: bars on a terminal, lines elsewhere.

mod bars;
mod board;
mod frame;

use std::io::{IsTerminal, stderr};
use std::time::Instant;

use russet_core::{Millis, Task, TaskError};

use super::limits;
use super::plan::Plan;
use crate::text::{aside, aside_text, lasting, on_one_line};
use bars::Bars;
pub(super) use board::{Board, News};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// Bars if standard error is a terminal, else a line for each task that ended.
    Automatic,
    /// Nothing.
    Silent,
}

/// The display.
pub(super) struct Progress {
    start: Instant,
    shown: Shown,
}

enum Shown {
    Bars(Bars),
    Lines,
    Nothing,
}

impl Progress {
    /// A display of nothing yet.
    pub fn new(display: Display, workflow: &str, board: &Board) -> Self {
        let shown = match display {
            Display::Silent => Shown::Nothing,
            Display::Automatic if can_move() => Shown::Bars(Bars::new(workflow, board)),
            Display::Automatic => Shown::Lines,
        };
        Self {
            start: Instant::now(),
            shown,
        }
    }

    /// Whether each success is told by a line.
    fn tells_successes(&self) -> bool {
        matches!(self.shown, Shown::Lines)
    }

    /// Whether it moves although nothing happens.
    pub fn moves(&self) -> bool {
        matches!(self.shown, Shown::Bars(_))
    }

    /// Tells what happened to a task. `task` is its record, for [`wants_reason`].
    pub fn tell(
        &self,
        lines: &mut String,
        plan: &Plan,
        board: &Board,
        (position, news): (usize, News),
        task: Option<&Task>,
    ) {
        let error = task.and_then(|task| task.last_error.as_deref());
        let text = match news {
            News::Succeeded(took) if self.tells_successes() => {
                format!("succeeded in {}", lasting(took.into()))
            }
            News::Started | News::Succeeded(_) | News::GivenBack => return,
            News::Failed => format!(
                "failed, attempt {}: {}; again in {}",
                board.attempt(position),
                brief(error),
                lasting(backoff(task).into())
            ),
            News::Dead if board.attempt(position) > 0 => {
                format!("failed for good: {}", brief(error))
            }
            News::Dead => format!("failed, since {}", board.explain(plan, position)),
            News::Cancelled => format!("cancelled, since {}", board.explain(plan, position)),
            News::NotNeeded => format!("not needed, since {}", board.explain(plan, position)),
        };
        let name = on_one_line(plan.name(position), limits::SHOWN_CHARS);
        let (ended, total) = (board.ended(), board.total());
        let elapsed = self.start.elapsed().as_secs_f64();
        lines.push_str(&format!(
            "{elapsed:8.3}s  {ended}/{total}  {name}: {text}\n"
        ));
    }

    /// Shows lines that were told, and where the tasks are now.
    pub fn show(&self, lines: &str, plan: &Plan, board: &Board) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines => aside_text(lines),
            Shown::Bars(bars) => bars.show(lines, plan, board),
        }
    }

    /// Says something about the whole run.
    pub fn say(&self, text: &str) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Lines => aside(text),
            Shown::Bars(bars) => bars.print(text),
        }
    }

    /// Removes what moves.
    pub fn finish(self) {
        if let Shown::Bars(bars) = self.shown {
            bars.finish();
        }
    }
}

/// Whether standard error is a terminal whose lines can be replaced.
fn can_move() -> bool {
    stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// An error on one line.
pub(super) fn brief(error: Option<&TaskError>) -> String {
    let first = error.and_then(|error| error.message.lines().next());
    on_one_line(first.unwrap_or("no reason is known"), limits::SHOWN_CHARS)
}

/// Whether the reason for `news` is worth looking up.
pub(super) fn wants_reason(news: News) -> bool {
    matches!(news, News::Failed | News::Dead | News::Cancelled)
}

/// How long it takes until a task that failed is tried again.
fn backoff(task: Option<&Task>) -> Millis {
    let times = task.and_then(|task| task.scheduled_at.zip(task.last_error.as_ref()));
    times.map_or(Millis::ZERO, |(next, error)| next.since(error.at))
}
