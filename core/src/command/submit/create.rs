//! Making tasks.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::graph::Graph;
use super::keys::{Places, need_named, places, same_dependencies, submitted_before};
use super::{NewTask, validate};
use crate::draft::{Draft, Step};
use crate::rules::{Unmet, place, unsatisfied};
use crate::{
    Dependencies, Dependency, Dependents, EventKind, Record, RecordKey, Rejection, Status, Task,
    TaskId, Timestamp, WorkflowId, limits,
};

/// The records that creating `task` reads for certain.
pub(in crate::command) fn task_reads(task: &NewTask) -> impl Iterator<Item = RecordKey> + use<> {
    let mut keys = vec![
        RecordKey::Task(task.id),
        RecordKey::Queue(task.queue.clone()),
    ];
    if let Some(idempotency) = &task.idempotency {
        keys.push(RecordKey::Dedup(idempotency.key.clone()));
    }
    keys.into_iter()
}

/// What was asked for, as it is stored.
#[derive(Default)]
pub(in crate::command) struct Accepted {
    /// The ids, with the earlier one where a task was already submitted.
    pub ids: Vec<TaskId>,
    /// How many of them are new.
    pub fresh: usize,
}

/// Creates those of `tasks` that were not submitted before.
pub(in crate::command) fn create(
    draft: &mut Draft<'_>,
    tasks: &[NewTask],
    workflow: Option<WorkflowId>,
    field: &str,
) -> Step<Accepted> {
    let within = |at: usize, rejection: Rejection| match tasks.len() {
        1 if workflow.is_none() && field == "tasks" => rejection,
        _ => rejection.within(&format!("{field}[{at}]")),
    };
    if tasks.is_empty() {
        return Ok(Accepted::default());
    }
    need_named(draft, tasks)?;
    let mut ids = Vec::with_capacity(tasks.len());
    let mut fresh = Vec::with_capacity(tasks.len());
    let keyed = tasks.iter().any(|task| task.idempotency.is_some());
    let places = if keyed { places(tasks) } else { Places::new() };
    let mut again = false;
    for (at, task) in tasks.iter().enumerate() {
        validate::new_task(task, draft.view.partition).map_err(|r| within(at, r))?;
        let known = submitted_before(draft, task, workflow, &places)?;
        ids.push(known.unwrap_or(task.id));
        again |= known == Some(task.id);
        if known.is_none() {
            validate::times(task, draft.now).map_err(|r| within(at, r))?;
            fresh.push(task);
        }
    }
    if again {
        same_dependencies(draft, tasks, &ids)?;
    }
    if let ([task], true) = (
        fresh.as_slice(),
        fresh.iter().all(|t| t.dependencies.is_empty()),
    ) {
        admit(draft, build(draft.now, task, workflow, None), &[], None)?;
        count_tasks(draft, workflow, 1)?;
        return Ok(Accepted { ids, fresh: 1 });
    }
    let graph = Graph::of(&fresh, tasks, &ids)?;
    let fresh_count = fresh.len();
    count_tasks(draft, workflow, fresh_count)?;
    graph.create(draft, &fresh, workflow)?;
    Ok(Accepted {
        ids,
        fresh: fresh_count,
    })
}

fn count_tasks(draft: &mut Draft<'_>, workflow: Option<WorkflowId>, more: usize) -> Step<()> {
    let Some(id) = workflow else {
        return Ok(());
    };
    let Some(mut record) = draft.workflow(id)? else {
        return Err(Rejection::NoWorkflow { id }.into());
    };
    if record.tasks as usize + more > limits::WORKFLOW_TASKS {
        return Err(Rejection::LimitExceeded {
            what: format!("{} tasks in one workflow", record.tasks as usize + more),
            limit: limits::WORKFLOW_TASKS as u64,
        }
        .into());
    }
    record.tasks += more as u32;
    draft.put_workflow(record);
    Ok(())
}

pub(super) fn build(
    now: Timestamp,
    new: &NewTask,
    workflow: Option<WorkflowId>,
    rank: Option<u16>,
) -> Task {
    Task {
        id: new.id,
        kind: new.kind.clone(),
        queue: new.queue.clone(),
        payload: new.payload.clone(),
        status: Status::Blocked,
        priority: new.priority.unwrap_or(NewTask::PRIORITY),
        rank: rank.filter(|_| new.priority.is_none()),
        retry_count: 0,
        retry: new.retry,
        attempt: 0,
        created_at: now,
        updated_at: now,
        scheduled_at: new.start.map(|start| start.from(now)),
        ready_at: None,
        score: 0,
        started_at: None,
        completed_at: None,
        expires_at: new.expires.map(|expires| expires.from(now)),
        due_at: None,
        purge_at: None,
        lease_duration: new.lease_duration,
        timeout: new.timeout,
        retention: new.retention,
        lease: None,
        dependencies: Dependencies::default(),
        if_unsatisfied: new.if_unsatisfied,
        dependents: Dependents::default(),
        resources: new.resources.clone(),
        idempotency: new.idempotency.clone().map(Box::new),
        partition_key: new.partition_key.clone().map(Box::new),
        workflow,
        metadata: new.metadata.clone().into(),
        result: None,
        last_error: None,
        progress: None,
        cancel_requested: false,
        unsent: false,
        sends: 0,
        redriven_by: None,
    }
}

/// A list of dependents, in chunks.
pub(in crate::command) fn dependent_chunks(
    parent: TaskId,
    children: &[Dependency],
) -> impl Iterator<Item = (RecordKey, Record)> {
    let chunks = children.chunks(limits::DEPENDENTS_PER_CHUNK).enumerate();
    chunks.map(move |(chunk, edges)| {
        let key = RecordKey::Dependents(parent, chunk as u32);
        (key, Record::Dependents(Arc::new(edges.to_vec())))
    })
}

/// Lets `children` wait for a new task; what its own record does not hold is returned.
pub(super) fn dependent_lists(
    task: &mut Task,
    children: &[Dependency],
) -> Vec<(RecordKey, Record)> {
    task.dependents.total = children.len() as u32;
    if task.dependents.are_inline() {
        task.dependents.inline = children.into();
        return Vec::new();
    }
    dependent_chunks(task.id, children).collect()
}

/// Stores a new task where it belongs, and returns it. `children` wait for it; `failed` is a
/// dependency of it that cannot be satisfied.
pub(super) fn admit(
    draft: &mut Draft<'_>,
    mut task: Task,
    children: &[Dependency],
    failed: Option<Unmet>,
) -> Step<Arc<Task>> {
    for (key, record) in dependent_lists(&mut task, children) {
        draft.put(key, record);
    }
    draft.event(&task, EventKind::Submitted, None);
    match failed {
        Some(unmet) => unsatisfied(draft, &mut task, unmet)?,
        None => place(draft, &mut task)?,
    }
    Ok(draft.put_task(task))
}
