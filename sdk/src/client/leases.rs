use std::future::pending;
#[cfg(feature = "http")]
use std::time::Duration;

#[cfg(feature = "http")]
use super::http::{Call, encoded};
use super::{Client, Link};
use crate::wire::{
    CompleteLease, ExtendLease, ExtendedView, FailLease, LeaseReply, LeaseRequest, Problem,
    ReleaseLease, SignOffReply, TaskNowView, TaskView,
};
use crate::{Error, limits};

impl Client {
    /// Leases ready tasks; waits for the first one as long as the request says. When the
    /// answer was lost, tasks may be leased to nobody: they come back when their lease ends.
    ///
    /// # Errors
    /// A request that cannot be, or a server that cannot be reached.
    pub async fn lease(&self, request: LeaseRequest) -> Result<Vec<TaskView>, Error> {
        Ok(self.lease_until(request, pending()).await?.tasks)
    }

    /// As [`Self::lease`], but waits no longer than until `enough`. Only a scheduler in this
    /// process can be told so: a server is waited for, since what it leases meanwhile would
    /// be leased to nobody.
    pub(crate) async fn lease_until(
        &self,
        request: LeaseRequest,
        enough: impl Future<Output = ()>,
    ) -> Result<LeaseReply, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.lease_until(request, enough).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let wait = Duration::from_millis(request.wait_ms.unwrap_or(0));
                let call = Call::post("/v1/leases").waiting(wait);
                http.send(call, &request).await
            }
        }
    }

    /// How many reports of ended attempts a worker has on their way at once. A scheduler in
    /// this process gathers them by itself; over a network what ends meanwhile goes together.
    pub(crate) fn reports_at_once(&self) -> usize {
        match &self.link {
            Link::Here(_) => limits::REPORTS_HERE,
            #[cfg(feature = "http")]
            Link::Http(_) => 1,
        }
    }

    /// Heartbeats; one result for each, in order.
    pub async fn extend(&self, extends: Vec<ExtendLease>) -> Vec<Result<ExtendedView, Error>> {
        match &self.link {
            Link::Here(api) => each(api.extend_each(extends).await),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let call = Call::post("/v1/leases/extend").safe();
                http.send_each(call, &extends).await
            }
        }
    }

    /// Finishes tasks well; one result for each, in order.
    pub async fn complete(&self, completes: Vec<CompleteLease>) -> Vec<Result<TaskNowView, Error>> {
        match &self.link {
            Link::Here(api) => each(api.complete_each(completes).await),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let call = Call::post("/v1/leases/complete").safe();
                http.send_each(call, &completes).await
            }
        }
    }

    /// Reports failed attempts; one result for each, in order.
    pub async fn fail(&self, fails: Vec<FailLease>) -> Vec<Result<TaskNowView, Error>> {
        match &self.link {
            Link::Here(api) => each(api.fail_each(fails).await),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let call = Call::post("/v1/leases/fail").safe();
                http.send_each(call, &fails).await
            }
        }
    }

    /// Gives tasks back without using a retry; one result for each, in order.
    pub async fn release(&self, releases: Vec<ReleaseLease>) -> Vec<Result<TaskNowView, Error>> {
        match &self.link {
            Link::Here(api) => each(api.release_each(releases).await),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let call = Call::post("/v1/leases/release").safe();
                http.send_each(call, &releases).await
            }
        }
    }

    /// Says that a worker asks for no more tasks, so that it does not count any more. A
    /// [`Worker`](crate::Worker) that stops does so by itself. A worker that is not known is no
    /// error; one that asks again is back.
    ///
    /// # Errors
    /// A name that cannot be, or a server that cannot be reached.
    pub async fn sign_off(&self, worker: &str) -> Result<SignOffReply, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.sign_off(worker)?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let path = format!("/v1/workers/{}", encoded(worker));
                http.fetch(Call::delete(path).safe()).await
            }
        }
    }
}

fn each<T>(results: Vec<Result<T, Problem>>) -> Vec<Result<T, Error>> {
    let results = results.into_iter();
    results.map(|result| result.map_err(Error::from)).collect()
}
