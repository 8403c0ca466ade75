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
    let parents = parents_among(tasks);
    let Some(stuck) = policy::stuck(&parents) else {
        return BTreeMap::new();
    };
    let path: Vec<_> = stuck.cycle.iter().map(|at| tasks[*at].called()).collect();
    let refused = |at| (at, Rejection::Cycle { path: path.clone() });
    stuck.tasks.into_iter().map(refused).collect()
}

/// In which wave each of `tasks`, that are submitted at the same time but each by itself, has to
/// come: behind the waves of those that it depends on in other partitions, which may be slower, and
/// would be asked for before they are there.
pub fn waves_among(tasks: &[NewTask]) -> Vec<usize> {
    let mut waves = alloc::vec![0; tasks.len()];
    if tasks.iter().all(|task| task.dependencies.is_empty()) {
        return waves;
    }
    let parents = parents_among(tasks);
    for at in policy::behind(&parents) {
        let own = tasks[at].id.partition();
        let after =
            |parent: &usize| waves[*parent] + usize::from(tasks[*parent].id.partition() != own);
        waves[at] = parents[at].iter().map(after).max().unwrap_or(0);
    }
    waves
}

/// Of each of the tasks the positions of those among them that it depends on.
fn parents_among(tasks: &[NewTask]) -> Vec<Vec<usize>> {
    let mut positions: BTreeMap<TaskId, usize> = BTreeMap::new();
    for (at, task) in tasks.iter().enumerate() {
        positions.entry(task.id).or_insert(at);
    }
    let parents = tasks.iter().map(|task| {
        let edges = task.dependencies.iter();
        let own = edges.filter_map(|edge| positions.get(&edge.task).copied());
        own.collect()
    });
    parents.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dependency, DependencyOn, PartitionId, QueueName, TaskType, Timestamp};

    fn task(n: u64, partition: u16, parents: &[&NewTask]) -> NewTask {
        let id = TaskId::new(Timestamp::ZERO, PartitionId(partition), n);
        let (kind, queue) = (TaskType::new("kind"), QueueName::new("queue"));
        let (kind, queue) = (kind.expect("a name"), queue.expect("a name"));
        let on = DependencyOn::Success;
        let edges = parents.iter().map(|parent| Dependency {
            task: parent.id,
            on,
        });
        NewTask {
            dependencies: edges.collect(),
            ..NewTask::new(id, kind, queue, Default::default())
        }
    }

    #[test]
    fn a_task_comes_in_a_later_wave_than_its_parents_in_other_partitions() {
        let first = task(1, 0, &[]);
        let near = task(2, 0, &[&first]);
        let far = task(3, 1, &[&near]);
        let back = task(4, 0, &[&far, &first]);
        let alone = task(5, 1, &[]);
        let tasks = [back, far, near, first, alone];
        assert_eq!(waves_among(&tasks), [2, 1, 0, 0, 0]);
        assert_eq!(waves_among(&tasks[4..]), [0]);
    }
}
