use russet_core::WorkflowId;

#[cfg(feature = "http")]
use super::http::{Call, query};
use super::tasks::optional;
use super::{Client, Link};
use crate::Error;
#[cfg(feature = "http")]
use crate::limits;
use crate::wire::{
    CancelWorkflow, CancelledWorkflowView, ListTasks, RedriveWorkflow, RedrivenWorkflowView,
    SubmitWorkflow, SubmittedWorkflowView, WorkflowView,
};

impl Client {
    /// Submits a workflow: all of its tasks, or none.
    ///
    /// # Errors
    /// Why it was refused, or a server that cannot be reached.
    pub async fn submit_workflow(
        &self,
        workflow: SubmitWorkflow,
    ) -> Result<SubmittedWorkflowView, Error> {
        match &self.link {
            Link::Here(api) => Ok(api.submit_workflow(workflow).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let workflow = http.identified_workflow(workflow).await?;
                http.send(Call::post("/v1/workflows").safe(), &workflow)
                    .await
            }
        }
    }

    /// The workflow with the identity that a submission would give it, as [`Self::identified`] does
    /// with tasks.
    ///
    /// # Errors
    /// A server that cannot be reached.
    pub async fn identified_workflow(
        &self,
        workflow: SubmitWorkflow,
    ) -> Result<SubmitWorkflow, Error> {
        match &self.link {
            Link::Here(_) => Ok(workflow),
            #[cfg(feature = "http")]
            Link::Http(http) => http.identified_workflow(workflow).await,
        }
    }

    /// A workflow with the page of its tasks that `request` asks for; `None` when there is
    /// none of that id.
    ///
    /// # Errors
    /// A filter that cannot be, or a server that cannot be reached.
    pub async fn workflow(
        &self,
        id: WorkflowId,
        request: ListTasks,
    ) -> Result<Option<WorkflowView>, Error> {
        let found = match &self.link {
            Link::Here(api) => api.workflow(id, request).await.map_err(Error::from),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let path = format!("/v1/workflows/{id}{}", query(&request)?);
                http.fetch(Call::get(path)).await
            }
        };
        optional(found)
    }

    /// Cancels every task of a workflow that has not ended, or asks its holder to stop; `reason` is
    /// kept for people to read.
    ///
    /// # Errors
    /// An unknown workflow, or a server that cannot be reached: call it again then, and it goes
    /// on.
    pub async fn cancel_workflow(
        &self,
        id: WorkflowId,
        reason: Option<&str>,
    ) -> Result<CancelledWorkflowView, Error> {
        let request = CancelWorkflow {
            reason: reason.map(str::to_owned),
        };
        match &self.link {
            Link::Here(api) => Ok(api.cancel_workflow(id, request).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let call = Call::post(format!("/v1/workflows/{id}/cancel")).safe();
                http.send(call.waiting(limits::WORKFLOW_WAIT), &request)
                    .await
            }
        }
    }

    /// Lets a workflow go on where it failed: gives its tasks a new life that are dead, or were
    /// cancelled because of a dependency, and those that somebody cancelled when `cancelled` says
    /// so. What succeeded is kept.
    ///
    /// # Errors
    /// An unknown workflow, or a server that cannot be reached: call it again then, and it goes
    /// on. A task that cannot be redriven is told of in the reply.
    pub async fn redrive_workflow(
        &self,
        id: WorkflowId,
        cancelled: bool,
    ) -> Result<RedrivenWorkflowView, Error> {
        let request = RedriveWorkflow {
            request_id: None,
            cancelled,
        };
        match &self.link {
            Link::Here(api) => Ok(api.redrive_workflow(id, request).await?),
            #[cfg(feature = "http")]
            Link::Http(http) => {
                let request_id = Some(http.new_request_id());
                let call = Call::post(format!("/v1/workflows/{id}/redrive"));
                let call = call.safe().waiting(limits::WORKFLOW_WAIT);
                http.send(
                    call,
                    &RedriveWorkflow {
                        request_id,
                        ..request
                    },
                )
                .await
            }
        }
    }
}
