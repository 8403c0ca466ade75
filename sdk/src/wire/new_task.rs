//! A submission, checked and as `core` takes it.

use std::collections::BTreeMap;

use bytes::Bytes;
use russet_core::command::When;
use russet_core::limits::RESOURCE_AMOUNT;
use russet_core::{
    Dependency, Idempotency, IdempotencyKey, Label, Millis, NameError, NewTask, PartitionKey,
    QueueName, Rejection, ResourceName, Resources, RetryPolicy, TaskId, TaskType, Window,
};
use russet_engine::Scheduler;
use serde_json::value::RawValue;

use super::submit::{RetryView, SubmitTask, WindowView};
use super::{DependsOn, Json, Time, id};

/// The queue of tasks that name none.
pub const DEFAULT_QUEUE: &str = "default";

impl SubmitTask {
    /// The task as `core` takes it, under its own id or a new one.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] with the field that cannot be.
    pub fn into_new_task(self, scheduler: &Scheduler) -> Result<NewTask, Rejection> {
        if !self.depends_on.is_empty() {
            return Err(Rejection::invalid(
                "depends_on",
                "names tasks of a workflow, and this task is of none",
                "dependencies with task ids, or a workflow",
            ));
        }
        let key = key("idempotency_key", self.idempotency_key.as_deref())?;
        let place = key_of_partition(self.partition_key.as_deref())?;
        let drawn = scheduler.new_task_id(key.as_ref(), place.as_ref());
        let id = self.id.unwrap_or(drawn);
        if (key.is_some() || place.is_some()) && id.partition() != drawn.partition() {
            return Err(Rejection::invalid(
                "id",
                format!("names partition {}", id.partition().0),
                format!("partition {}, which the key chooses", drawn.partition().0),
            ));
        }
        self.build(id, Vec::new())
    }

    /// The task under the id `own`, waiting for `named` beside its own dependencies.
    pub(super) fn build(
        self,
        own: TaskId,
        mut named: Vec<Dependency>,
    ) -> Result<NewTask, Rejection> {
        let queue = self.queue.as_deref().unwrap_or(DEFAULT_QUEUE);
        let queue = QueueName::new(queue).map_err(|e| refused("queue", e))?;
        let kind = task_type(&self.kind)?;
        let label = match &self.name {
            Some(name) => Some(Label::new(name).map_err(|e| refused("name", e))?),
            None => None,
        };
        for edge in self.dependencies.iter().enumerate() {
            named.push(dependency(edge)?);
        }
        let mut task = NewTask::new(own, kind, queue, bytes(self.payload));
        task.label = label;
        task.priority = self.priority;
        task.retry = retry(self.max_retries, self.retry);
        task.start = when("delay_ms", self.delay_ms, "scheduled_at", self.scheduled_at)?;
        let (within, by) = (self.expires_in_ms, self.expires_at);
        task.expires = when("expires_in_ms", within, "expires_at", by)?;
        task.lease_duration = self
            .visibility_timeout_ms
            .map_or(NewTask::LEASE_DURATION, Millis::new);
        task.timeout = self.timeout_ms.map(Millis::new);
        task.retention = self.retention_ms.map(Millis::new);
        task.dependencies = named;
        task.if_unsatisfied = self.if_unsatisfied.unwrap_or_default();
        task.resources = needs(self.resource_requirements)?;
        task.idempotency = idempotency(self.idempotency_key, self.idempotency_window_ms)?;
        task.partition_key = key_of_partition(self.partition_key.as_deref())?;
        task.metadata = metadata(self.metadata, self.name.as_deref())?;
        task.expected = self.expected_ms.map(Millis::new);
        Ok(task)
    }
}

fn dependency((at, edge): (usize, &DependsOn)) -> Result<Dependency, Rejection> {
    Ok(Dependency {
        task: id(&format!("dependencies[{at}]"), &edge.task)?,
        on: edge.on,
    })
}

fn task_type(text: &str) -> Result<TaskType, Rejection> {
    TaskType::new(text).map_err(|error| match text {
        "" => {
            let problem = "is missing or empty, and it is required";
            Rejection::invalid("type", problem, error.rule)
        }
        _ => refused("type", error),
    })
}

/// A name that cannot be, as a refused field.
pub fn refused(field: &str, error: NameError) -> Rejection {
    let NameError { what, text, rule } = error;
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    Rejection::invalid(field, format!("{text:?} is not {article} {what}"), rule)
}

fn bytes(json: Option<Json>) -> Bytes {
    json.map(Bytes::from).unwrap_or_default()
}

fn retry(max_retries: Option<u32>, view: Option<RetryView>) -> RetryPolicy {
    let (view, mut policy) = (view.unwrap_or_default(), RetryPolicy::default());
    if let Some(ms) = view.backoff_ms {
        policy = policy.with_backoff(Millis::new(ms));
    }
    RetryPolicy {
        max_retries: max_retries.unwrap_or(policy.max_retries),
        backoff_cap: view.backoff_cap_ms.map_or(policy.backoff_cap, Millis::new),
        jitter_percent: view.jitter_percent.unwrap_or(policy.jitter_percent),
        ..policy
    }
}

fn when(
    in_field: &str,
    after: Option<u64>,
    at_field: &str,
    at: Option<Time>,
) -> Result<Option<When>, Rejection> {
    match (after, at) {
        (Some(_), Some(_)) => Err(Rejection::invalid(
            at_field,
            format!("stands beside {in_field}"),
            "one of the two",
        )),
        (Some(ms), None) => Ok(Some(When::In(Millis::new(ms)))),
        (None, at) => Ok(at.map(|at| When::At(at.timestamp()))),
    }
}

/// What a task needs: an amount of nothing would give it a lane of its own for no reason.
fn needs(amounts: BTreeMap<String, u64>) -> Result<Resources, Rejection> {
    if let Some((name, _)) = amounts.iter().find(|(_, amount)| **amount == 0) {
        return Err(Rejection::invalid(
            format!("resource_requirements.{name}"),
            "0 is nothing to need",
            format!("1 to {RESOURCE_AMOUNT}, or leave it out"),
        ));
    }
    resources("resource_requirements", amounts)
}

pub(super) fn resources(
    field: &str,
    amounts: BTreeMap<String, u64>,
) -> Result<Resources, Rejection> {
    let checked = amounts.into_iter().map(|(name, amount)| {
        let name = ResourceName::new(&name).map_err(|e| refused(field, e))?;
        Ok((name, amount))
    });
    checked.collect()
}

fn key(field: &str, text: Option<&str>) -> Result<Option<IdempotencyKey>, Rejection> {
    let key = text.map(IdempotencyKey::new).transpose();
    key.map_err(|e| refused(field, e))
}

pub(super) fn key_of_partition(text: Option<&str>) -> Result<Option<PartitionKey>, Rejection> {
    let key = text.map(PartitionKey::new).transpose();
    key.map_err(|e| refused("partition_key", e))
}

pub(super) fn idempotency(
    text: Option<String>,
    window: Option<WindowView>,
) -> Result<Option<Idempotency>, Rejection> {
    let window = match window {
        Some(WindowView::Ms(ms)) => Some(Window::For(Millis::new(ms))),
        Some(WindowView::WhileLive) => Some(Window::WhileLive),
        None => None,
    };
    match (key("idempotency_key", text.as_deref())?, window) {
        (None, Some(_)) => Err(Rejection::invalid(
            "idempotency_window_ms",
            "stands without an idempotency_key",
            "both, or neither",
        )),
        (None, None) => Ok(None),
        (Some(key), window) => Ok(Some(Idempotency {
            key,
            window: window.unwrap_or_default(),
        })),
    }
}

/// The metadata with the task's name in it, unless it has a `name` of its own.
fn metadata(metadata: Option<Json>, name: Option<&str>) -> Result<Bytes, Rejection> {
    let wrong = |problem: &str| Err(Rejection::invalid("metadata", problem, "a JSON object"));
    if metadata.as_ref().is_some_and(|json| !json.is_object()) {
        return wrong("is not an object");
    }
    let Some(name) = name else {
        return Ok(bytes(metadata));
    };
    let mut entries: BTreeMap<String, Box<RawValue>> = match &metadata {
        Some(json) => match json.parse() {
            Ok(entries) => entries,
            Err(error) => return wrong(&error.to_string()),
        },
        None => BTreeMap::new(),
    };
    if entries.contains_key("name") {
        return Ok(bytes(metadata));
    }
    let Ok(value) = serde_json::value::to_raw_value(name) else {
        return wrong("cannot hold the name");
    };
    entries.insert("name".to_owned(), value);
    match Json::new(&entries) {
        Ok(json) => Ok(json.into()),
        Err(error) => wrong(&error.to_string()),
    }
}
