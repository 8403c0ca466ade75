use std::collections::BTreeMap;
use std::fmt;

use russet_core::{DependencyOn, ErrorKind, IfUnsatisfied, Status, Task, TaskId};
use russet_engine::Submitted;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Batched, Json, Time};

/// A task to be submitted. Only `type` is required, and not where `defaults` of a workflow have
/// one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmitTask {
    /// Its identity, chosen by the submitter so that a submission can be repeated safely;
    /// drawn by the server when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub id: Option<TaskId>,
    /// What other tasks of the same workflow and errors call it; kept in its metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What kind of work it is; workers choose the handler by it.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The queue that it waits in; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// What the handler gets: any JSON up to 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Json>,
    /// 0 to 9, 9 most urgent. When absent: 4, or by the longest remaining path in a workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 9))]
    pub priority: Option<u8>,
    /// Most further tries after a first failure; 10 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 10_000))]
    pub max_retries: Option<u32>,
    /// How long to wait between tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryView>,
    /// It does not start before it has waited this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// It does not start before; instead of `delay_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Time>,
    /// It is dead-lettered when nobody started it within this time. A task that was started
    /// once does not expire, also while it waits to be tried again or is redriven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// It is dead-lettered when nobody started it by then; instead of `expires_in_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// How long a lease lasts without a heartbeat; 30,000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility_timeout_ms: Option<u64>,
    /// How long one attempt may take, heartbeats or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long it is kept after its end; as its queue says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_ms: Option<u64>,
    /// Tasks that it waits for, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependsOn>,
    /// Tasks of the same workflow, or of the same follow-ups, that it waits for, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependsOn>,
    /// What becomes of it when a dependency cannot be satisfied: `cancel` (when absent),
    /// `dead` or `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(schema_with = super::schema::if_unsatisfied))]
    pub if_unsatisfied: Option<IfUnsatisfied>,
    /// What a worker must have free to hold it: amounts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resource_requirements: BTreeMap<String, u64>,
    /// A key that names this submission: the same key and request again, within the window,
    /// is answered with the same task, and another request under it is refused. Payloads are
    /// the same when they are byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// How long the key names the submission; a day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_window_ms: Option<WindowView>,
    /// A text that chooses the partition: tasks with equal ones share it. Beside an
    /// `idempotency_key` that chooses it, and this is kept for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// What the submitter wants to keep beside it: a JSON object up to 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// How long it is expected to run, to order the tasks of a workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_ms: Option<u64>,
}

impl Batched for SubmitTask {
    const KEY: &'static str = "tasks";
}

/// How long to wait between tries; what is absent has its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetryView {
    /// How long the first backoff is; each later one is twice the one before. 1,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_ms: Option<u64>,
    /// The longest backoff, also of the first one: where this is shorter, every backoff is as
    /// long as this. 3,600,000, or `backoff_ms` where that is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_cap_ms: Option<u64>,
    /// How much is added to a backoff at most, at random, in percent of it. 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_percent: Option<u8>,
}

/// One task to wait for, by id or by name: `"..."`, or
/// `{"task": "...", "on": "success|completion|failure"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependsOn {
    /// The task's id, or its name.
    pub task: String,
    /// Which end of it to wait for; `success` when absent.
    pub on: DependencyOn,
}

impl DependsOn {
    /// Waits for the success of the task of this id or name.
    pub fn success(task: impl ToString) -> Self {
        Self {
            task: task.to_string(),
            on: DependencyOn::Success,
        }
    }

    /// Waits for the end of the task, however it ends.
    pub fn completion(task: impl ToString) -> Self {
        Self {
            on: DependencyOn::Completion,
            ..Self::success(task)
        }
    }

    /// Waits for the task to end dead or cancelled.
    pub fn failure(task: impl ToString) -> Self {
        Self {
            on: DependencyOn::Failure,
            ..Self::success(task)
        }
    }
}

impl From<TaskId> for DependsOn {
    fn from(task: TaskId) -> Self {
        Self::success(task)
    }
}

impl From<&str> for DependsOn {
    fn from(task: &str) -> Self {
        Self::success(task)
    }
}

impl<'de> Deserialize<'de> for DependsOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            task: String,
            #[serde(default)]
            on: DependencyOn,
        }
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = DependsOn;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a task, or {\"task\": …, \"on\": …}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<DependsOn, E> {
                Ok(DependsOn::success(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DependsOn, A::Error> {
                let Long { task, on } = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(DependsOn { task, on })
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// How long an idempotency key names its task: milliseconds, or `"while_live"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowView {
    /// This many milliseconds after the submission.
    Ms(u64),
    /// Until the task ends.
    WhileLive,
}

impl Serialize for WindowView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ms(ms) => serializer.serialize_u64(*ms),
            Self::WhileLive => serializer.serialize_str("while_live"),
        }
    }
}

impl<'de> Deserialize<'de> for WindowView {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = WindowView;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("milliseconds, or \"while_live\"")
            }

            fn visit_u64<E: Error>(self, ms: u64) -> Result<WindowView, E> {
                Ok(WindowView::Ms(ms))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<WindowView, E> {
                match text {
                    "while_live" => Ok(WindowView::WhileLive),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// What was submitted, and what its submitter should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmittedView {
    /// The task.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: TaskId,
    /// Whether it had been submitted before: nothing was changed.
    pub existing: bool,
    /// Where it is, when it was submitted with dependencies: they may have ended it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(schema_with = super::status_schema))]
    pub status: Option<Status>,
    /// What may keep it from running, such as resources that no live worker has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl SubmittedView {
    pub(crate) fn warned(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    /// Says where the task is, and why if it ended before it could start.
    pub(crate) fn told(&mut self, task: &Task) {
        self.status = Some(task.status);
        let error = task.last_error.as_ref();
        let ended_it = |kind| {
            matches!(
                kind,
                ErrorKind::DependencyUnsatisfied | ErrorKind::NotNeeded
            )
        };
        if let Some(error) = error.filter(|e| ended_it(e.kind)) {
            let warning = format!("it is {} and does not run: {}", task.status, error.message);
            self.warnings.push(warning);
        }
    }
}

impl From<Submitted> for SubmittedView {
    /// Of the submission of one task.
    fn from(submitted: Submitted) -> Self {
        let task = submitted.tasks.first().copied();
        Self {
            task: task.unwrap_or(TaskId::from_u128(0)),
            existing: submitted.existing,
            status: None,
            warnings: Vec::new(),
        }
    }
}
