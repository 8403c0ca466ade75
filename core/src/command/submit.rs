use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::validate;
use crate::draft::{Draft, Step};
use crate::policy::{self, Fingerprint};
use crate::rules::{place, unsatisfied};
use crate::{
    Dedup, Dependencies, Dependency, Dependents, EventKind, Idempotency, IfUnsatisfied, Label,
    Message, Millis, Named, PartitionKey, QueueName, Record, RecordKey, Rejection, Reply,
    Resources, RetryPolicy, Status, Task, TaskId, TaskType, Timestamp, Window, Workflow,
    WorkflowId, codec, limits,
};

/// Accepts tasks: all of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// The workflow that the tasks form, if they do.
    pub workflow: Option<NewWorkflow>,
    /// The tasks; they may depend on one another.
    pub tasks: Vec<NewTask>,
}

/// A workflow to be submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewWorkflow {
    /// Its identity, in the partition of its tasks.
    pub id: WorkflowId,
    /// What its submitter calls it.
    pub name: Option<Label>,
    /// A key that names it.
    pub idempotency: Option<Idempotency>,
}

/// A task to be submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Its identity; it chooses the partition.
    pub id: TaskId,
    /// What errors call it.
    pub label: Option<Label>,
    /// What kind of work it is.
    pub kind: TaskType,
    /// The queue that it waits in.
    pub queue: QueueName,
    /// What its handler gets.
    pub payload: Bytes,
    /// 0 to 9, 9 most urgent; `None`: 4, or by the longest remaining path in a workflow.
    pub priority: Option<u8>,
    /// How failures are followed by other tries.
    pub retry: RetryPolicy,
    /// Its earliest start.
    pub start: Option<When>,
    /// It is dead-lettered when nobody started it by then.
    pub expires: Option<When>,
    /// How long a lease lasts without a heartbeat.
    pub lease_duration: Millis,
    /// How long one attempt may take.
    pub timeout: Option<Millis>,
    /// How long it is kept after its end; `None`: as its queue says.
    pub retention: Option<Millis>,
    /// What it waits for.
    pub dependencies: Vec<Dependency>,
    /// What becomes of it when a dependency cannot be satisfied.
    pub if_unsatisfied: IfUnsatisfied,
    /// What a worker must have free to hold it.
    pub resources: Resources,
    /// A key that names it.
    pub idempotency: Option<Idempotency>,
    /// The text that chose its partition.
    pub partition_key: Option<PartitionKey>,
    /// What its submitter wants to keep beside it.
    pub metadata: Bytes,
    /// How long it is expected to run, to order the tasks of a workflow.
    pub expected: Option<Millis>,
}

/// A time, or a duration from the submission on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// At this time.
    At(Timestamp),
    /// This long after the submission.
    In(Millis),
}

impl When {
    fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(after) => now + after,
        }
    }
}

impl NewTask {
    /// The lease duration of tasks that name none.
    pub const LEASE_DURATION: Millis = Millis::from_secs(30);
    /// The priority of tasks that name none.
    pub const PRIORITY: u8 = 4;

    /// A task with the defaults of everything else.
    pub fn new(id: TaskId, kind: TaskType, queue: QueueName, payload: Bytes) -> Self {
        Self {
            id,
            label: None,
            kind,
            queue,
            payload,
            priority: None,
            retry: RetryPolicy::default(),
            start: None,
            expires: None,
            lease_duration: Self::LEASE_DURATION,
            timeout: None,
            retention: None,
            dependencies: Vec::new(),
            if_unsatisfied: IfUnsatisfied::default(),
            resources: Resources::NONE,
            idempotency: None,
            partition_key: None,
            metadata: Bytes::new(),
            expected: None,
        }
    }

    /// What errors call the task.
    pub(super) fn called(&self) -> String {
        match &self.label {
            Some(label) => label.to_string(),
            None => self.id.to_string(),
        }
    }
}

impl Submit {
    pub(super) fn reads(&self) -> Vec<RecordKey> {
        let mut keys: Vec<_> = self.tasks.iter().flat_map(task_reads).collect();
        if let Some(workflow) = &self.workflow {
            keys.push(RecordKey::Workflow(workflow.id));
            let key = workflow.idempotency.as_ref();
            keys.extend(key.map(|known| RecordKey::Dedup(known.key.clone())));
        }
        keys
    }

    pub(super) fn decide(&self, draft: &mut Draft<'_>) -> Step<Reply> {
        let Some(workflow) = &self.workflow else {
            validate::count("tasks", self.tasks.len(), limits::BATCH_ITEMS)?;
            let accepted = create(draft, &self.tasks, None, "tasks")?;
            return Ok(Reply::Submitted {
                tasks: accepted.ids,
                workflow: None,
                existing: accepted.fresh == 0,
            });
        };
        validate::count("tasks", self.tasks.len(), limits::WORKFLOW_TASKS)?;
        self.workflow(draft, workflow)
    }

    fn workflow(&self, draft: &mut Draft<'_>, new: &NewWorkflow) -> Step<Reply> {
        validate::workflow(new, &self.tasks, draft.view.partition)?;
        let members = members(&self.tasks);
        if let Some(known) = draft.workflow(new.id)? {
            return self.again(new, &known, members);
        }
        if let Some(idempotency) = &new.idempotency {
            let request = fingerprint(&self.tasks, &places(&self.tasks));
            if let Some(Named::Workflow(id)) = named(draft, idempotency, request)? {
                return Ok(Reply::Submitted {
                    tasks: Vec::new(),
                    workflow: Some(id),
                    existing: true,
                });
            }
            name(draft, idempotency, Named::Workflow(new.id), request);
        }
        let record = Workflow {
            id: new.id,
            name: new.name.clone(),
            created_at: draft.now,
            completed_at: None,
            tasks: 0,
            succeeded: 0,
            dead: 0,
            cancelled: 0,
            purged: 0,
            idempotency: new.idempotency.clone(),
            members,
        };
        draft.put_workflow(record);
        let accepted = create(draft, &self.tasks, Some(new.id), "tasks")?;
        Ok(Reply::Submitted {
            tasks: accepted.ids,
            workflow: Some(new.id),
            existing: false,
        })
    }

    /// Answers a repetition, and refuses another workflow under the same id.
    fn again(&self, new: &NewWorkflow, known: &Workflow, members: u128) -> Step<Reply> {
        if known.members != members || known.idempotency != new.idempotency {
            return Err(Rejection::IdempotencyConflict {
                what: "workflow id".into(),
                existing: TaskId::from_u128(known.id.as_u128()),
            }
            .into());
        }
        Ok(Reply::Submitted {
            tasks: self.tasks.iter().map(|task| task.id).collect(),
            workflow: Some(new.id),
            existing: true,
        })
    }
}

/// The records that creating `task` reads for certain.
pub(super) fn task_reads(task: &NewTask) -> impl Iterator<Item = RecordKey> + use<> {
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
pub(super) struct Accepted {
    /// The ids, with the earlier one where a task was already submitted.
    pub ids: Vec<TaskId>,
    /// How many of them are new.
    pub fresh: usize,
}

/// Creates those of `tasks` that were not submitted before.
pub(super) fn create(
    draft: &mut Draft<'_>,
    tasks: &[NewTask],
    workflow: Option<WorkflowId>,
    field: &str,
) -> Step<Accepted> {
    let within = |at: usize, rejection: Rejection| match tasks.len() {
        1 if workflow.is_none() && field == "tasks" => rejection,
        _ => rejection.within(&format!("{field}[{at}]")),
    };
    let mut ids = Vec::with_capacity(tasks.len());
    let mut fresh = Vec::with_capacity(tasks.len());
    let places = places(tasks);
    for (at, task) in tasks.iter().enumerate() {
        validate::new_task(task, draft.view.partition).map_err(|r| within(at, r))?;
        let known = submitted_before(draft, task, workflow, &places)?;
        ids.push(known.unwrap_or(task.id));
        if known.is_none() {
            validate::times(task, draft.now).map_err(|r| within(at, r))?;
            fresh.push(task);
        }
    }
    if let ([task], true) = (
        fresh.as_slice(),
        fresh.iter().all(|t| t.dependencies.is_empty()),
    ) {
        admit(draft, build(draft, task, workflow, None), &[], None)?;
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

/// The task that was submitted before under the same id or key.
fn submitted_before(
    draft: &mut Draft<'_>,
    task: &NewTask,
    workflow: Option<WorkflowId>,
    places: &Places,
) -> Step<Option<TaskId>> {
    if let Some(known) = draft.find_task(task.id)? {
        let same = known.kind == task.kind
            && known.queue == task.queue
            && known.payload == task.payload
            && known.workflow == workflow
            && known.idempotency.as_deref() == task.idempotency.as_ref();
        let conflict = Rejection::IdempotencyConflict {
            what: "id".into(),
            existing: task.id,
        };
        return if same {
            Ok(Some(task.id))
        } else {
            Err(conflict.into())
        };
    }
    let Some(idempotency) = &task.idempotency else {
        return Ok(None);
    };
    let request = fingerprint(core::slice::from_ref(task), places);
    match named(draft, idempotency, request)? {
        Some(Named::Task(id)) => Ok(Some(id)),
        _ => {
            name(draft, idempotency, Named::Task(task.id), request);
            Ok(None)
        }
    }
}

/// The id under which `task` was accepted: its own, or what its key names.
pub(super) fn under_which_id(draft: &Draft<'_>, task: &NewTask) -> Step<TaskId> {
    let Some(idempotency) = &task.idempotency else {
        return Ok(task.id);
    };
    if draft.find_task(task.id)?.is_some() {
        return Ok(task.id);
    }
    Ok(
        match draft.get(&RecordKey::Dedup(idempotency.key.clone()))? {
            Some(Record::Dedup(known)) => match known.named {
                Named::Task(id) => id,
                Named::Workflow(_) => task.id,
            },
            _ => task.id,
        },
    )
}

/// What a key names now; a different request under the same key is refused.
fn named(draft: &Draft<'_>, idempotency: &Idempotency, request: u128) -> Step<Option<Named>> {
    let key = RecordKey::Dedup(idempotency.key.clone());
    let Some(Record::Dedup(known)) = draft.get(&key)? else {
        return Ok(None);
    };
    let valid = match known.window {
        _ if draft.is_written(&key) => true,
        Window::For(window) => draft.now < known.created_at + window,
        Window::WhileLive => match known.named {
            Named::Task(id) => draft
                .find_task(id)?
                .is_some_and(|t| !t.status.is_terminal()),
            Named::Workflow(id) => draft.workflow(id)?.is_some_and(|w| w.live() > 0),
        },
    };
    if !valid {
        return Ok(None);
    }
    if known.request == request {
        return Ok(Some(known.named));
    }
    let existing = match known.named {
        Named::Task(id) => id,
        Named::Workflow(id) => TaskId::from_u128(id.as_u128()),
    };
    let what = format!("idempotency key {}", idempotency.key);
    Err(Rejection::IdempotencyConflict { what, existing }.into())
}

fn name(draft: &mut Draft<'_>, idempotency: &Idempotency, named: Named, request: u128) {
    let dedup = Dedup {
        named,
        request,
        window: idempotency.window,
        created_at: draft.now,
    };
    draft.put(
        RecordKey::Dedup(idempotency.key.clone()),
        Record::Dedup(Arc::new(dedup)),
    );
}

/// Where the tasks of one command stand in it.
type Places = BTreeMap<TaskId, usize>;

fn places(tasks: &[NewTask]) -> Places {
    tasks.iter().enumerate().map(|(at, t)| (t.id, at)).collect()
}

/// A fingerprint of the tasks' ids.
fn members(tasks: &[NewTask]) -> u128 {
    let mut hash = Fingerprint::new();
    for task in tasks {
        hash.add(&task.id.as_u128().to_be_bytes());
    }
    hash.finish()
}

/// A fingerprint of what is asked for, whatever ids it is asked for under.
fn fingerprint(tasks: &[NewTask], places: &Places) -> u128 {
    let mut hash = Fingerprint::new();
    for task in tasks {
        let mut plain = task.clone();
        plain.id = TaskId::from_u128(0);
        plain.idempotency = None;
        for edge in &mut plain.dependencies {
            if let Some(at) = places.get(&edge.task) {
                edge.task = TaskId::from_u128(*at as u128);
            }
        }
        hash.add(&codec::encode(&plain));
    }
    hash.finish()
}

fn build(
    draft: &Draft<'_>,
    new: &NewTask,
    workflow: Option<WorkflowId>,
    rank: Option<u16>,
) -> Task {
    let now = draft.now;
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
        metadata: new.metadata.clone(),
        result: None,
        last_error: None,
        progress: None,
        cancel_requested: false,
        unsent: false,
        sends: 0,
        redriven_by: None,
    }
}

/// Stores a new task where it belongs. `children` wait for it; `failed` is the end of a parent
/// that makes it impossible to satisfy its dependencies.
fn admit(
    draft: &mut Draft<'_>,
    mut task: Task,
    children: &[Dependency],
    failed: Option<Status>,
) -> Step<()> {
    task.dependents.total = children.len() as u32;
    for (chunk, edges) in children.chunks(limits::DEPENDENTS_PER_CHUNK).enumerate() {
        let key = RecordKey::Dependents(task.id, chunk as u32);
        draft.put(key, Record::Dependents(Arc::new(edges.to_vec())));
    }
    draft.event(&task, EventKind::Submitted, None);
    match failed {
        Some(parent) => unsatisfied(draft, &mut task, Some(parent))?,
        None => place(draft, &mut task)?,
    }
    draft.put_task(task);
    Ok(())
}

/// The new tasks and the edges among them.
struct Graph {
    /// Dependencies of each task, with ids of earlier submissions put in.
    edges: Vec<Vec<Dependency>>,
    positions: BTreeMap<TaskId, usize>,
    ordered: Vec<usize>,
    ranks: Vec<u16>,
}

impl Graph {
    fn of(fresh: &[&NewTask], asked: &[NewTask], ids: &[TaskId]) -> Result<Self, Rejection> {
        let mut positions = BTreeMap::new();
        for (at, task) in fresh.iter().enumerate() {
            if positions.insert(task.id, at).is_some() {
                let problem = format!("{} is the id of two tasks", task.id);
                return Err(Rejection::invalid(
                    "id",
                    problem,
                    "every task has its own id",
                ));
            }
        }
        let known: BTreeMap<_, _> = asked
            .iter()
            .map(|t| t.id)
            .zip(ids.iter().copied())
            .collect();
        let resolve = |edge: &Dependency| Dependency {
            task: known.get(&edge.task).copied().unwrap_or(edge.task),
            on: edge.on,
        };
        let resolved = |task: &&NewTask| {
            let mut seen = BTreeSet::new();
            let edges = task.dependencies.iter().map(resolve);
            edges.filter(|edge| seen.insert(*edge)).collect()
        };
        let edges: Vec<Vec<_>> = fresh.iter().map(resolved).collect();
        let parents: Vec<Vec<usize>> = edges
            .iter()
            .map(|edges| {
                edges
                    .iter()
                    .filter_map(|e| positions.get(&e.task).copied())
                    .collect()
            })
            .collect();
        let ordered = policy::order(&parents).map_err(|cycle| Rejection::Cycle {
            path: cycle.into_iter().map(|at| fresh[at].called()).collect(),
        })?;
        let costs: Vec<_> = fresh
            .iter()
            .map(|t| t.expected.map(Millis::as_millis))
            .collect();
        let ranks = policy::ranks(&parents, &ordered, &costs);
        Ok(Self {
            edges,
            positions,
            ordered,
            ranks,
        })
    }

    fn create(
        self,
        draft: &mut Draft<'_>,
        fresh: &[&NewTask],
        workflow: Option<WorkflowId>,
    ) -> Step<()> {
        let here = draft.view.partition;
        let outside = self.edges.iter().flatten().map(|edge| edge.task);
        let outside: BTreeSet<_> = outside
            .filter(|id| id.partition() == here && !self.positions.contains_key(id))
            .collect();
        draft.need(outside.iter().copied().map(RecordKey::Task))?;
        let lists = outside.into_iter().map(|id| dependents_end(draft, id));
        draft.need(lists.collect::<Step<Vec<_>>>()?.into_iter().flatten())?;
        let mut children = vec![Vec::new(); fresh.len()];
        for (at, edges) in self.edges.iter().enumerate() {
            for edge in edges {
                if let Some(parent) = self.positions.get(&edge.task) {
                    children[*parent].push(Dependency {
                        task: fresh[at].id,
                        on: edge.on,
                    });
                }
            }
        }
        for at in &self.ordered {
            let new = fresh[*at];
            let rank = workflow.is_some().then(|| self.ranks[*at]);
            let mut task = build(draft, new, workflow, rank);
            let failed = self.depend(draft, new, &mut task, &self.edges[*at])?;
            admit(draft, task, &children[*at], failed)?;
        }
        Ok(())
    }

    /// Makes `task` wait for its parents; returns the end of one that cannot satisfy it.
    fn depend(
        &self,
        draft: &mut Draft<'_>,
        new: &NewTask,
        task: &mut Task,
        edges: &[Dependency],
    ) -> Step<Option<Status>> {
        let mut failed = None;
        for edge in edges {
            let parent = edge.task;
            let child = Dependency {
                task: task.id,
                on: edge.on,
            };
            if self.positions.contains_key(&parent) {
                task.dependencies.pending += 1;
            } else if parent.partition() != task.id.partition() {
                task.dependencies.pending += 1;
                let waits = Dependency {
                    task: parent,
                    on: edge.on,
                };
                draft.put(RecordKey::Waits(task.id, parent), Record::Waits(waits));
                draft.message(Message::Watch {
                    parent,
                    child: task.id,
                    on: edge.on,
                });
            } else {
                match draft.find_task(parent)?.map(|known| known.status) {
                    None => {
                        let task = new.called();
                        return Err(Rejection::DependencyNotFound {
                            task,
                            dependency: parent,
                        }
                        .into());
                    }
                    Some(status) if !status.is_terminal() => {
                        task.dependencies.pending += 1;
                        add_dependent(draft, parent, child)?;
                    }
                    Some(status) if edge.on.is_satisfied_by(status) => {}
                    Some(status) => failed = Some(status),
                }
            }
        }
        keep_dependencies(draft, task, edges);
        Ok(failed)
    }
}

fn keep_dependencies(draft: &mut Draft<'_>, task: &mut Task, edges: &[Dependency]) {
    task.dependencies.total = edges.len() as u32;
    if edges.len() <= limits::INLINE_DEPENDENCIES {
        task.dependencies.inline = edges.to_vec();
        return;
    }
    for (chunk, edges) in edges.chunks(limits::BATCH_ITEMS).enumerate() {
        let key = RecordKey::Dependencies(task.id, chunk as u32);
        draft.put(key, Record::Dependencies(Arc::new(edges.to_vec())));
    }
}

/// The record that the next dependent of a live task is written to.
fn dependents_end(draft: &Draft<'_>, parent: TaskId) -> Step<Option<RecordKey>> {
    let live = draft.find_task(parent)?.filter(|t| !t.status.is_terminal());
    Ok(live.map(|t| RecordKey::Dependents(parent, t.dependents.end())))
}

/// Lets `edge.task` be told when the live task `parent` ends. An edge that was just added is
/// not added again; an older one may be, which does no harm: a child is told once.
pub(super) fn add_dependent(draft: &mut Draft<'_>, parent: TaskId, edge: Dependency) -> Step<()> {
    let mut task = draft.task(parent)?;
    let chunk = task.dependents.end();
    let mut edges = crate::rules::dependents(draft, parent, chunk)?;
    if edges.contains(&edge) {
        return Ok(());
    }
    if task.dependents.total as usize >= limits::TASK_DEPENDENTS {
        return Err(Rejection::LimitExceeded {
            what: format!("the tasks that depend on {parent}"),
            limit: limits::TASK_DEPENDENTS as u64,
        }
        .into());
    }
    edges.push(edge);
    draft.put(
        RecordKey::Dependents(parent, chunk),
        Record::Dependents(Arc::new(edges)),
    );
    task.dependents.total += 1;
    draft.put_task(task);
    Ok(())
}
