use russet_core::WorkflowId;

#[cfg(feature = "http")]
use super::http::{Call, query};
use super::tasks::optional;
use super::{Client, Link};
use crate::Error;
use crate::wire::{ListTasks, SubmitWorkflow, SubmittedWorkflowView, WorkflowView};

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
}
