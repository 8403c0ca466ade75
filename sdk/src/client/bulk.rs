//! Commands to many tasks, page by page.

use russet_core::Status;

#[cfg(feature = "http")]
use super::http::Call;
use super::{Client, Link};
use crate::Error;
use crate::wire::{
    CancelTasks, CancelledView, PurgeTasks, PurgedView, RedriveTasks, RedrivenView, keep,
};

impl Client {
    /// Cancels all tasks that have not ended, or those of one queue, or of one state; the holders of
    /// those that run are asked to stop. `reason` is kept for people to read. Over HTTP the count
    /// may be too low, when an answer was lost and the call was sent again.
    ///
    /// # Errors
    /// A queue name or a state that cannot be, or a server that cannot be reached: send it again
    /// then.
    pub async fn cancel_all(
        &self,
        queue: Option<&str>,
        status: Option<Status>,
        reason: Option<&str>,
    ) -> Result<CancelledView, Error> {
        let mut sum = CancelledView::default();
        loop {
            let request = CancelTasks {
                all: queue.is_none(),
                queue: queue.map(str::to_owned),
                status: status.map(|status| status.as_str().to_owned()),
                reason: reason.map(str::to_owned),
                after: sum.next.map(|id| id.to_string()),
                limit: None,
            };
            let page = match &self.link {
                Link::Here(api) => api.cancel_each(request).await?,
                #[cfg(feature = "http")]
                Link::Http(http) => {
                    let call = Call::post("/v1/tasks/cancel").safe();
                    http.send(call, &request).await?
                }
            };
            sum.cancelled += page.cancelled;
            sum.asked += page.asked;
            sum.refused += page.refused;
            keep(&mut sum.refusals, page.refusals);
            sum.next = page.next;
            if sum.next.is_none() {
                return Ok(sum);
            }
        }
    }

    /// Forgets all ended tasks before their retention is over, or those of one queue, or of one
    /// state. Over HTTP the count may be too low, when an answer was lost and the call was sent
    /// again.
    ///
    /// # Errors
    /// A queue name or a state that cannot be, or a server that cannot be reached: send it again
    /// then.
    pub async fn purge_all(
        &self,
        queue: Option<&str>,
        status: Option<Status>,
    ) -> Result<PurgedView, Error> {
        let mut sum = PurgedView::default();
        loop {
            let request = PurgeTasks {
                all: queue.is_none(),
                queue: queue.map(str::to_owned),
                status: status.map(|status| status.as_str().to_owned()),
                after: sum.next.map(|id| id.to_string()),
                limit: None,
            };
            let page = match &self.link {
                Link::Here(api) => api.purge_each(request).await?,
                #[cfg(feature = "http")]
                Link::Http(http) => {
                    let call = Call::post("/v1/tasks/purge").safe();
                    http.send(call, &request).await?
                }
            };
            sum.purged += page.purged;
            sum.refused += page.refused;
            keep(&mut sum.refusals, page.refusals);
            sum.next = page.next;
            if sum.next.is_none() {
                return Ok(sum);
            }
        }
    }

    /// Gives all dead tasks a new life, or those of one queue. Over HTTP the count may be too
    /// low, when an answer was lost and the call was sent again.
    ///
    /// # Errors
    /// A queue name that cannot be, or a server that cannot be reached: send it again then.
    pub async fn redrive_all(&self, queue: Option<&str>) -> Result<RedrivenView, Error> {
        let mut sum = RedrivenView::default();
        let request_id = match &self.link {
            Link::Here(_) => None,
            #[cfg(feature = "http")]
            Link::Http(http) => Some(http.new_request_id()),
        };
        loop {
            let request = RedriveTasks {
                all: queue.is_none(),
                request_id: request_id.clone(),
                queue: queue.map(str::to_owned),
                after: sum.next.map(|id| id.to_string()),
                limit: None,
            };
            let page = match &self.link {
                Link::Here(api) => api.redrive_each(request).await?,
                #[cfg(feature = "http")]
                Link::Http(http) => {
                    let call = Call::post("/v1/tasks/redrive").safe();
                    http.send(call, &request).await?
                }
            };
            sum.redriven += page.redriven;
            sum.refused += page.refused;
            keep(&mut sum.refusals, page.refusals);
            sum.next = page.next;
            if sum.next.is_none() {
                return Ok(sum);
            }
        }
    }
}
