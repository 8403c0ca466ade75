use std::future::pending;

use futures::future::join_all;

use super::Api;
use super::batch::{Batch, items, reply};
use crate::wire::{
    Batched, CompleteLease, ExtendLease, ExtendedView, FailLease, LeaseReply, LeaseRequest,
    OneOrMany, OneOrResults, Problem, ReleaseLease, TaskNowView, TaskView,
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
        Ok(LeaseReply { tasks })
    }

    /// `POST /v1/leases/extend`: heartbeats.
    ///
    /// # Errors
    /// Why the heartbeat, or the batch as a whole, is refused; a stale lease above all.
    pub async fn extend(
        &self,
        request: OneOrMany<ExtendLease>,
    ) -> Reply<OneOrResults<ExtendedView>> {
        let (extends, one) = items(request, ExtendLease::KEY)?;
        reply(self.extend_each(extends).await, one)
    }

    /// Many heartbeats; one result for each, in order.
    pub async fn extend_each(&self, extends: Vec<ExtendLease>) -> Vec<Reply<ExtendedView>> {
        let (extends, places) = Batch::new(extends.into_iter().map(|e| Ok(e.into()))).split();
        places.fill(self.scheduler.extend_each(extends).await)
    }

    /// `POST /v1/leases/complete`: tasks that finished well.
    ///
    /// # Errors
    /// Why the completion, or the batch as a whole, is refused; a stale lease above all.
    pub async fn complete(
        &self,
        request: OneOrMany<CompleteLease>,
    ) -> Reply<OneOrResults<TaskNowView>> {
        let (completes, one) = items(request, CompleteLease::KEY)?;
        reply(self.complete_each(completes).await, one)
    }

    /// Finishes many tasks; one result for each, in order.
    pub async fn complete_each(&self, completes: Vec<CompleteLease>) -> Vec<Reply<TaskNowView>> {
        let checked = completes.into_iter().map(CompleteLease::into_complete);
        let (completes, places) = Batch::new(checked).split();
        places.fill(self.scheduler.complete_each(completes).await)
    }

    /// `POST /v1/leases/fail`: failed attempts.
    ///
    /// # Errors
    /// Why the report, or the batch as a whole, is refused; a stale lease above all.
    pub async fn fail(&self, request: OneOrMany<FailLease>) -> Reply<OneOrResults<TaskNowView>> {
        let (fails, one) = items(request, FailLease::KEY)?;
        reply(self.fail_each(fails).await, one)
    }

    /// Reports many failed attempts; one result for each, in order.
    pub async fn fail_each(&self, fails: Vec<FailLease>) -> Vec<Reply<TaskNowView>> {
        let (fails, places) = Batch::new(fails.into_iter().map(|f| Ok(f.into()))).split();
        let calls = fails.into_iter().map(|fail| self.scheduler.fail(fail));
        places.fill(join_all(calls).await)
    }

    /// `POST /v1/leases/release`: tasks that are given back.
    ///
    /// # Errors
    /// Why the release, or the batch as a whole, is refused; a stale lease above all.
    pub async fn release(
        &self,
        request: OneOrMany<ReleaseLease>,
    ) -> Reply<OneOrResults<TaskNowView>> {
        let (releases, one) = items(request, ReleaseLease::KEY)?;
        reply(self.release_each(releases).await, one)
    }

    /// Gives many tasks back; one result for each, in order.
    pub async fn release_each(&self, releases: Vec<ReleaseLease>) -> Vec<Reply<TaskNowView>> {
        let (releases, places) = Batch::new(releases.into_iter().map(|r| Ok(r.into()))).split();
        let calls = releases.into_iter().map(|r| self.scheduler.release(r));
        places.fill(join_all(calls).await)
    }
}
