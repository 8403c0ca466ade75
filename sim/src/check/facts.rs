//! The history, folded once for all checkers.

use std::collections::{BTreeMap, HashMap};

use russet_core::{
    GateState, PartitionId, QueueName, QueueRecord, Record, RecordKey, Task, TaskId, Timestamp,
    Workflow, WorkflowId,
};

use super::Run;
use super::calls::Calls;
use super::names::Names;
use super::timeline::{Moment, Timeline};
use crate::history::{At, Stored, What};

pub(super) use crate::world_time::EPOCH_MS;

/// A commit.
#[derive(Clone, Copy)]
pub(super) struct Commit<'a> {
    /// Its position in the history.
    pub entry: usize,
    pub at: At,
    pub stored: &'a Stored,
}

/// A commit that changed a queue's record.
#[derive(Clone, Copy)]
pub(super) struct QueueMoment<'a> {
    pub entry: usize,
    /// Only a store that goes back may have none any more.
    pub after: Option<&'a QueueRecord>,
}

/// A commit that changed a workflow's record.
#[derive(Clone, Copy)]
pub(super) struct WorkflowMoment<'a> {
    pub entry: usize,
    pub after: Option<&'a Workflow>,
}

/// What checkers look at.
pub(super) struct Facts<'a> {
    pub run: &'a Run<'a>,
    pub tasks: BTreeMap<TaskId, Timeline<'a>>,
    pub commits: Vec<Commit<'a>>,
    pub calls: Calls<'a>,
    pub names: Names<'a>,
    pub queues: BTreeMap<(PartitionId, &'a QueueName), Vec<QueueMoment<'a>>>,
    pub workflows: BTreeMap<WorkflowId, Vec<WorkflowMoment<'a>>>,
    /// Workflows whose pieces did not all come: they were never accepted, and are removed. With
    /// the commit that gave them up.
    pub given_up: BTreeMap<WorkflowId, usize>,
}

fn queue(record: Option<&Record>) -> Option<&QueueRecord> {
    match record? {
        Record::Queue(queue) => Some(queue),
        _ => None,
    }
}

fn workflow(record: Option<&Record>) -> Option<&Workflow> {
    match record? {
        Record::Workflow(workflow) => Some(workflow),
        _ => None,
    }
}

impl<'a> Facts<'a> {
    pub fn of(run: &'a Run<'a>) -> Self {
        let mut calls = Calls::default();
        let mut commits = Vec::new();
        let mut tasks: HashMap<TaskId, Timeline<'a>> = HashMap::new();
        let mut queues: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut workflows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut given_up = BTreeMap::new();
        for (position, entry) in run.entries.iter().enumerate() {
            let What::Stored(stored) = &entry.what else {
                calls.read(position, entry);
                continue;
            };
            commits.push(Commit {
                entry: position,
                at: entry.at,
                stored,
            });
            for change in &stored.changes {
                match (&change.key, &change.after) {
                    (RecordKey::Task(id), _) => {
                        let own = tasks.entry(*id).or_default();
                        own.moments.extend(Moment::of(position, entry.at, change));
                    }
                    (RecordKey::Queue(name), after) => {
                        let own = queues.entry((stored.partition, name)).or_default();
                        own.push(QueueMoment {
                            entry: position,
                            after: queue(after.as_ref()),
                        });
                    }
                    (RecordKey::Workflow(id), after) => {
                        let after = workflow(after.as_ref());
                        workflows.entry(*id).or_default().push(WorkflowMoment {
                            entry: position,
                            after,
                        });
                        let known = after.or(workflow(change.before.as_ref()));
                        let state = known.and_then(|known| known.gate).map(|gate| gate.state);
                        let removed = after.is_none() && state == Some(GateState::Closed);
                        if removed || state == Some(GateState::GivenUp) {
                            given_up.entry(*id).or_insert(position);
                        }
                    }
                    _ => {}
                }
            }
        }
        Self {
            run,
            tasks: tasks.into_iter().collect(),
            commits,
            names: Names::of(&calls),
            calls,
            queues,
            workflows,
            given_up,
        }
    }

    /// Every commit that changed a task, task by task.
    pub fn moments(&self) -> impl Iterator<Item = (TaskId, &Moment<'a>)> {
        let all = self.tasks.iter();
        all.flat_map(|(id, timeline)| timeline.moments.iter().map(|moment| (*id, moment)))
    }

    /// The queue's record when the entry was written; `None`: it has the default configuration.
    pub fn queue(
        &self,
        partition: PartitionId,
        queue: &QueueName,
        entry: usize,
    ) -> Option<&'a QueueRecord> {
        let moments = self.queues.get(&(partition, queue))?;
        let until = moments.partition_point(|moment| moment.entry <= entry);
        moments[until.checked_sub(1)?].after
    }

    /// What the workflow was at some time between the two entries.
    pub fn workflow_states(
        &self,
        id: WorkflowId,
        from: usize,
        to: usize,
    ) -> impl Iterator<Item = Option<&'a Workflow>> {
        let moments = self.workflows.get(&id).map_or(&[][..], Vec::as_slice);
        let until = |entry| moments.partition_point(|moment| moment.entry <= entry);
        let (start, end) = (until(from), until(to));
        let first = start.checked_sub(1).and_then(|at| moments[at].after);
        let later = moments[start..end.max(start)].iter();
        std::iter::once(first).chain(later.map(|moment| moment.after))
    }

    /// Whether the workflow was not there, or not all of it, at some time between the two entries.
    pub fn was_away(&self, workflow: WorkflowId, from: usize, to: usize) -> bool {
        let mut states = self.workflow_states(workflow, from, to);
        states.any(|workflow| workflow.is_none_or(|known| !known.is_accepted()))
    }

    /// The tasks that each workflow ever had.
    pub fn members(&self) -> BTreeMap<WorkflowId, Vec<TaskId>> {
        let mut members: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, moment) in self.moments() {
            let Some(workflow) = moment.created().and_then(|task| task.workflow) else {
                continue;
            };
            let own = members.entry(workflow).or_default();
            if own.last() != Some(&id) {
                own.push(id);
            }
        }
        members
    }

    /// Whether the task belongs to a workflow that was given up before it was accepted.
    pub fn is_given_up(&self, task: &Task) -> bool {
        task.workflow
            .is_some_and(|id| self.given_up.contains_key(&id))
    }

    /// How far two clocks may be apart; `None` when there is no bound.
    pub fn skew_ms(&self) -> Option<u64> {
        let plan = self.run.plan;
        plan.clocks_within_bound().then_some(plan.max_clock_skew_ms)
    }
}

/// What a clock that is right shows, in milliseconds since the world began; 0 for times before.
pub(super) fn since_start(at: Timestamp) -> u64 {
    at.since(Timestamp::from_millis(EPOCH_MS)).as_millis()
}
