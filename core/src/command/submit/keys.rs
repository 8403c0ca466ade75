//! What ids and idempotency keys name, and when a request is the same.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{NewTask, When};
use crate::draft::{Draft, Step};
use crate::policy::Fingerprint;
use crate::rules::dependencies;
use crate::{
    Dedup, Dependency, Idempotency, Named, Record, RecordKey, Rejection, Task, TaskId, Window,
    WorkflowId, codec,
};

/// Asks at once for what the keys of `tasks` name.
pub(super) fn need_named(draft: &Draft<'_>, tasks: &[NewTask]) -> Step<()> {
    let keys = tasks.iter().filter_map(|task| task.idempotency.as_ref());
    let keys: Vec<_> = keys
        .map(|known| RecordKey::Dedup(known.key.clone()))
        .collect();
    draft.need(keys.iter().cloned())?;
    let named = keys.iter().map(|key| match draft.get(key)? {
        Some(Record::Dedup(known)) if known.window == Window::WhileLive => Ok(Some(known.named)),
        _ => Ok(None),
    });
    let named = named.collect::<Step<Vec<_>>>()?;
    draft.need(named.into_iter().flatten().map(|named| match named {
        Named::Task(id) => RecordKey::Task(id),
        Named::Workflow(id) => RecordKey::Workflow(id),
    }))
}

/// The task that was submitted before under the same id or key.
pub(super) fn submitted_before(
    draft: &mut Draft<'_>,
    task: &NewTask,
    workflow: Option<WorkflowId>,
    places: &Places,
) -> Step<Option<TaskId>> {
    if let Some(known) = draft.find_task(task.id)? {
        let same = is_same(known, task)
            && known.workflow == workflow
            && known.idempotency.as_deref() == task.idempotency.as_ref();
        return if same {
            Ok(Some(task.id))
        } else {
            Err(other_under_id(task.id).into())
        };
    }
    let Some(idempotency) = &task.idempotency else {
        return Ok(None);
    };
    let request = fingerprint(core::slice::from_ref(task), places);
    match named(draft, idempotency, request, Some((task, places)))? {
        Some(Named::Task(id)) => Ok(Some(id)),
        _ => {
            name(draft, idempotency, Named::Task(task.id), request);
            Ok(None)
        }
    }
}

pub(in crate::command) fn other_under_id(id: TaskId) -> Rejection {
    Rejection::IdempotencyConflict {
        what: "id".into(),
        existing: id,
    }
}

/// Whether `task` asks for what `known` is, as far as a stored task says: its times change once
/// it has started, and `label` and `expected` are not kept.
fn is_same(known: &Task, task: &NewTask) -> bool {
    let untouched = known.attempt == 0 && known.redriven_by.is_none();
    let asked_for = |when: Option<When>| when.map(|when| when.from(known.created_at));
    let same_times =
        known.scheduled_at == asked_for(task.start) && known.expires_at == asked_for(task.expires);
    known.kind == task.kind
        && known.queue == task.queue
        && known.payload == task.payload
        && known.priority == task.priority.unwrap_or(NewTask::PRIORITY)
        && known.retry == task.retry
        && (same_times || !untouched)
        && known.lease_duration == task.lease_duration
        && known.timeout == task.timeout
        && known.retention == task.retention
        && known.if_unsatisfied == task.if_unsatisfied
        && known.resources == task.resources
        && *known.metadata == *task.metadata
        && known.partition_key.as_deref() == task.partition_key.as_ref()
}

/// Refuses `tasks` that were submitted before under the same id with other dependencies. `ids`
/// are those under which the tasks were accepted.
pub(super) fn same_dependencies(draft: &Draft<'_>, tasks: &[NewTask], ids: &[TaskId]) -> Step<()> {
    let mut accepted = None;
    for task in tasks {
        let Some(known) = draft.find_task(task.id)? else {
            continue;
        };
        if task.dependencies.is_empty() && known.dependencies.total == 0 {
            continue;
        }
        let accepted: &BTreeMap<_, _> = accepted.get_or_insert_with(|| {
            tasks
                .iter()
                .map(|t| t.id)
                .zip(ids.iter().copied())
                .collect()
        });
        let asked = task.dependencies.iter().map(|edge| Dependency {
            task: accepted.get(&edge.task).copied().unwrap_or(edge.task),
            on: edge.on,
        });
        if !waits_for(draft, known, &asked.collect())? {
            return Err(other_under_id(task.id).into());
        }
    }
    Ok(())
}

/// Whether `known` was submitted with exactly these dependencies.
fn waits_for(draft: &Draft<'_>, known: &Task, edges: &BTreeSet<Dependency>) -> Step<bool> {
    if known.dependencies.total as usize != edges.len() {
        return Ok(false);
    }
    let known = dependencies(draft, known)?;
    Ok(known.iter().all(|edge| edges.contains(edge)))
}

/// The id under which `task` was accepted: its own, or what its key names.
pub(in crate::command) fn under_which_id(draft: &Draft<'_>, task: &NewTask) -> Step<TaskId> {
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

/// What a key names now; a different request under the same key is refused. `asked` is the
/// request when it is for one task, and where the tasks of its command stand: what the key
/// names among those it names whatever became of it, so that the command can be repeated.
pub(super) fn named(
    draft: &Draft<'_>,
    idempotency: &Idempotency,
    request: u128,
    asked: Option<(&NewTask, &Places)>,
) -> Step<Option<Named>> {
    let key = RecordKey::Dedup(idempotency.key.clone());
    let Some(Record::Dedup(known)) = draft.get(&key)? else {
        return Ok(None);
    };
    let own = match (known.named, asked) {
        (Named::Task(id), Some((_, places))) => places.contains_key(&id),
        _ => false,
    };
    if !own && !holds(draft, &key, known)? {
        return Ok(None);
    }
    let same = match (known.request, known.named, asked) {
        (Dedup::UNKNOWN, Named::Task(id), Some((asked, _))) => match draft.find_task(id)? {
            Some(task) => {
                let edges = asked.dependencies.iter().copied().collect();
                is_same(task, asked) && waits_for(draft, task, &edges)?
            }
            None => false,
        },
        (Dedup::UNKNOWN, ..) => false,
        (known, ..) => known == request,
    };
    if same {
        return Ok(Some(known.named));
    }
    let what = format!("idempotency key {}", idempotency.key);
    let existing = id_of(known.named);
    Err(Rejection::IdempotencyConflict { what, existing }.into())
}

/// Whether a key still names what its record says.
fn holds(draft: &Draft<'_>, key: &RecordKey, known: &Dedup) -> Step<bool> {
    Ok(match (known.window, known.named) {
        _ if draft.is_written(key) => true,
        (Window::For(window), _) if crate::planted!(KeyFreedEarly) => {
            draft.now < known.created_at + crate::Millis::new(window.as_millis() / 2)
        }
        (Window::For(window), _) => draft.now < known.created_at + window,
        (Window::WhileLive, Named::Task(id)) => draft
            .find_task(id)?
            .is_some_and(|t| !t.status.is_terminal()),
        (Window::WhileLive, Named::Workflow(id)) => {
            draft.workflow(id)?.is_some_and(|w| w.live() > 0)
        }
    })
}

fn id_of(named: Named) -> TaskId {
    match named {
        Named::Task(id) => id,
        Named::Workflow(id) => TaskId::from_u128(id.as_u128()),
    }
}

/// Lets a key that names what is live name `own` again, which comes back to life. Refused while
/// it names something else.
pub(in crate::command) fn take_back(
    draft: &mut Draft<'_>,
    idempotency: &Idempotency,
    own: Named,
) -> Step<()> {
    if idempotency.window != Window::WhileLive {
        return Ok(());
    }
    let key = RecordKey::Dedup(idempotency.key.clone());
    if let Some(Record::Dedup(known)) = draft.get(&key)? {
        if known.named == own {
            // Whoever gives the key to another task meanwhile, since this one had ended, conflicts.
            let same = Record::Dedup(known.clone());
            draft.put(key, same);
            return Ok(());
        }
        if holds(draft, &key, known)? {
            return Err(Rejection::KeyTaken {
                key: idempotency.key.clone(),
                existing: id_of(known.named),
            }
            .into());
        }
    }
    name(draft, idempotency, own, Dedup::UNKNOWN);
    Ok(())
}

pub(super) fn name(draft: &mut Draft<'_>, idempotency: &Idempotency, named: Named, request: u128) {
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
pub(super) type Places = BTreeMap<TaskId, usize>;

pub(super) fn places(tasks: &[NewTask]) -> Places {
    tasks.iter().enumerate().map(|(at, t)| (t.id, at)).collect()
}

/// A fingerprint of the tasks as they are asked for, with their ids.
pub(super) fn members(tasks: &[NewTask]) -> u128 {
    let mut hash = Fingerprint::new();
    for task in tasks {
        hash.add(&codec::encode(task));
    }
    hash.finish()
}

/// A fingerprint of what is asked for, whatever ids it is asked for under.
pub(super) fn fingerprint(tasks: &[NewTask], places: &Places) -> u128 {
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
