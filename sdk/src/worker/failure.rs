use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Any error, as tower's layers pass it on.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// How a handler ends that has no result. Any error turns into one that is tried again, so
/// that `?` works on all of them.
#[derive(Clone, Debug)]
pub struct TaskFailure(pub(super) Ending);

#[derive(Clone, Debug)]
pub(super) enum Ending {
    Retry {
        message: String,
        after: Option<Duration>,
    },
    Final(String),
    TimedOut(String),
    Snooze(Duration),
    Cancelled,
}

impl TaskFailure {
    /// The attempt failed; another is made while there are retries.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self(Ending::Retry {
            message: message.to_string(),
            after: None,
        })
    }

    /// The attempt failed; another is made after `delay` while there are retries, at the latest
    /// after [`limits::DELAY_MAX`](crate::limits::DELAY_MAX).
    pub fn retry_after(message: impl fmt::Display, delay: Duration) -> Self {
        Self(Ending::Retry {
            message: message.to_string(),
            after: Some(delay),
        })
    }

    /// The task failed for good: trying again is of no use.
    pub fn final_(message: impl fmt::Display) -> Self {
        Self(Ending::Final(message.to_string()))
    }

    /// The attempt took too long.
    pub fn timed_out(message: impl fmt::Display) -> Self {
        Self(Ending::TimedOut(message.to_string()))
    }

    /// It is too early: the task is to be offered again after `delay`, at the latest after
    /// [`limits::DELAY_MAX`](crate::limits::DELAY_MAX). This uses no retry.
    pub fn snooze(delay: Duration) -> Self {
        Self(Ending::Snooze(delay))
    }

    /// The handler stopped because it was asked to: the task is cancelled when somebody wants
    /// that, otherwise it is given back without using a retry.
    pub fn cancelled() -> Self {
        Self(Ending::Cancelled)
    }

    /// What an error of a service means.
    pub(super) fn from_boxed(error: BoxError) -> Self {
        match error.downcast::<Carrier>() {
            Ok(carrier) => carrier.0,
            Err(error) if error.is::<tower::timeout::error::Elapsed>() => Self::timed_out(error),
            Err(error) => Self::retry(chain(error.as_ref())),
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl<E: StdError + Send + Sync + 'static> From<E> for TaskFailure {
    fn from(error: E) -> Self {
        Self::retry(chain(&error))
    }
}

/// A failure on its way through tower's layers.
#[derive(Debug)]
struct Carrier(TaskFailure);

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.0 {
            Ending::Retry { message, .. } | Ending::Final(message) | Ending::TimedOut(message) => {
                f.write_str(message)
            }
            Ending::Snooze(delay) => write!(f, "snoozed for {delay:?}"),
            Ending::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl StdError for Carrier {}

impl From<TaskFailure> for BoxError {
    fn from(failure: TaskFailure) -> Self {
        Box::new(Carrier(failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_its_way_through_layers() {
        let boxed = BoxError::from(TaskFailure::final_("no such user"));
        let back = TaskFailure::from_boxed(boxed);
        assert!(matches!(back.0, Ending::Final(message) if message == "no such user"));
    }

    #[test]
    fn any_error_is_a_failure_that_is_tried_again_and_names_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot send")]
        struct Send(#[source] std::fmt::Error);
        fn handler() -> Result<(), TaskFailure> {
            Err(Send(std::fmt::Error))?
        }
        let failure = handler().expect_err("fails");
        let Ending::Retry { message, after } = failure.0 else {
            panic!("not tried again")
        };
        assert!(message.starts_with("cannot send: "), "{message}");
        assert_eq!(after, None);
    }
}
