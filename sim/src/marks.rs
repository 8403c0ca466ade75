//! Interesting states. A batch of runs that misses one of them proves less than it seems to.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::{EventKind, GateState, LeaseEnd, LeaseId, Record, RecordKey, Status, Task};
use serde::{Deserialize, Serialize};

use crate::check::Run;
use crate::history::{Actor, Answer, Ask, CallId, Changed, FaultKind, Stored, What};
use crate::world_time::EPOCH_MS;

/// A state that some run of a batch must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A completion was refused because its lease was stale.
    StaleCompletionRefused,
    /// A heartbeat was refused because its lease was stale.
    StaleHeartbeatRefused,
    /// A lease ran out and the task was granted to another worker.
    LeaseTakenOver,
    /// A commit was done and its reply was lost.
    CommitReplyLost,
    /// A node died between its commit and the acknowledgement.
    DiedAfterCommit,
    /// Another node became a partition's leader while the one before was still up.
    LeaderReplaced,
    /// A timer fired more than a second late.
    TimerFoundLate,
    /// A repeated submission was recognised by another node than the first one.
    DedupAcrossNodes,
    /// An idempotency key was refused because its request was another one.
    KeyConflict,
    /// A task died and was redriven.
    Redriven,
    /// A task died because its workers did.
    WorkersDied,
    /// A task was cancelled while it ran.
    CancelledWhileRunning,
    /// A task was cancelled because of a dependency.
    CancelledByDependency,
    /// A dependency reached into another partition.
    AcrossPartitions,
    /// A parent told its dependents in more than one step.
    ToldInChunks,
    /// A workflow was larger than one transaction, and stood behind a gate.
    WorkflowStaged,
    /// A workflow behind a gate was given up, and removed.
    GateGivenUp,
    /// Follow-up tasks were committed with a completion.
    FollowUps,
    /// A task waited for a slot of its queue.
    LimitReached,
    /// An attempt was ended because it took too long.
    TimedOut,
    /// A task was given up because nobody started it.
    ExpiredUnstarted,
    /// A completion was answered as done although the same completion had been done before.
    CompletedAgain,
    /// A task was purged.
    Purged,
    /// A queue message was sent again because a timer found it unsent or unheard.
    SentAgain,
    /// The power failed during a commit.
    PowerFailed,
    /// A part of a batch was done.
    PartOfBatch,
    /// A client's call was refused because the store was away, and done when sent again.
    RefusedThenDone,
}

impl Mark {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::StaleCompletionRefused,
        Self::StaleHeartbeatRefused,
        Self::LeaseTakenOver,
        Self::CommitReplyLost,
        Self::DiedAfterCommit,
        Self::LeaderReplaced,
        Self::TimerFoundLate,
        Self::DedupAcrossNodes,
        Self::KeyConflict,
        Self::Redriven,
        Self::WorkersDied,
        Self::CancelledWhileRunning,
        Self::CancelledByDependency,
        Self::AcrossPartitions,
        Self::ToldInChunks,
        Self::WorkflowStaged,
        Self::GateGivenUp,
        Self::FollowUps,
        Self::LimitReached,
        Self::TimedOut,
        Self::ExpiredUnstarted,
        Self::CompletedAgain,
        Self::Purged,
        Self::SentAgain,
        Self::PowerFailed,
        Self::PartOfBatch,
        Self::RefusedThenDone,
    ];
}

/// The marks of a run.
pub fn of(run: &Run<'_>) -> BTreeSet<Mark> {
    let mut seen = Seen::default();
    for entry in run.entries {
        match &entry.what {
            What::Stored(stored) => seen.stored(entry.at.millis(), stored),
            What::Asked {
                call, node, asks, ..
            } => {
                seen.calls.insert(*call, (*node, asks.clone()));
            }
            What::Answered { call, answers } => seen.answered(*call, answers),
            What::Told { event, .. } if event.kind == EventKind::Purged => seen.mark(Mark::Purged),
            What::Fault(fault) => match fault.kind {
                FaultKind::CrashAfterCommit => seen.mark(Mark::DiedAfterCommit),
                FaultKind::PowerFailure => seen.mark(Mark::PowerFailed),
                FaultKind::PartialBatch => seen.mark(Mark::PartOfBatch),
                FaultKind::ReplyLost if fault.whom == Actor::Store => {
                    seen.mark(Mark::CommitReplyLost);
                }
                _ => {}
            },
            _ => {}
        }
    }
    seen.marks
}

#[derive(Default)]
struct Seen {
    marks: BTreeSet<Mark>,
    calls: BTreeMap<CallId, (Actor, std::sync::Arc<[Ask]>)>,
    submitted_at: BTreeMap<String, Actor>,
    completed: BTreeSet<LeaseId>,
    refused: BTreeSet<String>,
}

impl Seen {
    fn mark(&mut self, mark: Mark) {
        self.marks.insert(mark);
    }

    fn stored(&mut self, at_ms: u64, stored: &Stored) {
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
                (RecordKey::Outbox(_), _, Some(_)) => self.mark(Mark::AcrossPartitions),
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
        if now.sends > before.sends && before.sends > 0 {
            self.mark(Mark::SentAgain);
        }
        match (before.status, now.status) {
            (Status::Dead, status) if !status.is_terminal() => self.mark(Mark::Redriven),
            (Status::Running, Status::Cancelled) => self.mark(Mark::CancelledWhileRunning),
            (Status::Blocked, Status::Cancelled) => self.mark(Mark::CancelledByDependency),
            _ => {}
        }
        let error = now.last_error.as_ref().map(|error| error.kind);
        use russet_core::ErrorKind;
        match error {
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

    fn answered(&mut self, call: CallId, answers: &[Answer]) {
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
