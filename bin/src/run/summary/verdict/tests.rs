use std::path::Path;

use russet_core::{Command, Submit, Timestamp, View, decide};

use super::*;
use crate::run::plan::Plan;

/// Each task with the end that it has, in the order of the file.
fn verdicts_of(text: &str, ends: &[(Status, Option<ErrorKind>)]) -> Vec<Verdict> {
    let workflow = crate::workflow::parse(Path::new("w.yaml"), text.as_bytes());
    let id = Plan::identity(Timestamp::from_millis(1), 0);
    let plan = Plan::new(id, workflow.expect("a workflow"));
    let tasks = plan
        .task_ids()
        .into_iter()
        .zip(ends)
        .map(|(id, (status, error))| {
            let mut task = submitted(&plan, id);
            task.status = *status;
            task.last_error = error.map(|kind| {
                Box::new(russet_core::TaskError {
                    kind,
                    message: String::new(),
                    attempt: 0,
                    at: Timestamp::ZERO,
                })
            });
            Arc::new(task)
        });
    verdicts(&plan.workflow, &tasks.collect::<Vec<_>>())
}

/// A task as it is stored, by itself.
fn submitted(plan: &Plan, id: russet_core::TaskId) -> Task {
    let submit = plan.submission().expect("can be submitted");
    let mut new = submit
        .tasks
        .into_iter()
        .find(|task| task.id == id)
        .expect("is there");
    new.dependencies.clear();
    let command = Command::Submit(Submit {
        workflow: None,
        tasks: vec![new],
    });
    let mut view = View::default();
    let keys = command.reads().into_iter().map(|key| (key, None));
    view.records.extend(keys);
    let decision = decide(&view, &command, Timestamp::from_millis(1)).expect("is accepted");
    let written = decision
        .writes
        .into_iter()
        .find_map(|write| match write.record {
            Some(russet_core::Record::Task(task)) => Some(Task::clone(&task)),
            _ => None,
        });
    written.expect("a task is written")
}

const OK: (Status, Option<ErrorKind>) = (Status::Succeeded, None);
const DEAD: (Status, Option<ErrorKind>) = (Status::Dead, Some(ErrorKind::Failed));
const SKIPPED: (Status, Option<ErrorKind>) =
    (Status::Cancelled, Some(ErrorKind::DependencyUnsatisfied));

#[test]
fn what_waits_for_a_failure_that_did_not_happen_is_not_needed() {
    let text = "tasks:
        work: {sleep: 1}
        alarm: {sleep: 1, depends_on: [{task: work, on: failure}]}
        after-alarm: {sleep: 1, depends_on: [alarm]}";
    let verdicts = verdicts_of(text, &[OK, SKIPPED, SKIPPED]);
    assert_eq!(
        verdicts,
        [Verdict::Succeeded, Verdict::NotNeeded, Verdict::NotNeeded]
    );
}

#[test]
fn what_waits_for_a_success_that_did_not_happen_was_cancelled() {
    let text = "tasks:
        work: {sleep: 1}
        other: {sleep: 1}
        next: {sleep: 1, depends_on: [work]}
        both: {sleep: 1, depends_on: [work, {task: other, on: failure}]}";
    let verdicts = verdicts_of(text, &[DEAD, OK, SKIPPED, SKIPPED]);
    let expected = [
        Verdict::Failed,
        Verdict::Succeeded,
        Verdict::Cancelled,
        Verdict::Cancelled,
    ];
    assert_eq!(verdicts, expected);
}

#[test]
fn what_a_user_cancelled_was_not_unneeded() {
    let by_user = (Status::Cancelled, Some(ErrorKind::Cancelled));
    let text = "tasks: {a: {sleep: 1}, b: {sleep: 1, depends_on: [{task: a, on: failure}]}}";
    assert_eq!(verdicts_of(text, &[OK, by_user])[1], Verdict::Cancelled);
    let live = (Status::Queued, None);
    assert_eq!(
        verdicts_of(text, &[live, live]),
        [Verdict::Live, Verdict::Live]
    );
}
