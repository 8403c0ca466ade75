use std::collections::VecDeque;

use russet_core::TaskId;
use russet_engine::Order;

/// Ids of one group, in order, as far as they were read.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) group: Vec<u8>,
    pub(super) ids: VecDeque<TaskId>,
    /// The last id that was read.
    pub(super) last: Option<TaskId>,
    /// There are more behind it.
    pub(super) more: bool,
}

/// Runs, merged by id. A task that moved from one group to another while they were read comes
/// once.
pub(super) struct Merged {
    order: Order,
    runs: Vec<Run>,
    last: Option<TaskId>,
}

impl Merged {
    pub(super) fn new(order: Order, runs: Vec<Run>) -> Self {
        Self {
            order,
            runs,
            last: None,
        }
    }

    /// A run of which more must be read before the next id is known.
    pub(super) fn to_refill(&self) -> Option<&Run> {
        self.runs.iter().find(|run| run.ids.is_empty() && run.more)
    }

    /// Puts what was read in the place of what was there.
    pub(super) fn refill(&mut self, run: Run) {
        if let Some(known) = self.runs.iter_mut().find(|known| known.group == run.group) {
            *known = run;
        }
    }

    fn is_before(&self, a: TaskId, b: TaskId) -> bool {
        match self.order {
            Order::Oldest => a < b,
            Order::Newest => a > b,
        }
    }

    /// The next id, once no run needs a refill.
    pub(super) fn next(&mut self) -> Option<TaskId> {
        let mut first: Option<(usize, TaskId)> = None;
        for at in 0..self.runs.len() {
            let passed = self.last;
            while let Some(id) = self.runs[at].ids.front().copied() {
                let is_new = passed.is_none_or(|last| self.is_before(last, id));
                if is_new {
                    if first.is_none_or(|(_, least)| self.is_before(id, least)) {
                        first = Some((at, id));
                    }
                    break;
                }
                self.runs[at].ids.pop_front();
            }
        }
        let (at, id) = first?;
        self.runs[at].ids.pop_front();
        self.last = Some(id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(group: u8, ids: &[u128], more: bool) -> Run {
        let ids: VecDeque<_> = ids.iter().copied().map(TaskId::from_u128).collect();
        Run {
            group: vec![group],
            last: ids.back().copied(),
            ids,
            more,
        }
    }

    fn next(merged: &mut Merged) -> Option<u128> {
        merged.next().map(TaskId::as_u128)
    }

    #[test]
    fn runs_are_merged_by_id_and_what_moved_comes_once() {
        let runs = vec![run(0, &[1, 4, 5], false), run(1, &[2, 4, 6], true)];
        let mut merged = Merged::new(Order::Oldest, runs);
        let ids: Vec<_> = (0..5).map(|_| next(&mut merged)).collect();
        assert_eq!(ids, [1, 2, 4, 5, 6].map(Some));
        assert_eq!(
            merged.to_refill().map(|run| run.group.clone()),
            Some(vec![1])
        );
        merged.refill(run(1, &[5, 7], false));
        assert_eq!(next(&mut merged), Some(7));
        assert_eq!(next(&mut merged), None);
    }

    #[test]
    fn the_newest_come_first_when_asked_for() {
        let runs = vec![run(0, &[5, 1], false), run(1, &[6, 5, 2], false)];
        let mut merged = Merged::new(Order::Newest, runs);
        let ids: Vec<_> = (0..5).map(|_| next(&mut merged)).collect();
        assert_eq!(ids, [Some(6), Some(5), Some(2), Some(1), None]);
    }
}
