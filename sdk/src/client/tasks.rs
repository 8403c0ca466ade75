use std::time::Duration;

use russet_core::TaskId;
use tokio::time::{Instant, sleep};

#[cfg(feature = "http")]
use super::http::{Call, query};
use super::{Client, Link};
use crate::backoff::later;
use crate::wire::{
    CancelTask, ListTasks, Page, RedriveTask, SubmitTask, SubmittedView, TaskNowView, TaskView,
    WaitTask,
};
use crate::{Error, TaskKind, limits};

impl Client {
    /// Submits a task.
    ///
    /// # Errors
    /// Why it was refused, or a server that cannot be reached.
    pub async fn submit(&self, task: SubmitTask) -> Result<SubmittedView, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.submit_one(task).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let is_named = is_named(&task);
                let task = http.identified(task).await?;
                let submitted = http.send(Call::post("/v1/tasks").safe(), &task).await;
                submitted.map(|submitted| first(submitted, is_named))
            }
        }
    }

    /// The task with the identity that a submission would give it, unless it has one: whoever is
    /// left without an answer can look for it, and submit it again.
    ///
    /// # Errors
    /// A server that cannot be reached.
    pub async fn identified(&self, task: SubmitTask) -> Result<SubmitTask, Error> {
        match &self.link {
            Link::Here(_) => Ok(task),
            #[cfg(feature = "http")]
            Link::Http(http) => http.identified(task).await,
        }
    }

    /// Submits tasks that stand each by themselves; one result for each, in order.
    pub async fn submit_many(&self, tasks: Vec<SubmitTask>) -> Vec<Result<SubmittedView, Error>> {
        match &self.link {
            Link::Here(api) => {
                let results = api.submit_each(tasks).await;
                results
                    .into_iter()
                    .map(|r| r.map_err(Error::from))
                    .collect()
            }
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let mut identified = Vec::with_capacity(tasks.len());
                let count = tasks.len();
                let are_named: Vec<_> = tasks.iter().map(is_named).collect();
                for task in tasks {
                    match http.identified(task).await {
                        Ok(task) => identified.push(task),
                        Err(error) => return vec![Err(error); count],
                    }
                }
                let call = Call::post("/v1/tasks").safe();
                let results = http.send_each_again(call, identified).await;
                let results = results.into_iter().zip(are_named);
                results
                    .map(|(result, is_named)| result.map(|one| first(one, is_named)))
                    .collect()
            }
        }
    }

    /// A task; `None` when there is none of that id.
    ///
    /// # Errors
    /// A store or a server that cannot be reached.
    pub async fn get(&self, id: TaskId) -> Result<Option<TaskView>, Error> {
        let found = match &self.link {
            Link::Here(api) => api.get(id).await.map_err(Error::from),
            #[cfg(feature = "http")]
            Link::Http(http) => http.fetch(Call::get(format!("/v1/tasks/{id}"))).await,
        };
        optional(found)
    }

    /// A page of tasks.
    ///
    /// # Errors
    /// A filter that cannot be, or a server that cannot be reached.
    pub async fn list(&self, request: ListTasks) -> Result<Page<TaskView>, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.list(request).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let path = format!("/v1/tasks{}", query(&request)?);
                http.fetch(Call::get(path)).await
            }
        }
    }

    /// Waits until a task has ended, at most `wait`; returns it as it is then.
    ///
    /// # Errors
    /// An unknown task, which is also one that ended and whose retention was over before the end
    /// was seen, or a server that cannot be reached.
    pub async fn wait(&self, id: TaskId, wait: Duration) -> Result<TaskView, Error> {
        let until = later(Instant::now(), wait);
        loop {
            let asked = Instant::now();
            let left = until.saturating_duration_since(asked);
            let task = self.wait_once(id, left.min(limits::WAIT_SLICE)).await?;
            let left = until.saturating_duration_since(Instant::now());
            if task.is_terminal() || left.is_zero() {
                return Ok(task);
            }
            // A server that stops answers early.
            if asked.elapsed() < limits::POLL_PAUSE {
                sleep(limits::POLL_PAUSE.min(left)).await;
            }
        }
    }

    async fn wait_once(&self, id: TaskId, slice: Duration) -> Result<TaskView, Error> {
        let request = WaitTask {
            timeout_ms: Some(slice.as_millis() as u64),
        };
        match &self.link {
            Link::Here(api) => Ok(api.wait(id, request).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let path = format!("/v1/tasks/{id}/wait{}", query(&request)?);
                http.fetch(Call::get(path).waiting(slice)).await
            }
        }
    }

    /// Waits for the result of a task, at most `wait`.
    ///
    /// # Errors
    /// [`Error::NotEnded`] when time is up, [`Error::Ended`] when it ended without a result,
    /// and a result of another type.
    pub async fn result<T: TaskKind>(
        &self,
        id: TaskId,
        wait: Duration,
    ) -> Result<T::Output, Error> {
        crate::kind::output::<T>(self.wait(id, wait).await?)
    }

    /// Cancels a task, or asks its holder to stop; `reason` is kept for people to read.
    ///
    /// # Errors
    /// An unknown task, or one that has ended otherwise.
    pub async fn cancel(&self, id: TaskId, reason: Option<&str>) -> Result<TaskNowView, Error> {
        let request = CancelTask {
            reason: reason.map(str::to_owned),
        };
        match &self.link {
            Link::Here(api) => Ok(api.cancel(id, request).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let call = Call::post(format!("/v1/tasks/{id}/cancel")).safe();
                http.send(call, &request).await
            }
        }
    }

    /// Gives a task that is dead, or that was cancelled because of a dependency, a new life.
    ///
    /// # Errors
    /// An unknown task, or one that cannot be redriven.
    pub async fn redrive(&self, id: TaskId) -> Result<TaskNowView, Error> {
        self.redrive_by(id, RedriveTask::default()).await
    }

    /// As [`Self::redrive`], and also when somebody cancelled the task.
    ///
    /// # Errors
    /// An unknown task, or one that cannot be redriven.
    pub async fn redrive_cancelled(&self, id: TaskId) -> Result<TaskNowView, Error> {
        let request = RedriveTask {
            cancelled: true,
            ..RedriveTask::default()
        };
        self.redrive_by(id, request).await
    }

    async fn redrive_by(&self, id: TaskId, request: RedriveTask) -> Result<TaskNowView, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.redrive(id, request).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let request = RedriveTask {
                    request_id: Some(http.new_request_id()),
                    ..request
                };
                let call = Call::post(format!("/v1/tasks/{id}/redrive")).safe();
                http.send(call, &request).await
            }
        }
    }

    /// Forgets an ended task before its retention is over.
    ///
    /// # Errors
    /// An unknown task, or one that has not ended.
    pub async fn purge(&self, id: TaskId) -> Result<TaskNowView, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.purge(id).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let call = Call::post(format!("/v1/tasks/{id}/purge"));
                http.fetch(call).await
            }
        }
    }
}

/// What was found; `None` when it does not exist.
pub(super) fn optional<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the submitter names the task.
#[cfg(feature = "http")]
fn is_named(task: &SubmitTask) -> bool {
    task.id.is_some() || task.idempotency_key.is_some()
}

/// A task that was named here can have been submitted before by the same call alone, whose answer
/// was lost.
#[cfg(feature = "http")]
fn first(submitted: SubmittedView, is_named: bool) -> SubmittedView {
    SubmittedView {
        existing: submitted.existing && is_named,
        ..submitted
    }
}
