use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::NewTask;
use crate::{Rejection, TaskId, policy};

/// Which of `tasks`, that are submitted at the same time but each by itself, could never start:
/// they wait for one another in a circle, or for one that does. By position. Partitions decide
/// by themselves, and none of them sees a circle that goes through several.
pub fn cycles_among(tasks: &[NewTask]) -> BTreeMap<usize, Rejection> {
    if tasks.iter().all(|task| task.dependencies.is_empty()) {
        return BTreeMap::new();
    }
    let mut positions: BTreeMap<TaskId, usize> = BTreeMap::new();
    for (at, task) in tasks.iter().enumerate() {
        positions.entry(task.id).or_insert(at);
    }
    let parents = tasks.iter().map(|task| {
        let edges = task.dependencies.iter();
        let own = edges.filter_map(|edge| positions.get(&edge.task).copied());
        own.collect()
    });
    let parents: Vec<Vec<usize>> = parents.collect();
    let Some(stuck) = policy::stuck(&parents) else {
        return BTreeMap::new();
    };
    let path: Vec<_> = stuck.cycle.iter().map(|at| tasks[*at].called()).collect();
    let refused = |at| (at, Rejection::Cycle { path: path.clone() });
    stuck.tasks.into_iter().map(refused).collect()
}
