//! What was asked and what was answered, in words.

use super::{MOST, several};
use crate::check::calls::{lease_of, task_of, verb};
use crate::history::{Answer, Ask, Granted};

/// What somebody asks for.
pub(super) fn asked(ask: &Ask) -> String {
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
        Ask::CancelWorkflow(workflow) => say(workflow.to_string()),
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

/// What somebody is told.
pub(super) fn answered(answer: &Answer) -> String {
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
            let one = |granted: &Granted| {
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
        Answer::WorkflowCancelled { cancelled, asked } => {
            format!(
                "that {cancelled} tasks are cancelled, and the holders of {asked} asked to stop"
            )
        }
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
