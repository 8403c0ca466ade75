//! No task exists, runs or ends that nobody submitted.

use std::collections::{BTreeMap, BTreeSet};

use russet_core::{
    ErrorKind, LeaseEnd, LeaseId, Record, RecordKey, Status, Task, TaskId, WorkflowId,
};

use super::Violation;
use super::calls::Item;
use super::facts::Facts;
use super::findings::Findings;
use super::names::{Names, Request};
use super::timeline::{Moment, named};
use crate::history::{Ask, What, redrive_number};

pub(super) const PROMISE: &str = "no-ghost";

/// The queue of tasks that name none.
const DEFAULT_QUEUE: &str = russet::wire::DEFAULT_QUEUE;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut findings = Findings::of(PROMISE);
    let keys = workflow_keys(facts);
    for (id, moment) in facts.moments() {
        if let Some(task) = moment.created() {
            asked_for(&facts.names, &keys, task, moment, &mut findings);
        }
        ended(facts, id, moment, &mut findings);
        revived(facts, moment, &mut findings);
    }
    handlers(facts, &mut findings);
    findings.done()
}

/// The key of each workflow that has one.
fn workflow_keys<'a>(facts: &Facts<'a>) -> BTreeMap<WorkflowId, &'a str> {
    let changes = facts
        .commits
        .iter()
        .flat_map(|commit| &commit.stored.changes);
    let keyed = changes.filter_map(|change| match (&change.key, &change.after) {
        (RecordKey::Workflow(id), Some(Record::Workflow(workflow))) => {
            let known = workflow.idempotency.as_ref()?;
            Some((*id, known.key.as_str()))
        }
        _ => None,
    });
    keyed.collect()
}

/// Somebody asked for a task like this before it was there.
fn asked_for(
    names: &Names<'_>,
    keys: &BTreeMap<WorkflowId, &str>,
    task: &Task,
    moment: &Moment<'_>,
    findings: &mut Findings,
) {
    let key = match task.workflow {
        Some(workflow) => keys.get(&workflow).copied(),
        None => task.idempotency.as_deref().map(|known| known.key.as_str()),
    };
    let mut asked = None;
    for request in names.requests(task.id, key, task.workflow, moment.entry) {
        if is_as_asked(task, request) {
            return;
        }
        asked = asked.or(Some(request.asked));
    }
    // A follow-up with a key joins the workflow of its parent.
    let own = task.idempotency.as_deref().map(|known| known.key.as_str());
    let mut joined = names.requests(task.id, own, None, moment.entry);
    if joined.any(|request| is_as_asked(task, request)) {
        return;
    }
    let (id, at) = (task.id, moment.entry);
    match asked {
        Some(asked) => {
            let what = format!("task {id} is not what was asked for under its id or key");
            findings.add(what, &[asked, at]);
        }
        None => findings.add(format!("task {id} exists and nobody asked for it"), &[at]),
    }
}

/// Whether a new task is what the request says.
fn is_as_asked(task: &Task, request: &Request<'_>) -> bool {
    let asked = request.task;
    let defaults = request
        .workflow
        .and_then(|workflow| workflow.defaults.as_ref());
    let kind = match asked.kind.as_str() {
        "" => defaults.and_then(|d| d.kind.as_deref()).unwrap_or_default(),
        own => own,
    };
    let queue = asked
        .queue
        .as_deref()
        .or(defaults.and_then(|d| d.queue.as_deref()));
    let priority = asked.priority.or(defaults.and_then(|d| d.priority));
    let retries = asked.max_retries.or(defaults.and_then(|d| d.max_retries));
    let lease = asked.visibility_timeout_ms;
    let timeout = asked.timeout_ms.or(defaults.and_then(|d| d.timeout_ms));
    let payload = asked.payload.as_ref().map_or("", |json| json.as_str());
    task.kind.as_str() == kind
        && task.queue.as_str() == queue.unwrap_or(DEFAULT_QUEUE)
        && task.priority == priority.unwrap_or(4)
        && task.retry.max_retries == retries.unwrap_or(10)
        && lease.is_none_or(|ms| task.lease_duration.as_millis() == ms)
        && task.timeout.map(|timeout| timeout.as_millis()) == timeout
        && *task.payload == *payload.as_bytes()
        && task.dependencies.total as usize >= asked.dependencies.len().max(asked.depends_on.len())
}

/// Somebody asked for the end of a lease and of a task, or time ran out.
fn ended(facts: &Facts<'_>, id: TaskId, moment: &Moment<'_>, findings: &mut Findings) {
    if let Some((lease, end)) = moment.ended() {
        let reported = |item: &Item<'_>| item.asked < moment.entry && reports(item.ask, end);
        if end != LeaseEnd::Expired && !facts.calls.of_lease(lease.id).any(reported) {
            let what =
                format!("a lease of task {id} ended as {end:?}, and its holder never said so");
            findings.add(what, &[moment.entry]);
        }
    }
    let Some(task) = moment
        .finished()
        .filter(|task| task.status == Status::Cancelled)
    else {
        return;
    };
    let mut asked = facts.calls.cancels_of(task, moment.entry);
    let by_itself = matches!(
        error(task),
        Some(ErrorKind::DependencyUnsatisfied | ErrorKind::NotNeeded)
    );
    if !by_itself && asked.next().is_none() {
        let what = format!("task {id} was cancelled and nobody asked for that");
        findings.add(what, &[moment.entry]);
    }
}

/// Somebody asked for the new life of a task, and for what was cancelled by its own wish too.
fn revived(facts: &Facts<'_>, moment: &Moment<'_>, findings: &mut Findings) {
    let (Some(before), Some(task)) = (moment.before, moment.redriven()) else {
        return;
    };
    let asks = facts.calls.redrives_of(task, moment.entry);
    let is_this = |ask: &Ask| match ask {
        Ask::Redrive { request_id, .. } => request_id
            .as_deref()
            .is_none_or(|id| task.redriven_by == Some(redrive_number(id))),
        _ => false,
    };
    if !asks.iter().any(is_this) {
        let what = format!(
            "task {} came back to life and nobody asked for that",
            task.id
        );
        findings.add(what, &[moment.entry]);
    }
    let let_down = error(before) == Some(ErrorKind::DependencyUnsatisfied);
    let meant = |ask: &Ask| {
        matches!(
            ask,
            Ask::Redrive {
                cancelled: true,
                ..
            }
        )
    };
    if before.status == Status::Cancelled && !let_down && !asks.iter().any(meant) {
        let what = format!(
            "task {} came back to life, and nobody asked for what had been cancelled",
            task.id
        );
        findings.add(what, &[moment.entry]);
    }
}

fn error(task: &Task) -> Option<ErrorKind> {
    task.last_error.as_ref().map(|error| error.kind)
}

fn reports(ask: &Ask, end: LeaseEnd) -> bool {
    match ask {
        Ask::Complete { .. } => end == LeaseEnd::Completed,
        Ask::Fail { .. } => end == LeaseEnd::Failed,
        Ask::Release { .. } => end == LeaseEnd::Released,
        _ => false,
    }
}

/// No handler begins what was not granted, and none ends what it did not begin.
fn handlers(facts: &Facts<'_>, findings: &mut Findings) {
    let mut granted: BTreeMap<LeaseId, (TaskId, u64, usize)> = BTreeMap::new();
    for (id, moment) in facts.moments() {
        if let Some((task, lease)) = moment.granted() {
            granted.insert(lease.id, (id, task.attempt, moment.entry));
        }
    }
    let mut begun = BTreeSet::new();
    for (position, entry) in facts.run.entries.iter().enumerate() {
        match &entry.what {
            What::Began {
                worker,
                task,
                attempt,
                lease,
            } => {
                begun.insert((*worker, *task, *attempt));
                let known = granted.get(lease);
                if known.is_none_or(|(id, n, at)| (id, n) != (task, attempt) || *at > position) {
                    let what = format!(
                        "{worker} began {} which the store never granted",
                        named(*task, *attempt)
                    );
                    findings.add(what, &[position]);
                }
            }
            What::Did {
                worker,
                task,
                attempt,
            } if !begun.contains(&(*worker, *task, *attempt)) => {
                let what = format!(
                    "{worker} did {} without having begun it",
                    named(*task, *attempt)
                );
                findings.add(what, &[position]);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
