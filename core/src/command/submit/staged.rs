//! Workflows that are larger than one transaction of the store: they are stored in pieces behind
//! a gate, and accepted when all of it is there.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::create::{build, dependent_lists};
use super::graph::{Graph, dependency_lists, list_reads, parent_reads};
use super::keys::other_under_id;
use super::{NewTask, Submit, validate};
use crate::draft::{Draft, Step};
use crate::rules::accepted_task;
use crate::{
    Dependency, EventKind, Gate, GateState, Record, RecordKey, Rejection, Reply, Stage, TaskId,
    Timestamp, TransactionLimit, Workflow, WorkflowId, limits,
};

/// Records that change with the tasks: the workflow, and its key.
const BESIDE: usize = 2;
const BESIDE_BYTES: usize = BESIDE * Record::PLAIN;

impl Submit {
    /// Whether it may change more than one transaction can.
    pub fn is_larger_than(&self, limit: &TransactionLimit) -> bool {
        let weight: usize = self.tasks.iter().map(NewTask::weight).sum();
        let edges: usize = self.tasks.iter().map(|task| task.dependencies.len()).sum();
        let (at_most, bytes) = (self.tasks.len() + 2 * edges + BESIDE, weight + BESIDE_BYTES);
        !limit.admits(at_most, bytes) && !limit.admits(self.changes(), bytes)
    }

    /// Most records that it may change at once: tasks, lists of edges, what a dependency on an
    /// earlier task changes, and the workflow with its key.
    fn changes(&self) -> usize {
        let own: alloc::collections::BTreeSet<_> = self.tasks.iter().map(|task| task.id).collect();
        let edges = self.tasks.iter().flat_map(|task| &task.dependencies);
        let outside = edges.filter(|edge| !own.contains(&edge.task)).count();
        self.tasks.len() + list_reads(&self.tasks).len() + 2 * outside + BESIDE
    }

    /// Stores the first piece, once nothing can be wrong with any of them.
    pub(super) fn begin(&self, draft: &mut Draft<'_>, mut workflow: Workflow) -> Step<Reply> {
        let graph = self.check(draft)?;
        let most = draft.view.transaction.changes;
        let outside = graph.check_outside(&self.tasks, most)?;
        let held = graph.hold(&self.tasks, workflow.id, workflow.created_at);
        workflow.tasks = self.tasks.len() as u32;
        let gate = Gate {
            state: GateState::Closed,
            records: held.len() as u32,
            done: 0,
            outside,
            due_at: draft.now,
        };
        let mut pieces = pieces(&workflow, held, &draft.view.transaction).into_iter();
        if let Some(first) = pieces.next() {
            first.store(draft, workflow, gate)?;
        }
        Ok(Reply::Staged(pieces.collect()))
    }

    /// Goes on where the first one to submit this has come to.
    pub(super) fn go_on(&self, draft: &mut Draft<'_>, known: Workflow, gate: Gate) -> Step<Reply> {
        let incomplete = Rejection::Incomplete { workflow: known.id };
        if gate.state == GateState::GivenUp {
            return Err(incomplete.into());
        }
        if gate.done == gate.records {
            return self.accept(draft, known, gate);
        }
        let ids: Vec<_> = self.tasks.iter().map(|task| task.id).collect();
        let fresh: Vec<_> = self.tasks.iter().collect();
        let graph = Graph::of(&fresh, &self.tasks, &ids)?;
        let held = graph.hold(&self.tasks, known.id, known.created_at);
        if held.len() != gate.records as usize {
            return Err(incomplete.into());
        }
        let mut pieces = pieces(&known, held, &draft.view.transaction);
        pieces.retain(|piece| piece.first >= gate.done);
        Ok(Reply::Staged(pieces))
    }

    /// Opens the gate: from now on the workflow is there, and its timer lets the tasks through.
    fn accept(&self, draft: &mut Draft<'_>, mut known: Workflow, mut gate: Gate) -> Step<Reply> {
        let id = known.id;
        draft.need(self.tasks.iter().map(|task| RecordKey::Task(task.id)))?;
        for task in &self.tasks {
            let Some(task) = draft.find_task(task.id)?.cloned() else {
                return Err(Rejection::Incomplete { workflow: id }.into());
            };
            draft.event(&task, EventKind::Submitted, None);
        }
        gate.state = GateState::Open;
        gate.done = 0;
        gate.due_at = draft.now;
        known.gate = Some(gate);
        draft.put_workflow(known);
        Ok(Reply::Submitted {
            tasks: self.tasks.iter().map(|task| task.id).collect(),
            workflow: Some(id),
            existing: false,
        })
    }

    /// Everything that may be wrong with any of the tasks, but the number of their edges.
    fn check(&self, draft: &Draft<'_>) -> Step<Graph> {
        let here = draft.view.partition;
        draft.need(self.tasks.iter().map(|task| RecordKey::Task(task.id)))?;
        for (at, task) in self.tasks.iter().enumerate() {
            let within = |rejection: Rejection| rejection.within(&format!("tasks[{at}]"));
            validate::new_task(task, here).map_err(within)?;
            if draft.find_task(task.id)?.is_some() {
                return Err(other_under_id(task.id).into());
            }
            validate::times(task, draft.now).map_err(within)?;
        }
        let ids: Vec<_> = self.tasks.iter().map(|task| task.id).collect();
        let fresh: Vec<_> = self.tasks.iter().collect();
        let graph = Graph::of(&fresh, &self.tasks, &ids)?;
        self.check_parents(draft, &graph)?;
        Ok(graph)
    }

    /// The tasks outside that these depend on: they exist, and may have so many more dependents.
    fn check_parents(&self, draft: &Draft<'_>, graph: &Graph) -> Step<()> {
        let here = draft.view.partition;
        let mut near: BTreeMap<TaskId, (usize, usize)> = BTreeMap::new();
        for at in &graph.ordered {
            for edge in graph.outside(*at) {
                if edge.task.partition() == here {
                    near.entry(edge.task).or_insert((0, *at)).0 += 1;
                } else {
                    validate::parent(edge.task, draft.view.partitions)?;
                }
            }
        }
        draft.need(near.keys().copied().map(RecordKey::Task))?;
        let reads = near.keys().map(|parent| parent_reads(draft, *parent));
        draft.need(reads.collect::<Step<Vec<_>>>()?.into_iter().flatten())?;
        for (parent, (more, child)) in near {
            let Some(known) = accepted_task(draft, parent)? else {
                return Err(Rejection::DependencyNotFound {
                    task: self.tasks[child].called(),
                    dependency: parent,
                }
                .into());
            };
            let waiting = known.dependents.total as usize;
            if !known.status.is_terminal() && waiting + more > limits::TASK_DEPENDENTS {
                return Err(Rejection::LimitExceeded {
                    what: format!("the tasks that depend on {parent}"),
                    limit: limits::TASK_DEPENDENTS as u64,
                }
                .into());
            }
        }
        Ok(())
    }
}

impl Graph {
    /// What task `at` depends on that is not among the tasks.
    fn outside(&self, at: usize) -> impl Iterator<Item = &Dependency> {
        let edges = self.edges[at].iter();
        edges.filter(|edge| !self.positions.contains_key(&edge.task))
    }

    /// Whether any task depends on others outside; each may depend on as many as the store can
    /// change with it, its list and its workflow.
    fn check_outside(&self, tasks: &[NewTask], most: usize) -> Result<bool, Rejection> {
        let limit = most.saturating_sub(3) / 2;
        let mut any = false;
        for (at, task) in tasks.iter().enumerate() {
            let count = self.outside(at).count();
            any |= count > 0;
            if count > limit {
                return Err(Rejection::TooManyOutside {
                    task: task.called(),
                    count: count as u64,
                    limit: limit as u64,
                });
            }
        }
        Ok(any)
    }

    /// The records of the tasks as they wait behind the gate, each task after its lists. The gate
    /// counts as one more parent of each; timers and parents outside are left until it is open.
    fn hold(
        &self,
        tasks: &[NewTask],
        workflow: WorkflowId,
        created_at: Timestamp,
    ) -> Vec<(RecordKey, Record)> {
        let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
        let children = self.children(&ids);
        let mut held = Vec::with_capacity(tasks.len());
        for at in &self.ordered {
            let (edges, children) = (&self.edges[*at], &children[*at]);
            let rank = Some(self.ranks[*at]);
            let mut task = build(created_at, &tasks[*at], Some(workflow), rank);
            let inside = edges.len() - self.outside(*at).count();
            task.dependencies.pending = inside as u32 + 1;
            held.extend(dependency_lists(&mut task, edges));
            held.extend(dependent_lists(&mut task, children));
            held.push((RecordKey::Task(task.id), Record::Task(Arc::new(task))));
        }
        held
    }
}

/// Cuts records into pieces, each small enough for a transaction with the workflow and its key.
/// What is stored is named by a list that is stored no later.
fn pieces(
    workflow: &Workflow,
    held: Vec<(RecordKey, Record)>,
    limit: &TransactionLimit,
) -> Vec<Stage> {
    let keys: Vec<_> = held.iter().map(|(key, _)| key.clone()).collect();
    let per_list = limits::GATED_PER_LIST;
    let stage = |first: usize, then: usize, records: Vec<(RecordKey, Record)>| Stage {
        workflow: workflow.id,
        created_at: workflow.created_at,
        members: workflow.members,
        first: first as u32,
        then: then as u32,
        records,
    };
    let (mut pieces, mut piece, mut first, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    for (at, record) in held.into_iter().enumerate() {
        let named = &keys[at..keys.len().min(at + per_list)];
        let list = at.is_multiple_of(per_list).then(|| {
            let key = RecordKey::Gated(workflow.id, (at / per_list) as u32);
            (key, Record::Gated(Arc::new(named.to_vec())))
        });
        let with = piece.len() + usize::from(list.is_some()) + 1;
        let listed = list.as_ref().map_or(0, |(_, list)| list.weight());
        let weight = record.1.weight() + listed;
        let fits = limit.admits(with + BESIDE, bytes + weight + BESIDE_BYTES);
        if !fits && !piece.is_empty() {
            pieces.push(stage(first, at, core::mem::take(&mut piece)));
            (first, bytes) = (at, 0);
        }
        bytes += weight;
        piece.extend(list);
        piece.push(record);
    }
    pieces.push(stage(first, keys.len(), piece));
    pieces
}
