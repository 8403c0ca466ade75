use std::sync::Arc;

use russet_core::{Dependencies, DependencyOn, ErrorKind, LeaseEnd, Record, RecordKey, TaskError};

use super::*;
use crate::check::reference;
use crate::check::sample::{PARTITION, Sample, id};
use crate::history::Actor;
use crate::plan::WorldKind;

fn workflow() -> WorkflowId {
    WorkflowId::from(id(1))
}

/// A workflow of a task that died, and one that was cancelled because of that.
fn failed() -> Sample {
    let mut sample = Sample::new();
    let record = Record::Workflow(Arc::new(sample.failed_workflow()));
    sample.commit_in(
        PARTITION,
        vec![(RecordKey::Workflow(workflow()), Some(record))],
    );
    sample.change(1, |task| task.workflow = Some(workflow()));
    sample.change(2, |task| {
        let (parent, on) = (id(1), DependencyOn::Success);
        task.workflow = Some(workflow());
        task.status = Status::Blocked;
        task.dependencies = Dependencies {
            pending: 1,
            total: 1,
            inline: [Dependency { task: parent, on }].into(),
        };
    });
    sample.start(1, 10).end(1, Status::Dead, LeaseEnd::Failed);
    sample.change(2, |task| {
        task.status = Status::Cancelled;
        task.last_error = Some(Box::new(TaskError {
            kind: ErrorKind::DependencyUnsatisfied,
            message: String::new(),
            attempt: 0,
            at: task.updated_at,
        }));
    });
    sample
}

fn ask() -> Ask {
    Ask::RedriveWorkflow {
        workflow: workflow(),
        request_id: Some("again".to_owned()),
        cancelled: false,
    }
}

fn told(redriven: u64, refused: &[(u64, &str)]) -> Answer {
    let refusals = refused.iter().map(|(n, code)| (id(*n), (*code).to_owned()));
    Answer::WorkflowRedriven {
        redriven,
        refused: refused.len() as u64,
        refusals: refusals.collect(),
    }
}

fn revive(sample: &mut Sample, n: u64, status: Status) {
    sample.change(n, |task| {
        task.status = status;
        task.redriven_by = Some(redrive_number("again"));
        task.last_error = None;
    });
}

/// The workflow is redriven, and `revived` of its tasks are.
fn redriven(mut sample: Sample, revived: &[(u64, Status)], answer: Answer) -> Sample {
    let call = sample.ask(Actor::Client(0), ask());
    for (n, status) in revived {
        revive(&mut sample, *n, *status);
    }
    sample.answer(call, answer);
    sample
}

const BOTH: [(u64, Status); 2] = [(1, Status::Queued), (2, Status::Blocked)];

#[test]
fn what_died_and_what_was_cancelled_with_it_comes_back() {
    let sample = redriven(failed(), &BOTH, told(2, &[]));
    assert_eq!(sample.check(reference::check), []);
    let sample = redriven(failed(), &BOTH, told(3, &[]));
    assert!(sample.finds(reference::check, "3 tasks are redriven, and there are 2"));
}

#[test]
fn nothing_is_left_out() {
    let sample = redriven(failed(), &BOTH[..1], told(1, &[]));
    assert!(sample.finds(reference::check, "was left out"));
}

#[test]
fn a_child_follows_its_parent() {
    let answer = told(1, &[(2, "wrong_status")]);
    let sample = redriven(failed(), &BOTH[..1], answer);
    assert!(sample.finds(reference::check, "which has no reason to"));
}

#[test]
fn what_somebody_cancelled_stays_so_and_its_children_with_it() {
    let mut sample = failed();
    sample.change(1, |task| task.status = Status::Cancelled);
    let answer = told(0, &[(1, "wrong_status"), (2, "wrong_status")]);
    let sample = redriven(sample, &[], answer);
    assert_eq!(sample.check(reference::check), []);
}

#[test]
fn a_workflow_that_is_there_is_not_refused() {
    for code in ["not_found", "limit_exceeded"] {
        let (code, status) = (code.to_owned(), 422);
        let sample = redriven(failed(), &[], Answer::Refused { code, status });
        assert!(sample.finds(reference::check, "was refused as"));
    }
}

#[test]
fn a_task_stays_that_waits_for_more_parents_than_a_transaction_can_tell() {
    let answer = || told(1, &[(2, "limit_exceeded")]);
    let wide = |most| {
        let mut sample = failed();
        sample.plan.transaction_changes = Some(most);
        sample.change(2, |task| task.dependencies.total = 20);
        redriven(sample, &BOTH[..1], answer())
    };
    assert_eq!(wide(20).check(reference::check), []);
    assert!(wide(60).finds(reference::check, "which has no reason to"));
    let of_world = |world, parents| {
        let mut sample = failed();
        sample.plan.world = world;
        sample.change(2, |task| task.dependencies.total = parents);
        redriven(sample, &BOTH[..1], answer())
    };
    assert_eq!(of_world(WorldKind::Sqs, 150).check(reference::check), []);
    for (world, parents) in [(WorldKind::Sqs, 50), (WorldKind::Memory, 150)] {
        let sample = of_world(world, parents);
        assert!(sample.finds(reference::check, "which has no reason to"));
    }
}

/// A parent that had many dependents, or was redriven, has a list of them, which changes with it.
#[test]
fn a_parent_with_a_list_of_dependents_is_two_records_to_a_transaction() {
    let stays = |dependents| {
        let mut sample = failed();
        sample.plan.transaction_changes = Some(5);
        sample.change(1, |task| task.dependents.total = dependents);
        redriven(sample, &BOTH[..1], told(1, &[(2, "limit_exceeded")]))
    };
    assert_eq!(stays(128).check(reference::check), []);
    assert!(stays(1).finds(reference::check, "which has no reason to"));
}
