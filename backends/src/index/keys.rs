use russet_core::{Status, TaskId, Timestamp};

/// A place among the ready tasks of a lane: lowest score first, then the lower id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) score: i64,
    pub(crate) task: TaskId,
}

/// When something happens to an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At<I> {
    pub(crate) at: Timestamp,
    pub(crate) id: I,
}

/// A task of a workflow, with what a listing filters by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) task: TaskId,
    pub(crate) queue: u32,
    pub(crate) status: Status,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_no_larger_than_what_they_hold() {
        assert_eq!(size_of::<Place>(), 24);
        assert_eq!(size_of::<At<TaskId>>(), 24);
        assert_eq!(size_of::<Member>(), 24);
    }
}
