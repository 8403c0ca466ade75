//! Recognises the interesting states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use russet_core::{
    End, Epoch, ErrorKind, GateState, LeaseEnd, LeaseId, Message, Record, RecordKey, Status, Task,
};

use super::Mark;
use crate::history::{Actor, Answer, Ask, CallId, Changed, Stored, redrive_number};
use crate::world_time::EPOCH_MS;

#[derive(Default)]
pub(super) struct Seen {
    pub marks: BTreeSet<Mark>,
    calls: BTreeMap<CallId, (Actor, Arc<[Ask]>)>,
    submitted_at: BTreeMap<String, Actor>,
    completed: BTreeSet<LeaseId>,
    refused: BTreeSet<String>,
    /// The redrives of workflows, by their number.
    redrives: BTreeSet<u64>,
}

impl Seen {
    pub fn mark(&mut self, mark: Mark) {
        self.marks.insert(mark);
    }

    pub fn asked(&mut self, call: CallId, node: Actor, asks: &Arc<[Ask]>) {
        for ask in asks.iter() {
            if let Ask::RedriveWorkflow {
                request_id: Some(id),
                ..
            } = ask
            {
                self.redrives.insert(redrive_number(id));
            }
        }
        self.calls.insert(call, (node, asks.clone()));
    }

    pub fn stored(&mut self, at_ms: u64, stored: &Stored) {
        for Changed { key, before, after } in &stored.changes {
            match (key, before, after) {
                (RecordKey::Leader, Some(Record::Leader(old)), Some(Record::Leader(new)))
                    if old.holder != new.holder =>
                {
                    self.mark(Mark::LeaderReplaced);
                }
                (_, _, Some(Record::Workflow(workflow))) => match workflow.gate.map(|g| g.state) {
                    Some(GateState::Closed) => self.mark(Mark::WorkflowStaged),
                    Some(GateState::GivenUp) => self.mark(Mark::GateGivenUp),
                    _ => {}
                },
                (_, _, Some(Record::Outbox(outbox))) => self.mark(match outbox.message {
                    Message::Ask { .. } => Mark::AskedAgain,
                    _ => Mark::AcrossPartitions,
                }),
                (_, before, Some(Record::Task(now))) => {
                    let before = match before {
                        Some(Record::Task(task)) => Some(task.as_ref()),
                        _ => None,
                    };
                    self.changed(at_ms, before, now);
                }
                _ => {}
            }
        }
    }

    fn changed(&mut self, at_ms: u64, before: Option<&Task>, now: &Task) {
        let Some(before) = before else {
            return;
        };
        let was_late = before.due_at.is_some_and(|due| {
            let late = (EPOCH_MS + at_ms).saturating_sub(due.as_millis());
            late > 1_000 && before.due_at != now.due_at
        });
        if was_late {
            self.mark(Mark::TimerFoundLate);
        }
        if now.attempt > Epoch::ATTEMPTS {
            self.mark(Mark::LaterEpoch);
        }
        if now.attempt > before.attempt
            && let Some(lease) = &before.lease
            && lease.ended == Some(LeaseEnd::Expired)
            && now
                .lease
                .as_ref()
                .is_some_and(|new| new.worker != lease.worker)
        {
            self.mark(Mark::LeaseTakenOver);
        }
        let told = |task: &Task| task.dependents.settled;
        if told(before) > 0 && told(now) > told(before) {
            self.mark(Mark::ToldInChunks);
        }
        let queued = [before, now].map(|task| task.status == Status::Queued);
        if queued == [true; 2] && now.unsent && !before.unsent {
            self.mark(Mark::SentAgain);
        }
        match (before.status, now.status) {
            (Status::Dead, status) if !status.is_terminal() => self.mark(Mark::Redriven),
            (Status::Running, Status::Cancelled) => self.mark(Mark::CancelledWhileRunning),
            (Status::Blocked, Status::Cancelled) => self.mark(match now.end() {
                Some(End::NotNeeded) => Mark::NotNeeded,
                _ => Mark::CancelledByDependency,
            }),
            _ => {}
        }
        let of_workflow = now.redriven_by.filter(|by| self.redrives.contains(by));
        if of_workflow.is_some() && before.redriven_by != now.redriven_by {
            match (before.status, error(before)) {
                (Status::Dead, _) => self.mark(Mark::WorkflowRedriven),
                (Status::Cancelled, Some(ErrorKind::DependencyUnsatisfied)) => {
                    self.mark(Mark::LetDownRedriven);
                }
                (Status::Cancelled, _) => self.mark(Mark::CancelledRedriven),
                _ => {}
            }
        }
        match error(now) {
            Some(ErrorKind::LeaseExpired) if now.status == Status::Dead => {
                self.mark(Mark::WorkersDied);
            }
            Some(ErrorKind::TimedOut) => self.mark(Mark::TimedOut),
            Some(ErrorKind::Expired) => self.mark(Mark::ExpiredUnstarted),
            _ => {}
        }
        let held = now.lease.as_ref().is_some_and(|lease| lease.slot);
        if held
            && now
                .ready_at
                .is_some_and(|at| at_ms + EPOCH_MS > at.as_millis() + 500)
        {
            self.mark(Mark::LimitReached);
        }
    }

    pub fn answered(&mut self, call: CallId, answers: &[Answer]) {
        let Some((node, asks)) = self.calls.remove(&call) else {
            return;
        };
        for (ask, answer) in asks.iter().zip(answers) {
            match (ask, answer) {
                (Ask::Complete { .. }, answer) if answer.is_stale() => {
                    self.mark(Mark::StaleCompletionRefused);
                }
                (Ask::Extend { .. }, answer) if answer.is_stale() => {
                    self.mark(Mark::StaleHeartbeatRefused);
                }
                (
                    Ask::Complete {
                        lease, follow_ups, ..
                    },
                    answer,
                ) if answer.is_done() => {
                    if !follow_ups.is_empty() {
                        self.mark(Mark::FollowUps);
                    }
                    if !self.completed.insert(*lease) {
                        self.mark(Mark::CompletedAgain);
                    }
                }
                (Ask::Complete { lease, .. }, Answer::Lost) => {
                    self.completed.insert(*lease);
                }
                (_, Answer::WorkflowCancelled { cancelled, asked }) => {
                    if *cancelled > 0 {
                        self.mark(Mark::WorkflowCancelled);
                    }
                    if *asked > 0 {
                        self.mark(Mark::WorkflowToldToStop);
                    }
                }
                (Ask::Submit(task), answer) => self.submitted(node, task, answer),
                _ => {}
            }
        }
    }

    fn submitted(&mut self, node: Actor, task: &russet::wire::SubmitTask, answer: &Answer) {
        let own = task.id.map(|id| id.to_string());
        let Some(name) = task.idempotency_key.clone().or(own) else {
            return;
        };
        match answer {
            Answer::Refused { code, status } => {
                if code == "idempotency_conflict" {
                    self.mark(Mark::KeyConflict);
                }
                if *status >= 500 {
                    self.refused.insert(name);
                }
            }
            Answer::Submitted { existing, .. } => {
                let first = *self.submitted_at.entry(name.clone()).or_insert(node);
                if *existing && first != node {
                    self.mark(Mark::DedupAcrossNodes);
                }
                if self.refused.remove(&name) {
                    self.mark(Mark::RefusedThenDone);
                }
            }
            _ => {}
        }
    }
}

fn error(task: &Task) -> Option<ErrorKind> {
    task.last_error.as_ref().map(|error| error.kind)
}
