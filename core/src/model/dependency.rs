use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use crate::{End, TaskId};

/// Which end of a parent satisfies a dependency on it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DependencyOn {
    /// The parent succeeded.
    #[default]
    Success,
    /// The parent ended, however it ended.
    Completion,
    /// The parent ended dead or cancelled, unless it was only not needed.
    Failure,
}

impl DependencyOn {
    /// Whether a parent that ended so satisfies the dependency.
    pub const fn is_satisfied_by(self, end: End) -> bool {
        match self {
            Self::Success => matches!(end, End::Succeeded),
            Self::Completion => true,
            Self::Failure => matches!(end, End::Dead | End::Cancelled),
        }
    }

    /// Whether a parent that ended so leaves nothing to do for a dependent: the failure that it
    /// is there for did not happen, or the parent was not needed either.
    pub const fn is_moot_after(self, end: End) -> bool {
        match self {
            Self::Success => matches!(end, End::NotNeeded),
            Self::Completion => false,
            Self::Failure => matches!(end, End::Succeeded | End::NotNeeded),
        }
    }
}

/// What becomes of a task when one of its dependencies can no longer be satisfied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfUnsatisfied {
    /// It is cancelled, and so the decision spreads to its own dependents. Where nothing failed it
    /// ends as not needed.
    #[default]
    Cancel,
    /// It is dead-lettered, to be looked at and redriven.
    Dead,
    /// It runs all the same, once the other dependencies have ended.
    Run,
}

/// One edge: the task that holds it waits for `task`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// The parent.
    pub task: TaskId,
    /// Which end of the parent is waited for.
    pub on: DependencyOn,
}

/// What a task waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependencies {
    /// How many parents have not ended yet; once the task has ended and is to be forgotten, also
    /// how many of its dependents in other partitions.
    pub pending: u32,
    /// How many parents there are.
    pub total: u32,
    /// The parents, while there are at most
    /// [`INLINE_DEPENDENCIES`](crate::limits::INLINE_DEPENDENCIES) of them;
    /// longer lists stand in records of their own.
    pub inline: Box<[Dependency]>,
}

impl Dependencies {
    /// Whether the edges stand in the task's own record.
    pub const fn are_inline(&self) -> bool {
        self.total as usize <= crate::limits::INLINE_DEPENDENCIES
    }

    /// Whether some of the parents of `child`, whose dependencies these are, may live in other
    /// partitions.
    pub fn may_reach(&self, child: TaskId) -> bool {
        let is_far = |edge: &Dependency| edge.task.partition() != child.partition();
        !self.are_inline() || self.inline.iter().any(is_far)
    }

    /// How many records of their own the edges take.
    pub const fn chunks(&self) -> u32 {
        match self.are_inline() {
            true => 0,
            false => self.total.div_ceil(crate::limits::BATCH_ITEMS as u32),
        }
    }
}

/// Who waits for a task. A few edges stand in its record, as one chunk; more of them stand in
/// chunk records, so that a task with very many dependents is still a small record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependents {
    /// How many edges there are.
    pub total: u32,
    /// The edges, while there are at most
    /// [`INLINE_DEPENDENTS`](crate::limits::INLINE_DEPENDENTS) of them: in each, `task` is the
    /// dependent.
    pub inline: Box<[Dependency]>,
    /// How many edges have been told that the task ended.
    pub settled: u32,
    /// How many edges no longer matter because their tasks have ended too.
    pub cleared: u32,
}

impl Dependents {
    /// Whether the edges stand in the task's own record.
    pub const fn are_inline(&self) -> bool {
        self.total as usize <= crate::limits::INLINE_DEPENDENTS
    }

    /// Whether one more edge would still stand in the task's own record.
    pub const fn has_room_inline(&self) -> bool {
        (self.total as usize) < crate::limits::INLINE_DEPENDENTS
    }

    /// How many chunks the edges make.
    pub const fn chunks(&self) -> u32 {
        self.total
            .div_ceil(crate::limits::DEPENDENTS_PER_CHUNK as u32)
    }

    /// The chunk record that the next edge is written to, when it does not stand inline.
    pub const fn end(&self) -> u32 {
        self.total / crate::limits::DEPENDENTS_PER_CHUNK as u32
    }

    /// Whether no dependent needs the task any more.
    pub const fn are_cleared(&self) -> bool {
        self.cleared >= self.total
    }

    /// The chunk that the edge stands in that stopped to matter last.
    pub fn last_cleared(&self) -> Option<u32> {
        self.cleared.checked_sub(1).map(|at| Self::place(at).0)
    }

    /// Whether every dependent has been told that the task ended.
    pub const fn are_settled(&self) -> bool {
        self.settled >= self.total
    }

    /// The chunk that the edge at `at` stands in, and its place there.
    pub const fn place(at: u32) -> (u32, usize) {
        let per_chunk = crate::limits::DEPENDENTS_PER_CHUNK as u32;
        (at / per_chunk, (at % per_chunk) as usize)
    }

    /// Where the edges after `chunk` begin.
    pub const fn after(&self, chunk: u32) -> u32 {
        let next = (chunk + 1) * crate::limits::DEPENDENTS_PER_CHUNK as u32;
        if next < self.total { next } else { self.total }
    }
}
