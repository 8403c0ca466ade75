//! Shows a violation to an engineer.

mod call;
mod change;

use std::fmt::Write as _;

use russet_core::{RecordKey, TaskId};

use super::{Run, Violation};
use crate::history::{Changed, Entry, What};
use call::{answered, asked};
use change::change;

/// Most changes and items that one line names.
const MOST: usize = 3;

/// The violation, and the entries that show it, a line each.
pub fn show(run: &Run<'_>, violation: &Violation) -> String {
    let mut text = format!("{}: {}\n", violation.promise, violation.what);
    for line in lines(run, violation) {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The entries that show a violation, a line each.
pub fn lines(run: &Run<'_>, violation: &Violation) -> Vec<String> {
    let positions = violation.shown_by.iter();
    let shown = positions.filter_map(|at| run.entries.get(*at).map(|entry| (at, entry)));
    let line = |(at, entry): (&usize, &Entry)| {
        let what = words(run, &entry.what, &violation.what);
        format!("[{at}] {} {what}", entry.at)
    };
    shown.map(line).collect()
}

/// Everything that happened, a line each; `about` leaves only what names this.
pub fn all<'a>(run: &'a Run<'_>, about: Option<&'a str>) -> impl Iterator<Item = String> + 'a {
    run.entries
        .iter()
        .enumerate()
        .filter_map(move |(at, entry)| {
            let what = words(run, &entry.what, about.unwrap_or_default());
            let named = about.is_none_or(|name| {
                what.contains(name) || format!("{:?}", entry.what).contains(name)
            });
            named.then(|| format!("[{at}] {} {what}", entry.at))
        })
}

/// An entry in words; of a long one what is `about` the tasks that a sentence names.
fn words(run: &Run<'_>, what: &What, about: &str) -> String {
    match what {
        What::Stored(stored) => {
            let all = stored.changes.iter();
            let named = all.clone().filter(|change| is_about(change, about));
            let named: Vec<_> = named.map(change).collect();
            let shown = match named.is_empty() {
                true => all.map(change).collect(),
                false => named,
            };
            let hidden = stored.changes.len() - shown.len().min(MOST);
            format!("{} stored {}", stored.by, several(shown, hidden))
        }
        What::Told { node, event } => {
            let (kind, task) = (event.kind.as_str(), event.task);
            format!(
                "{node} told of {kind}, task {task} attempt {}",
                event.attempt
            )
        }
        What::Met { node, effect } => format!("{node} met: {effect:?}"),
        What::Assured { node, assured } => format!("{node} was told by its queue: {assured:?}"),
        What::Unsettled { task } => format!("the message of task {task} was deleted"),
        What::TurnedAway { node } => format!("the store refused a call of {node}"),
        What::Hidden {
            tasks,
            until,
            delivered,
        } => {
            let shown: Vec<_> = tasks.iter().map(ToString::to_string).collect();
            let hidden = shown.len().saturating_sub(MOST);
            let how = if *delivered { "delivered" } else { "took back" };
            format!("the queue {how} {} until {until}", several(shown, hidden))
        }
        What::Asked {
            call,
            who,
            node,
            asks,
        } => {
            let shown: Vec<_> = asks.iter().map(asked).collect();
            let hidden = shown.len().saturating_sub(MOST);
            format!(
                "{who} asked {node} to {} (call {})",
                several(shown, hidden),
                call.0
            )
        }
        What::Answered { call, answers } => {
            let shown: Vec<_> = answers.iter().map(answered).collect();
            let hidden = shown.len().saturating_sub(MOST);
            let who = run.entries.iter().find_map(|entry| match &entry.what {
                What::Asked {
                    call: known, who, ..
                } if known == call => Some(who.to_string()),
                _ => None,
            });
            let who = who.unwrap_or_else(|| "nobody".to_owned());
            format!(
                "{who} was told {} (call {})",
                several(shown, hidden),
                call.0
            )
        }
        What::Began {
            worker,
            task,
            attempt,
            lease,
        } => {
            format!("{worker} began task {task} attempt {attempt}, lease {lease}")
        }
        What::Did {
            worker,
            task,
            attempt,
        } => format!("{worker} did task {task} attempt {attempt}"),
        What::Fault(fault) => format!("{} had a fault: {:?}", fault.whom, fault.kind),
        What::Healed => "the world was healed".to_owned(),
        What::Looked(_) => "the store was looked at".to_owned(),
    }
}

fn several(mut shown: Vec<String>, hidden: usize) -> String {
    shown.truncate(MOST);
    let mut text = shown.join("; ");
    if hidden > 0 {
        // Writing into a text cannot fail.
        let _ = write!(text, "; and {hidden} more");
    }
    text
}

fn is_about(change: &Changed, about: &str) -> bool {
    let id: Option<TaskId> = match &change.key {
        RecordKey::Task(id) => Some(*id),
        RecordKey::Queue(queue) => return about.contains(queue.as_str()),
        _ => None,
    };
    id.is_some_and(|id| about.contains(&id.to_string()))
}

#[cfg(test)]
mod tests {
    use russet_core::LeaseEnd;

    use super::super::sample::{Sample, id};
    use super::*;

    #[test]
    fn a_violation_is_shown_with_what_matters_of_its_entries() {
        let mut sample = Sample::new();
        sample
            .submitted(1)
            .granted(1, 10)
            .at(1_500)
            .retry(1, LeaseEnd::Expired, 1_000);
        let what = format!("task {} was taken away", id(1));
        let shown_by = (0..sample.entries.len()).collect();
        let violation = Violation {
            promise: "lease-respected",
            what,
            shown_by,
        };
        let text = show(&sample.run(), &violation);
        for words in [
            "lease-respected: task",
            "client-0 asked node-0 to submit",
            "new as queued",
            "queued -> running, attempt 1, lease 0000000000000000000000000a of worker-0 until 30.002",
            "worker-0 was told granted task",
            "running -> scheduled, retry 1",
            "ended as Expired, due 2.501, error failed",
        ] {
            assert!(text.contains(words), "{words:?} is not in\n{text}");
        }
    }
}
