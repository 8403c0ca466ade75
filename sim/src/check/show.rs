//! Shows a violation to an engineer.

mod change;

use std::fmt::Write as _;

use russet_core::{RecordKey, TaskId};

use super::calls::{lease_of, task_of, verb};
use super::{Run, Violation};
use crate::history::{Answer, Ask, Changed, Entry, What};
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
        What::Redirected { node, asking } => {
            let how = if *asking { "ASK" } else { "MOVED" };
            format!("{node} was sent on by {how}, and its call was done")
        }
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

fn asked(ask: &Ask) -> String {
    let mut text = verb(ask).to_owned();
    let mut say = |more: String| {
        text.push(' ');
        text.push_str(&more);
    };
    match ask {
        Ask::Submit(task) => {
            say(task
                .idempotency_key
                .as_ref()
                .map_or(String::new(), |key| format!("key {key}")));
        }
        Ask::SubmitWorkflow(workflow) => {
            let key = workflow.idempotency_key.as_deref().unwrap_or("none");
            say(format!("of {} tasks, key {key}", workflow.tasks.len()));
        }
        Ask::Lease {
            queues,
            max,
            lease_ms,
        } => {
            let lasts = lease_ms.map_or(String::new(), |ms| format!(" for {ms} ms"));
            say(format!("{max} of {}{lasts}", queues.join(", ")));
        }
        Ask::Fail { kind, .. } => say(format!("({})", kind.as_str())),
        Ask::Release {
            delay_ms: Some(ms), ..
        } => say(format!("for {ms} ms")),
        Ask::Extend {
            lease_ms: Some(ms), ..
        } => say(format!("for {ms} ms")),
        Ask::Complete { follow_ups, .. } if !follow_ups.is_empty() => {
            say(format!("with {} follow-ups", follow_ups.len()));
        }
        Ask::Redrive {
            request_id: Some(id),
            ..
        } => say(format!("(request {id})")),
        Ask::RedriveAll { queue, .. } => {
            say(format!("of {}", queue.as_deref().unwrap_or("all queues")));
        }
        Ask::RedriveWorkflow {
            workflow,
            request_id,
            cancelled,
        } => {
            let id = request_id.as_deref().unwrap_or("none");
            let also = if *cancelled {
                ", also what was cancelled"
            } else {
                ""
            };
            say(format!("{workflow} (request {id}{also})"));
        }
        Ask::Configure { queue, change } => say(format!("{queue}: {change:?}")),
        _ => {}
    }
    if let Some(task) = task_of(ask) {
        say(format!("task {task}"));
    }
    if let Some(lease) = lease_of(ask) {
        say(format!("by lease {lease}"));
    }
    text
}

fn answered(answer: &Answer) -> String {
    match answer {
        Answer::Submitted {
            task,
            workflow,
            existing,
        } => {
            let known = if *existing { " existing" } else { "" };
            let task = task.map(|task| format!("task {task}"));
            let workflow = workflow.map(|workflow| format!("workflow {workflow}"));
            format!("submitted{known} {}", task.or(workflow).unwrap_or_default())
        }
        Answer::Leased(granted) => {
            let one = |granted: &crate::history::Granted| {
                format!(
                    "task {} attempt {}, lease {}",
                    granted.task, granted.attempt, granted.lease
                )
            };
            let shown: Vec<_> = granted.iter().map(one).collect();
            let hidden = shown.len().saturating_sub(MOST);
            format!("granted {}", several(shown, hidden))
        }
        Answer::Extended {
            cancel_requested: true,
            ..
        } => "extended, and to stop".to_owned(),
        Answer::Extended { .. } => "extended".to_owned(),
        Answer::Now { status, attempt } => format!("done, it is {status} at attempt {attempt}"),
        Answer::Task(view) => format!(
            "task {} is {} at attempt {}",
            view.id, view.status, view.attempt
        ),
        Answer::Redriven(redriven) => format!("that {redriven} tasks are redriven"),
        Answer::WorkflowRedriven {
            redriven,
            refused,
            refusals,
        } => {
            let shown: Vec<_> = refusals
                .iter()
                .map(|(task, code)| format!("{task} ({code})"))
                .collect();
            let hidden = (*refused as usize).saturating_sub(shown.len().min(MOST));
            let refused = several(shown, hidden);
            format!("that {redriven} tasks are redriven, and these not: {refused}")
        }
        Answer::Done => "done".to_owned(),
        Answer::Refused { code, status } => format!("refused as {code} ({status})"),
        Answer::Lost => "nothing".to_owned(),
        Answer::NotSent => "that it was not sent".to_owned(),
    }
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
