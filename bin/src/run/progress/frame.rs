use std::time::Duration;

use crate::run::limits;
use crate::text::{lasting, on_one_line};

/// What the moving part of the display shows.
pub(super) struct Frame<'a> {
    pub workflow: &'a str,
    pub ended: usize,
    /// How many had ended before this session.
    pub before: usize,
    pub total: usize,
    pub unsuccessful: usize,
    pub running: usize,
    pub elapsed: Duration,
    /// The tasks that have run longest.
    pub rows: Vec<Row<'a>>,
}

/// A task that is running.
pub(super) struct Row<'a> {
    pub task: &'a str,
    pub time: Duration,
}

impl Frame<'_> {
    /// Lines that fit into so many columns, each with its end.
    pub fn draw(&self, columns: usize) -> String {
        // A terminal may wrap a line that fills it.
        let most = columns.saturating_sub(1);
        let mut lines = vec![self.head(most)];
        lines.extend(self.rows.iter().map(|row| {
            let time = lasting(row.time);
            let room = most.saturating_sub(time.len() + 4);
            let task = on_one_line(row.task, room.min(limits::SHOWN_CHARS));
            format!("  {task}  {time}")
        }));
        if let Some(more @ 1..) = self.running.checked_sub(self.rows.len()) {
            lines.push(format!("  and {more} more"));
        }
        let cut = lines.iter().map(|line| on_one_line(line, most) + "\n");
        cut.collect()
    }

    /// The name and the bar share what the numbers leave.
    fn head(&self, most: usize) -> String {
        let numbers = self.numbers();
        let room = most.saturating_sub(numbers.chars().count());
        let name = on_one_line(self.workflow, (room / 2).min(limits::SHOWN_CHARS));
        let room = room.saturating_sub(name.chars().count() + " [] ".len());
        let width = room.min(limits::BAR_CHARS);
        if width < limits::BAR_CHARS_LEAST {
            return format!("{name} {numbers}");
        }
        let done = width * self.ended / self.total.max(1);
        let tip = if done < width { ">" } else { "" };
        let (bar, rest) = ("=".repeat(done), " ".repeat(width - done - tip.len()));
        format!("{name} [{bar}{tip}{rest}] {numbers}")
    }

    fn numbers(&self) -> String {
        let mut numbers = format!(
            "{}/{}, {} elapsed",
            self.ended,
            self.total,
            seconds(self.elapsed)
        );
        if let Some(left) = self.left() {
            numbers.push_str(&format!(", {} left", seconds(left)));
        }
        numbers.push_str(&format!(", {} running", self.running));
        if self.unsuccessful > 0 {
            numbers.push_str(&format!(", {} not succeeded", self.unsuccessful));
        }
        numbers
    }

    /// How long it takes until the end, if tasks go on ending as they did; nothing is known of
    /// that before the first.
    fn left(&self) -> Option<Duration> {
        let ended = self
            .ended
            .checked_sub(self.before)
            .filter(|ended| *ended > 0)?;
        let left = self.total.saturating_sub(self.ended);
        let left = self.elapsed.as_secs_f64() * left as f64 / ended as f64;
        Duration::try_from_secs_f64(left).ok()
    }
}

/// A duration without parts of a second, which only flicker.
fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0 => "0s".to_owned(),
        whole => lasting(Duration::from_secs(whole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ended: usize) -> Frame<'static> {
        Frame {
            workflow: "a-workflow-with-a-rather-long-name-that-goes-on-and-on",
            ended,
            before: 2,
            total: 10,
            unsuccessful: 1,
            running: 3,
            elapsed: Duration::from_millis(4_300),
            rows: vec![Row {
                task: "a-task-with-a-rather-long-name-that-goes-on-and-on",
                time: Duration::from_secs(90),
            }],
        }
    }

    #[test]
    fn the_time_that_is_left_is_told_when_something_is_known_of_it() {
        let drawn = frame(2).draw(200);
        assert!(
            drawn.contains("2/10, 4s elapsed, 3 running, 1 not succeeded"),
            "{drawn}"
        );
        let drawn = frame(4).draw(200);
        assert!(
            drawn.contains("4/10, 4s elapsed, 12s left, 3 running"),
            "{drawn}"
        );
    }

    #[test]
    fn a_frame_is_no_wider_than_the_terminal() {
        for columns in 0..150 {
            for ended in [2, 6, 10] {
                let drawn = frame(ended).draw(columns);
                let widest = drawn.lines().map(|line| line.chars().count()).max();
                assert!(widest.unwrap_or(0) < columns.max(2), "{columns}: {drawn}");
            }
        }
        let lines = [
            "a-workflow-with-a-ra… [==========>      ] 6/10, 4s elapsed, 4s left, 3 running, 1 not succeeded",
            "  a-task-with-a-rather-long-name-that-goes-on-and-on  1m 30s",
            "  and 2 more",
        ];
        assert_eq!(frame(6).draw(96).lines().collect::<Vec<_>>(), lines);
    }
}
