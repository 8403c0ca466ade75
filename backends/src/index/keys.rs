use russet_core::{Status, TaskId, Timestamp};

/// A 128-bit id in two halves, so that keys that hold one are aligned to 8 bytes, not 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    high: u64,
    low: u64,
}

impl Id {
    pub(crate) fn from_u128(bits: u128) -> Self {
        Self {
            high: (bits >> 64) as u64,
            low: bits as u64,
        }
    }

    pub(crate) fn as_u128(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    pub(crate) fn task(self) -> TaskId {
        TaskId::from_u128(self.as_u128())
    }
}

impl From<TaskId> for Id {
    fn from(task: TaskId) -> Self {
        Self::from_u128(task.as_u128())
    }
}

/// A place among the ready tasks of a lane: lowest score first, then the lower id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) score: i64,
    pub(crate) task: Id,
}

/// When something happens to an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) at: Timestamp,
    pub(crate) id: Id,
}

/// A task of a workflow, with what a listing filters by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) task: Id,
    pub(crate) queue: u32,
    pub(crate) status: Status,
}
