//! Reads requests and responses of `/v1` as the history tells them.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, Request, Response};
use russet::wire::{
    self, Batched, CancelledWorkflowView, CompleteLease, ConfigureQueue, ExtendLease, ExtendedView,
    FailLease, LeaseReply, LeaseRequest, OneOrMany, Problem, RedriveTask, RedriveTasks,
    RedriveWorkflow, RedrivenView, RedrivenWorkflowView, ReleaseLease, Results, SubmitTask,
    SubmittedView, SubmittedWorkflowView, TaskNowView, TaskView,
};
use russet_core::{ErrorKind, TaskId, WorkflowId};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::history::{Answer, Ask, Granted};

/// What a request asks for, an entry for each item of a batch.
pub fn asks(request: &Request<Bytes>) -> Arc<[Ask]> {
    let body = request.body();
    let parts: Vec<&str> = request
        .uri()
        .path()
        .trim_start_matches("/v1/")
        .split('/')
        .collect();
    let none = TaskId::from_u128(0);
    let id = |text: &str| text.parse().unwrap_or(none);
    let whole = |text: &str| text.parse().unwrap_or(WorkflowId::from(none));
    let get = *request.method() == Method::GET;
    match parts.as_slice() {
        ["tasks"] if !get => each(body, |task: SubmitTask| Ask::Submit(Box::new(task))),
        ["workflows"] => one(body, |workflow| Ask::SubmitWorkflow(Box::new(workflow))),
        ["workflows", workflow, "cancel"] => [Ask::CancelWorkflow(whole(workflow))].into(),
        ["workflows", workflow, "redrive"] => {
            one(body, |redrive: RedriveWorkflow| Ask::RedriveWorkflow {
                workflow: whole(workflow),
                request_id: redrive.request_id,
                cancelled: redrive.cancelled,
            })
        }
        ["tasks", "redrive"] => one(body, |redrive: RedriveTasks| Ask::RedriveAll {
            queue: redrive.queue,
            request_id: redrive.request_id,
        }),
        ["tasks", task] | ["tasks", task, "wait"] => [Ask::Get(id(task))].into(),
        ["tasks", task, "cancel"] => [Ask::Cancel(id(task))].into(),
        ["tasks", task, "redrive"] => one(body, |redrive: RedriveTask| Ask::Redrive {
            task: id(task),
            request_id: redrive.request_id,
            cancelled: redrive.cancelled,
        }),
        ["tasks", task, "purge"] => [Ask::Purge(id(task))].into(),
        ["leases"] => one(body, |lease: LeaseRequest| Ask::Lease {
            queues: lease.queues,
            max: lease.max.unwrap_or(1),
            lease_ms: lease.visibility_timeout_ms,
        }),
        ["leases", "extend"] => each(body, |extend: ExtendLease| Ask::Extend {
            task: extend.task,
            lease: extend.lease_id,
            lease_ms: extend.visibility_timeout_ms,
            progress: extend.progress,
        }),
        ["leases", "complete"] => each(body, |complete: CompleteLease| Ask::Complete {
            task: complete.task,
            lease: complete.lease_id,
            follow_ups: complete.follow_ups,
        }),
        ["leases", "fail"] => each(body, |fail: FailLease| Ask::Fail {
            task: fail.task,
            lease: fail.lease_id,
            kind: fail.kind.unwrap_or(ErrorKind::Failed),
            retry_after_ms: fail.retry_after_ms,
        }),
        ["leases", "release"] => each(body, |release: ReleaseLease| Ask::Release {
            task: release.task,
            lease: release.lease_id,
            delay_ms: release.delay_ms,
        }),
        ["queues", queue, verb @ ("pause" | "resume")] => [Ask::Configure {
            queue: (*queue).to_owned(),
            change: ConfigureQueue {
                paused: Some(*verb == "pause"),
                ..ConfigureQueue::default()
            },
        }]
        .into(),
        ["queues", queue] if !get => one(body, |change| Ask::Configure {
            queue: (*queue).to_owned(),
            change,
        }),
        _ => [Ask::Look].into(),
    }
}

fn one<T: DeserializeOwned>(body: &[u8], ask: impl FnOnce(T) -> Ask) -> Arc<[Ask]> {
    match wire::from_json(body) {
        Ok(request) => [ask(request)].into(),
        Err(_) => [Ask::Look].into(),
    }
}

fn each<T>(body: &[u8], ask: impl Fn(T) -> Ask) -> Arc<[Ask]>
where
    T: Batched + for<'de> Deserialize<'de>,
{
    match wire::from_json(body) {
        Ok(OneOrMany::One(item)) => [ask(*item)].into(),
        Ok(OneOrMany::Many(items)) => {
            let items = items.iter().map(wire::Json::parse);
            items.map(|item| item.map_or(Ask::Look, &ask)).collect()
        }
        Err(_) => [Ask::Look].into(),
    }
}

/// What a response answers to each of `asks`.
pub fn answers(asks: &[Ask], response: &Response<Bytes>) -> Vec<Answer> {
    let body = response.body();
    if !response.status().is_success() {
        let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        return vec![refused(&problem); asks.len()];
    }
    match asks.first() {
        Some(Ask::Submit(_)) => several(asks, body, |view: SubmittedView| Answer::Submitted {
            task: Some(view.task),
            workflow: None,
            existing: view.existing,
        }),
        Some(Ask::SubmitWorkflow(_)) => several(asks, body, |view: SubmittedWorkflowView| {
            Answer::Submitted {
                task: None,
                workflow: Some(view.workflow),
                existing: view.existing,
            }
        }),
        Some(Ask::Lease { .. }) => several(asks, body, |reply: LeaseReply| {
            Answer::Leased(reply.tasks.iter().filter_map(granted).collect())
        }),
        Some(Ask::Extend { .. }) => several(asks, body, |view: ExtendedView| Answer::Extended {
            expires_at: view.lease_expires_at.timestamp(),
            cancel_requested: view.cancel_requested,
        }),
        Some(Ask::Get(_)) => several(asks, body, |view: TaskView| Answer::Task(Box::new(view))),
        Some(Ask::CancelWorkflow(_)) => several(asks, body, |view: CancelledWorkflowView| {
            let (cancelled, asked) = (view.cancelled, view.asked);
            Answer::WorkflowCancelled { cancelled, asked }
        }),
        Some(Ask::RedriveWorkflow { .. }) => several(asks, body, |view: RedrivenWorkflowView| {
            let refusals = view.refusals.into_iter();
            Answer::WorkflowRedriven {
                redriven: view.redriven,
                refused: view.refused,
                refusals: refusals.map(|one| (one.task, one.code)).collect(),
            }
        }),
        Some(Ask::RedriveAll { .. }) => several(asks, body, |view: RedrivenView| {
            Answer::Redriven(view.redriven)
        }),
        Some(Ask::Configure { .. } | Ask::Look) | None => vec![Answer::Done; asks.len()],
        Some(_) => several(asks, body, |view: TaskNowView| Answer::Now {
            status: view.status,
            attempt: view.attempt,
        }),
    }
}

fn granted(view: &TaskView) -> Option<Granted> {
    Some(Granted {
        task: view.id,
        attempt: view.attempt,
        lease: view.lease_id?,
        lasts_ms: view.visibility_timeout_ms,
    })
}

fn refused(problem: &Problem) -> Answer {
    Answer::Refused {
        code: problem.code.clone(),
        status: problem.status,
    }
}

fn several<T: DeserializeOwned>(
    asks: &[Ask],
    body: &[u8],
    answer: impl Fn(T) -> Answer,
) -> Vec<Answer> {
    if let Ok(reply) = serde_json::from_slice::<Results<T>>(body) {
        let results = reply.results.into_iter();
        let answers = results.map(|item| match item.into_result() {
            Ok(view) => answer(view),
            Err(problem) => refused(&problem),
        });
        return answers.collect();
    }
    match serde_json::from_slice(body) {
        Ok(view) => vec![answer(view)],
        Err(_) => vec![Answer::Lost; asks.len()],
    }
}
