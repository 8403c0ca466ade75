//! Interesting states. A batch of runs that misses one of them proves less than it seems to.

mod seen;

use std::collections::BTreeSet;

use russet_core::EventKind;
use serde::{Deserialize, Serialize};

use crate::check::Run;
use crate::history::{FaultKind, What};
use crate::plan::WorldKind;
use seen::Seen;

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
    /// A redrive of a workflow revived a dead task.
    WorkflowRedriven,
    /// A redrive of a workflow revived a task that was cancelled because of a dependency.
    LetDownRedriven,
    /// A redrive of a workflow revived a task that somebody had cancelled.
    CancelledRedriven,
    /// A task died because its workers did.
    WorkersDied,
    /// A cancel of a workflow cancelled tasks of it.
    WorkflowCancelled,
    /// A cancel of a workflow asked holders of its tasks to stop.
    WorkflowToldToStop,
    /// A task was cancelled while it ran.
    CancelledWhileRunning,
    /// A task was cancelled because of a dependency.
    CancelledByDependency,
    /// A task was there for a failure that did not happen.
    NotNeeded,
    /// A blocked task asked a parent in another partition once more.
    AskedAgain,
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
    /// A client's call was refused because the store was away, and done when sent again.
    RefusedThenDone,
    /// A connection broke in the middle of what was sent.
    ConnectionBroken,
    /// A task was granted in a later epoch than the first, by a store that may have gone back.
    LaterEpoch,
    /// A store went back to an earlier state of its own.
    WentBack,
    /// A replica took over that had not everything, and nodes wait for it before they acknowledge.
    ReplicaTookOver,
    /// That befell one primary of a cluster, and not the others.
    PartWentBack,
}

impl Mark {
    /// All of them.
    pub const ALL: [Self; 37] = [
        Self::StaleCompletionRefused,
        Self::StaleHeartbeatRefused,
        Self::LeaseTakenOver,
        Self::DiedAfterCommit,
        Self::LeaderReplaced,
        Self::TimerFoundLate,
        Self::DedupAcrossNodes,
        Self::KeyConflict,
        Self::Redriven,
        Self::WorkflowRedriven,
        Self::LetDownRedriven,
        Self::CancelledRedriven,
        Self::WorkersDied,
        Self::WorkflowCancelled,
        Self::WorkflowToldToStop,
        Self::CancelledWhileRunning,
        Self::CancelledByDependency,
        Self::NotNeeded,
        Self::AskedAgain,
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
        Self::RefusedThenDone,
        Self::ConnectionBroken,
        Self::LaterEpoch,
        Self::WentBack,
        Self::ReplicaTookOver,
        Self::PartWentBack,
    ];

    /// Whether only one run in fifty, or fewer, reaches it.
    pub fn is_rare(self) -> bool {
        matches!(
            self,
            Self::GateGivenUp | Self::AskedAgain | Self::PartWentBack
        )
    }

    /// Whether a run in `world` can reach it.
    pub fn exists_in(self, world: WorldKind) -> bool {
        match self {
            Self::PowerFailed => world == WorldKind::Embedded,
            Self::ConnectionBroken
            | Self::LaterEpoch
            | Self::WentBack
            | Self::ReplicaTookOver
            | Self::PartWentBack => world.has_redis(),
            Self::SentAgain => world != WorldKind::Redis,
            _ => true,
        }
    }
}

/// The marks of a run.
pub fn of(run: &Run<'_>) -> BTreeSet<Mark> {
    let mut seen = Seen::default();
    for entry in run.entries {
        match &entry.what {
            What::Stored(stored) => seen.stored(entry.at.millis(), stored),
            What::Asked {
                call, node, asks, ..
            } => seen.asked(*call, *node, asks),
            What::Answered { call, answers } => seen.answered(*call, answers),
            What::Told { event, .. } if event.kind == EventKind::Purged => seen.mark(Mark::Purged),
            What::Fault(fault) => match fault.kind {
                FaultKind::CrashAfterCommit => seen.mark(Mark::DiedAfterCommit),
                FaultKind::PowerFailure => seen.mark(Mark::PowerFailed),
                FaultKind::Reset => seen.mark(Mark::ConnectionBroken),
                FaultKind::FailoverBehind => {
                    seen.mark(Mark::WentBack);
                    if run.plan.acknowledged_by_replica {
                        seen.mark(Mark::ReplicaTookOver);
                    }
                    if run.plan.cluster.is_some() {
                        seen.mark(Mark::PartWentBack);
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    seen.marks
}
