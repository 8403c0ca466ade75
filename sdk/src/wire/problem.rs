use std::fmt;
use std::ops::{Deref, DerefMut};

use russet_core::{Invalid, Rejection, Status, TaskId};
use russet_engine::{EngineError, QueueError, StoreError, limits};
use serde::{Deserialize, Serialize};

use super::wording;

/// Why a request was refused: problem details as of RFC 9457.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problem(Box<ProblemDetails>);

/// What a [`Problem`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Problem))]
pub struct ProblemDetails {
    /// `urn:russet:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what to do about it.
    pub detail: String,
    /// What programs tell problems apart by.
    pub code: String,
    /// The field whose value cannot be, such as `tasks[3].priority`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What would be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// When to try again, if trying again may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The task that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub task: Option<TaskId>,
    /// Where that task is in its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(schema_with = super::status_schema))]
    pub task_status: Option<Status>,
    /// The tasks of a dependency cycle, in order; the first is repeated at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Vec<String>>,
}

impl Problem {
    /// The media type of problem details.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem with a code (`snake_case`), an HTTP status and an explanation.
    pub fn new(code: &str, status: u16, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemDetails {
            kind: format!("urn:russet:problem:{}", code.replace('_', "-")),
            title: title(code),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            ..ProblemDetails::default()
        }))
    }

    /// The problem, with a time after which to try again.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// A body that is not JSON, or that is JSON of another shape than the request's.
    pub fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let inner = error.inner();
        if inner.classify() != serde_json::error::Category::Data {
            return Self::new("malformed", 400, format!("the body is not JSON: {inner}"));
        }
        let said = inner.to_string();
        // The field says where: what is counted in lines may be one line of many.
        let position = format!(" at line {} column {}", inner.line(), inner.column());
        let said = said.strip_suffix(&position).unwrap_or(&said);
        Self::misfit(&error.path().to_string(), said)
    }

    /// A value that its field does not take: `path` as `serde_path_to_error` writes it, and what
    /// serde says of the value.
    pub fn misfit(path: &str, message: &str) -> Self {
        // The path of a field whose name is empty is empty.
        let path = if path == "." { "" } else { path };
        wording::misfit(path, message)
    }

    /// Whether the lease of the request is not the task's current one.
    pub fn is_stale_lease(&self) -> bool {
        self.code == "stale_lease"
    }

    /// Whether the task was completed with this lease before, with another result.
    pub fn is_result_conflict(&self) -> bool {
        self.code == "result_conflict"
    }

    /// Whether what was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code == "not_found"
    }

    /// Whether nothing was changed and the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        self.retry_after_ms.is_some() && !self.is_indeterminate()
    }

    /// Whether it is unknown if the request was carried out. A request that carries its own
    /// identity can be sent again.
    pub fn is_indeterminate(&self) -> bool {
        self.code == "indeterminate"
    }
}

/// `stale_lease` in words: `Stale lease`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

impl Deref for Problem {
    type Target = ProblemDetails;

    fn deref(&self) -> &ProblemDetails {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut ProblemDetails {
        &mut self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl std::error::Error for Problem {}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let mut problem = Self::new(rejection.code(), status(&rejection), rejection.to_string());
        match rejection {
            Rejection::Invalid(Invalid { field, limit, .. }) => {
                problem.field = Some(field);
                problem.limit = Some(limit);
            }
            Rejection::NotFound { task } | Rejection::TooManyParents { task } => {
                problem.task = Some(task);
            }
            Rejection::ResultConflict { task } => {
                problem.task = Some(task);
                problem.task_status = Some(Status::Succeeded);
            }
            Rejection::StaleLease { task, status, .. }
            | Rejection::NotQueued { task, status }
            | Rejection::WrongStatus { task, status, .. } => {
                problem.task = Some(task);
                problem.task_status = Some(status);
            }
            Rejection::Cycle { path } => problem.path = Some(path),
            Rejection::DependencyNotFound { dependency, .. } => {
                problem.field = Some("dependencies".to_owned());
                problem.task = Some(dependency);
            }
            Rejection::IdempotencyConflict { what, existing } => {
                let field = if what == "id" {
                    "id"
                } else {
                    "idempotency_key"
                };
                problem.field = Some(field.to_owned());
                problem.task = Some(existing);
            }
            Rejection::KeyTaken { existing, .. } => problem.task = Some(existing),
            Rejection::LimitExceeded { limit, .. }
            | Rejection::TransactionTooLarge { limit, .. }
            | Rejection::TransactionTooHeavy { limit, .. }
            | Rejection::TooManyOutside { limit, .. } => problem.limit = Some(limit.to_string()),
            Rejection::Incomplete { .. } => {
                problem = problem.retry_after(limits::RETRY_AFTER.as_millis());
            }
            _ => {}
        }
        problem
    }
}

/// The HTTP status of a refusal.
fn status(rejection: &Rejection) -> u16 {
    match rejection {
        Rejection::Invalid(_)
        | Rejection::Cycle { .. }
        | Rejection::DependencyNotFound { .. }
        | Rejection::LimitExceeded { .. }
        | Rejection::TransactionTooLarge { .. }
        | Rejection::TransactionTooHeavy { .. }
        | Rejection::TooManyParents { .. }
        | Rejection::TooManyOutside { .. } => 422,
        Rejection::NotFound { .. } | Rejection::NoWorkflow { .. } => 404,
        Rejection::Incomplete { .. } => 503,
        _ => 409,
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let detail = error.to_string();
        let soon = limits::RETRY_AFTER.as_millis();
        match error {
            EngineError::Rejected(rejection) => rejection.into(),
            EngineError::Overloaded { retry_after, .. } => {
                Self::new("overloaded", 429, detail).retry_after(retry_after.as_millis())
            }
            EngineError::Contended { retry_after } => {
                Self::new("contended", 503, detail).retry_after(retry_after.as_millis())
            }
            EngineError::Store(StoreError::Unavailable { .. })
            | EngineError::Queue(QueueError::Unavailable { .. }) => {
                Self::new("unavailable", 503, detail).retry_after(soon)
            }
            EngineError::Store(StoreError::Indeterminate { .. }) => {
                Self::new("indeterminate", 503, detail).retry_after(soon)
            }
            EngineError::Store(StoreError::Full { .. }) => Self::new("store_full", 507, detail),
            EngineError::Store(StoreError::TooLarge { .. }) => Self::new("too_large", 413, detail),
            EngineError::Store(StoreError::Damaged { .. } | StoreError::Unreadable { .. }) => {
                Self::new("store_damaged", 500, detail)
            }
            EngineError::Stopping => Self::new("stopping", 503, detail).retry_after(soon),
            EngineError::Broken => Self::new("broken", 500, detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use russet_core::Millis;

    use super::*;

    #[test]
    fn a_refused_field_is_named_with_what_would_be_accepted() {
        let refused = Rejection::invalid("priority", "12 is too much", "at most 9");
        let problem = Problem::from(refused);
        assert_eq!((problem.status, problem.code.as_str()), (422, "invalid"));
        assert_eq!(problem.field.as_deref(), Some("priority"));
        assert_eq!(problem.limit.as_deref(), Some("at most 9"));
        assert_eq!(problem.detail, "priority: 12 is too much (at most 9)");
        assert_eq!(problem.title, "Invalid");
    }

    #[test]
    fn every_refusal_has_a_status_that_says_who_must_act() {
        let task = TaskId::from_u128(7);
        let stale = Rejection::StaleLease {
            task,
            status: Status::Queued,
            attempt: 2,
            expired_at: None,
        };
        assert_eq!(Problem::from(stale).status, 409);
        assert_eq!(Problem::from(Rejection::NotFound { task }).status, 404);
        let full = StoreError::Full { why: "disk".into() };
        assert_eq!(Problem::from(EngineError::Store(full)).status, 507);
        let stopping = Problem::from(EngineError::Stopping);
        assert_eq!(stopping.status, 503);
        assert!(stopping.is_temporary());
    }

    #[test]
    fn what_may_succeed_later_says_when_and_whether_it_may_have_been_done() {
        let soon = limits::RETRY_AFTER.as_millis();
        let retry_after = Millis::new(7);
        let overloaded = EngineError::Overloaded {
            waiting: 12,
            retry_after,
        };
        let why = || "it restarts".to_owned();
        let unavailable = StoreError::Unavailable { why: why() };
        let without_queue = QueueError::Unavailable { why: why() };
        let indeterminate = StoreError::Indeterminate { why: why() };
        for (error, code, status, after, temporary) in [
            (overloaded, "overloaded", 429, 7, true),
            (
                EngineError::Contended { retry_after },
                "contended",
                503,
                7,
                true,
            ),
            (unavailable.into(), "unavailable", 503, soon, true),
            (without_queue.into(), "unavailable", 503, soon, true),
            (indeterminate.into(), "indeterminate", 503, soon, false),
            (EngineError::Stopping, "stopping", 503, soon, true),
        ] {
            let detail = error.to_string();
            let problem = Problem::from(error);
            assert_eq!((problem.code.as_str(), problem.status), (code, status));
            assert_eq!(problem.retry_after_ms, Some(after), "{code}");
            assert_eq!(problem.is_temporary(), temporary, "{code}");
            assert_eq!(problem.is_indeterminate(), !temporary, "{code}");
            assert_eq!(problem.detail, detail, "{code}");
            assert_eq!(problem.kind, format!("urn:russet:problem:{code}"));
        }
    }

    #[test]
    fn what_stays_as_it_is_does_not_ask_to_be_sent_again() {
        let why = || "it is".to_owned();
        for (error, code, status) in [
            (StoreError::Full { why: why() }, "store_full", 507),
            (StoreError::TooLarge { why: why() }, "too_large", 413),
            (StoreError::Damaged { why: why() }, "store_damaged", 500),
            (StoreError::Unreadable { why: why() }, "store_damaged", 500),
        ] {
            let problem = Problem::from(EngineError::Store(error));
            assert_eq!((problem.code.as_str(), problem.status), (code, status));
            assert_eq!(problem.retry_after_ms, None, "{code}");
        }
    }
}
