//! Commands to many tasks at once. Which tasks are meant a listing says; what may be done with each
//! is decided where a command to that one is.

use std::sync::Arc;

use futures::future::join_all;
use russet_core::{Cancel, Rejection, Status, Task, TaskId};
use russet_engine::{EngineError, TaskNow};

use super::Api;
use crate::limits;
use crate::wire::{
    CancelTasks, CancelledView, Problem, PurgeTasks, PurgedView, RedriveTasks, RedrivenView,
    RefusedTask, TaskView, request_number,
};

type Reply<T> = Result<T, Problem>;

impl Api {
    /// `POST /v1/tasks/cancel`: cancels one page of tasks that have not ended.
    ///
    /// # Errors
    /// A request that names neither a queue nor all of them, a filter that cannot be, or a store
    /// that is unavailable: send the same request again then. A task that cannot be cancelled is
    /// told of instead.
    pub async fn cancel_each(&self, request: CancelTasks) -> Reply<CancelledView> {
        let page = self.scheduler.list(request.listing()?).await?;
        let live = page.items.iter().filter(|task| !task.status.is_terminal());
        let live: Vec<_> = live.collect();
        let cancels = live.iter().map(|task| Cancel {
            task: task.id,
            reason: request.reason.clone(),
        });
        let calls = cancels.map(|cancel| self.scheduler.cancel(cancel));
        let done = Done::of(&live, join_all(calls).await)?;
        let is_asked = |now: &&TaskNow| now.status == Status::Running;
        let asked = done.now.iter().filter(is_asked).count() as u64;
        Ok(CancelledView {
            cancelled: done.now.len() as u64 - asked,
            asked,
            refused: done.refused,
            refusals: done.refusals,
            next: page.next,
        })
    }

    /// `POST /v1/tasks/purge`: forgets one page of ended tasks.
    ///
    /// # Errors
    /// A request that names neither a queue nor all of them, a filter that cannot be, or a store
    /// that is unavailable: send the same request again then. A task that cannot be purged is told
    /// of instead.
    pub async fn purge_each(&self, request: PurgeTasks) -> Reply<PurgedView> {
        let page = self.scheduler.list(request.listing()?).await?;
        let ended = page.items.iter().filter(|task| task.status.is_terminal());
        let ended: Vec<_> = ended.collect();
        let calls = ended.iter().map(|task| self.scheduler.purge(task.id));
        let done = Done::of(&ended, join_all(calls).await)?;
        Ok(PurgedView {
            purged: done.now.len() as u64,
            refused: done.refused,
            refusals: done.refusals,
            next: page.next,
        })
    }

    /// `POST /v1/tasks/redrive`: gives one page of dead tasks a new life.
    ///
    /// # Errors
    /// A request that names neither a queue nor all of them, a filter that cannot be, or a store
    /// that is unavailable: send the same request again then. A task that cannot be redriven is
    /// told of instead.
    pub async fn redrive_each(&self, request: RedriveTasks) -> Reply<RedrivenView> {
        let number = request_number(request.request_id.as_deref())?;
        let page = self.scheduler.list(request.listing()?).await?;
        let dead: Vec<_> = page.items.iter().collect();
        let calls = dead
            .iter()
            .map(|task| self.redrive_as(task.id, number, false));
        let done = Done::of(&dead, join_all(calls).await)?;
        Ok(RedrivenView {
            redriven: done.now.len() as u64,
            refused: done.refused,
            refusals: done.refusals,
            next: page.next,
        })
    }
}

/// What became of the tasks of a page.
#[derive(Default)]
struct Done {
    now: Vec<TaskNow>,
    refused: u64,
    refusals: Vec<RefusedTask>,
}

impl Done {
    /// A task that is refused does not keep the others; anything else does.
    fn of(
        tasks: &[&Arc<Task>],
        answers: Vec<Result<TaskNow, EngineError>>,
    ) -> Result<Self, EngineError> {
        let mut done = Self::default();
        for (task, answer) in tasks.iter().zip(answers) {
            match answer {
                Ok(now) => done.now.push(now),
                Err(EngineError::Rejected(rejection)) => {
                    done.refused += 1;
                    if done.refusals.len() < limits::REFUSALS {
                        done.refusals
                            .push(refused_task(task.id, Some(task), &rejection));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

/// A task that stays as it is, with its name as far as it is known.
pub(super) fn refused_task(id: TaskId, task: Option<&Task>, why: &Rejection) -> RefusedTask {
    RefusedTask {
        task: id,
        name: task.and_then(|task| TaskView::new(task, &[]).name()),
        code: why.code().to_owned(),
        detail: why.to_string(),
    }
}
