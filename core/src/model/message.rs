use serde::{Deserialize, Serialize};

use crate::{DependencyOn, End, MessageId, PartitionId, TaskId, Timestamp};

/// An effect on another partition. It is committed in the source's outbox with the decision
/// that caused it, and applied at the target at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// `child` wants to be told when `parent` ends.
    Watch {
        /// The task that is waited for; it lives at the target.
        parent: TaskId,
        /// The task that waits; it lives at the source.
        child: TaskId,
        /// Which end is waited for.
        on: DependencyOn,
        /// The life of the child, which is the command that redrove it last.
        life: Option<u64>,
    },
    /// `child` has been waiting for long, and wants to hear once more if `parent` has ended.
    Ask {
        /// The task that is waited for; it lives at the target.
        parent: TaskId,
        /// The task that waits; it lives at the source.
        child: TaskId,
        /// As in a watch.
        life: Option<u64>,
    },
    /// `parent` ended, or does not exist.
    Settled {
        /// The task that was waited for; it lives at the source.
        parent: TaskId,
        /// The task that waits; it lives at the target.
        child: TaskId,
        /// How the parent ended; `None` when there is no such task.
        end: Option<End>,
        /// The life in which the child asked. The news of an end are told in none, which is also
        /// the first life: a child that was redriven asks whether they still hold.
        life: Option<u64>,
    },
}

impl Message {
    /// Where the message is to be applied.
    pub const fn target(&self) -> PartitionId {
        match self {
            Self::Watch { parent, .. } | Self::Ask { parent, .. } => parent.partition(),
            Self::Settled { child, .. } => child.partition(),
        }
    }

    /// Where the message comes from.
    pub const fn source(&self) -> PartitionId {
        match self {
            Self::Watch { child, .. } | Self::Ask { child, .. } => child.partition(),
            Self::Settled { parent, .. } => parent.partition(),
        }
    }

    /// The life of the child in which it was asked for.
    const fn life(&self) -> Option<u64> {
        match self {
            Self::Watch { life, .. } | Self::Ask { life, .. } | Self::Settled { life, .. } => *life,
        }
    }

    /// The same message always has the same identity.
    pub fn id(&self) -> MessageId {
        let (kind, parent, child) = match self {
            Self::Watch { parent, child, .. } => (1u8, parent, child),
            Self::Settled { parent, child, .. } => (2u8, parent, child),
            Self::Ask { parent, child, .. } => (3u8, parent, child),
        };
        let mut hash = crate::policy::Fingerprint::new();
        hash.add(&[kind]);
        hash.add(&parent.as_u128().to_be_bytes());
        hash.add(&child.as_u128().to_be_bytes());
        if let Some(life) = self.life() {
            hash.add(&life.to_be_bytes());
        }
        MessageId::from_u128(hash.finish())
    }
}

/// A message that has not been acknowledged by its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// What to deliver.
    pub message: Message,
    /// How often it was handed to the relay.
    pub tries: u32,
    /// When to hand it over (again).
    pub due_at: Timestamp,
}
