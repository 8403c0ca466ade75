use std::future::pending;

use futures::future::join_all;
use russet_core::Complete;

use super::Api;
use super::batch::{items, part, views};
use super::warnings::Warnings;
use crate::wire::{
    CompleteLease, ExtendLease, ExtendedView, FailLease, LeaseReply, LeaseRequest, OneOrMany,
    OneOrResults, Problem, ReleaseLease, SignOffReply, TaskNowView, TaskView, worker_name,
};

type Reply<T> = Result<T, Problem>;

impl Api {
    /// `POST /v1/leases`: ready tasks; waits for the first one.
    ///
    /// # Errors
    /// A request that cannot be, or a store or queue that is unavailable.
    pub async fn lease(&self, request: LeaseRequest) -> Reply<LeaseReply> {
        self.lease_until(request, pending()).await
    }

    /// As [`Self::lease`], but waits no longer than until `enough`.
    pub(crate) async fn lease_until(
        &self,
        request: LeaseRequest,
        enough: impl Future<Output = ()>,
    ) -> Reply<LeaseReply> {
        let request = request.into_request()?;
        let leased = self.scheduler.lease_until(request, enough).await?;
        let mut tasks = Vec::with_capacity(leased.len());
        for task in &leased {
            // The lease is granted: better a task without its long list than none.
            let view = TaskView::load(&self.scheduler, task).await;
            tasks.push(view.unwrap_or_else(|_| TaskView::new(task, &[])));
        }
        let now = Some(self.scheduler.clock().now().into());
        Ok(LeaseReply { tasks, now })
    }

    /// `POST /v1/leases/extend`: heartbeats.
    ///
    /// # Errors
    /// Why the heartbeat, or the batch as a whole, is refused; a stale lease above all.
    pub async fn extend(
        &self,
        request: OneOrMany<ExtendLease>,
    ) -> Reply<OneOrResults<ExtendedView>> {
        let (extends, asked) = items(request)?;
        asked.reply(self.extend_each(extends).await)
    }

    /// Many heartbeats; one result for each, in order.
    pub async fn extend_each(&self, extends: Vec<ExtendLease>) -> Vec<Reply<ExtendedView>> {
        let extends = extends.into_iter().map(Into::into).collect();
        views(self.scheduler.extend_each(extends).await)
    }

    /// `POST /v1/leases/complete`: tasks that finished well.
    ///
    /// # Errors
    /// Why the completion, or the batch as a whole, is refused; a stale lease above all.
    pub async fn complete(
        &self,
        request: OneOrMany<CompleteLease>,
    ) -> Reply<OneOrResults<TaskNowView>> {
        let (completes, asked) = items(request)?;
        asked.reply(self.complete_each(completes).await)
    }

    /// Finishes many tasks; one result for each, in order.
    pub async fn complete_each(&self, completes: Vec<CompleteLease>) -> Vec<Reply<TaskNowView>> {
        let partitions = self.scheduler.partitions();
        let checked = completes.into_iter().map(|c| c.into_complete(partitions));
        let (completes, places) = part(checked);
        let warned: Vec<_> = completes.iter().map(|c| self.warnings_of(c)).collect();
        let done = views(self.scheduler.complete_each(completes).await).into_iter();
        let done = done.zip(warned).map(|(now, warnings)| {
            let now: TaskNowView = now?;
            Ok(TaskNowView { warnings, ..now })
        });
        places.fill(done.collect())
    }

    /// What to know of the follow-up tasks of a completion.
    fn warnings_of(&self, complete: &Complete) -> Vec<String> {
        let mut warnings = Warnings::new(&self.scheduler);
        for task in &complete.follow_ups {
            warnings.of(task);
        }
        warnings.all()
    }

    /// `POST /v1/leases/fail`: failed attempts.
    ///
    /// # Errors
    /// Why the report, or the batch as a whole, is refused; a stale lease above all.
    pub async fn fail(&self, request: OneOrMany<FailLease>) -> Reply<OneOrResults<TaskNowView>> {
        let (fails, asked) = items(request)?;
        asked.reply(self.fail_each(fails).await)
    }

    /// Reports many failed attempts; one result for each, in order.
    pub async fn fail_each(&self, fails: Vec<FailLease>) -> Vec<Reply<TaskNowView>> {
        let calls = fails.into_iter().map(|f| self.scheduler.fail(f.into()));
        views(join_all(calls).await)
    }

    /// `POST /v1/leases/release`: tasks that are given back.
    ///
    /// # Errors
    /// Why the release, or the batch as a whole, is refused; a stale lease above all.
    pub async fn release(
        &self,
        request: OneOrMany<ReleaseLease>,
    ) -> Reply<OneOrResults<TaskNowView>> {
        let (releases, asked) = items(request)?;
        asked.reply(self.release_each(releases).await)
    }

    /// Gives many tasks back; one result for each, in order.
    pub async fn release_each(&self, releases: Vec<ReleaseLease>) -> Vec<Reply<TaskNowView>> {
        let calls = releases
            .into_iter()
            .map(|r| self.scheduler.release(r.into()));
        views(join_all(calls).await)
    }

    /// `DELETE /v1/workers/{worker}`: the worker asks for no more tasks.
    ///
    /// # Errors
    /// A name that cannot be.
    pub fn sign_off(&self, worker: &str) -> Reply<SignOffReply> {
        let known = self.scheduler.workers().left(&worker_name(worker)?);
        Ok(SignOffReply { known })
    }
}
