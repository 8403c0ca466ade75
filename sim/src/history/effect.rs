use serde::{Deserialize, Serialize};

use crate::plan::WorldKind;

/// What faults and rivals come to, where a node's call meets them. That a fault was injected does
/// not say that it befell anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A commit met what another node had changed.
    CommitConflicted,
    /// The outcome of a commit was unknown to the node, and all of it had been done.
    LostCommitDone,
    /// It was unknown, and a part had been done.
    LostCommitDoneInPart,
    /// It was unknown, and nothing of it had been done yet.
    LostCommitUndone,
    /// A commit was refused, and nothing of it was done.
    CommitRefused,
    /// A commit was refused because the store had no memory left.
    StoreFull,
    /// A server had forgotten the script that it was to run.
    ScriptUnknown,
    /// A write went to a server that a replica had replaced.
    ReplicaRefused,
    /// A commit named an epoch that was over.
    EpochOver,
    /// A commit was done, and no replica had it when the wait for one was over.
    Unreplicated,
    /// A call was answered with `MOVED`, and was done by the node that has the slot.
    Moved,
    /// A call was answered with `ASK`, and was done by the node that was being given the slot.
    Asked,
    /// A call needed names that were partly moved.
    HalfMoved,
    /// A node of a cluster served nobody because it missed another one.
    ClusterDown,
    /// A transaction of DynamoDB met another one on the same items.
    TransactionMet,
    /// DynamoDB left out a part of a batch of reads.
    ReadInPart,
    /// An index of DynamoDB was read that did not show all that was written.
    IndexBehind,
    /// SQS carried out a part of a batch.
    BatchInPart,
    /// SQS took a message and lost it.
    MessageLost,
    /// SQS delivered a message that was hidden.
    DeliveredTwice,
    /// A service said that it had failed, and had done what was asked.
    FailedAndDone,
}

impl Effect {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::CommitConflicted,
        Self::LostCommitDone,
        Self::LostCommitDoneInPart,
        Self::LostCommitUndone,
        Self::CommitRefused,
        Self::StoreFull,
        Self::ScriptUnknown,
        Self::ReplicaRefused,
        Self::EpochOver,
        Self::Unreplicated,
        Self::Moved,
        Self::Asked,
        Self::HalfMoved,
        Self::ClusterDown,
        Self::TransactionMet,
        Self::ReadInPart,
        Self::IndexBehind,
        Self::BatchInPart,
        Self::MessageLost,
        Self::DeliveredTwice,
        Self::FailedAndDone,
    ];

    /// In so many runs of a world that has it some must meet it.
    pub const fn within_runs(self) -> u64 {
        match self {
            Self::CommitConflicted
            | Self::LostCommitDone
            | Self::LostCommitUndone
            | Self::CommitRefused
            | Self::ScriptUnknown
            | Self::Moved
            | Self::Asked
            | Self::HalfMoved => 10,
            Self::LostCommitDoneInPart | Self::Unreplicated | Self::MessageLost => 2_000,
            _ => 150,
        }
    }

    /// Whether a run in `world` can meet it.
    pub const fn exists_in(self, world: WorldKind) -> bool {
        match self {
            Self::CommitConflicted
            | Self::LostCommitDone
            | Self::LostCommitDoneInPart
            | Self::LostCommitUndone
            | Self::CommitRefused => true,
            Self::StoreFull
            | Self::ScriptUnknown
            | Self::ReplicaRefused
            | Self::EpochOver
            | Self::Unreplicated
            | Self::Moved
            | Self::Asked
            | Self::HalfMoved
            | Self::ClusterDown => world.has_redis(),
            Self::TransactionMet | Self::ReadInPart | Self::IndexBehind => {
                matches!(world, WorldKind::Sqs)
            }
            Self::BatchInPart | Self::MessageLost | Self::DeliveredTwice | Self::FailedAndDone => {
                world.has_sqs()
            }
        }
    }
}
