//! What ids and idempotency keys name, and when a request is the same.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::NewTask;
use crate::draft::{Draft, Step};
use crate::policy::Fingerprint;
use crate::{
    Dedup, Idempotency, Named, Record, RecordKey, Rejection, TaskId, Window, WorkflowId, codec,
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
        let same = known.kind == task.kind
            && known.queue == task.queue
            && known.payload == task.payload
            && known.workflow == workflow
            && known.priority == task.priority.unwrap_or(NewTask::PRIORITY)
            && known.retry == task.retry
            && known.lease_duration == task.lease_duration
            && known.timeout == task.timeout
            && known.resources == task.resources
            && *known.metadata == *task.metadata
            && known.partition_key.as_deref() == task.partition_key.as_ref()
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

/// What a key names now; a different request under the same key is refused.
pub(super) fn named(
    draft: &Draft<'_>,
    idempotency: &Idempotency,
    request: u128,
) -> Step<Option<Named>> {
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

/// A fingerprint of the tasks' ids.
pub(super) fn members(tasks: &[NewTask]) -> u128 {
    let mut hash = Fingerprint::new();
    for task in tasks {
        hash.add(&task.id.as_u128().to_be_bytes());
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
