//! `/v1/workflows`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use russet::wire::{ListTasks, SubmitWorkflow, SubmittedWorkflowView, WorkflowView};
use russet_core::WorkflowId;

use super::App;
use super::input::{Filter, Input, Named};
use super::refusal::Refusal;

/// Tasks that belong together: all of them are accepted, or none.
#[utoipa::path(post, path = "/v1/workflows", tag = "workflows", request_body = SubmitWorkflow,
    responses(
        (status = 200, description = "It had been submitted before", body = SubmittedWorkflowView),
        (status = 201, description = "It was submitted", body = SubmittedWorkflowView), Refusal))]
pub(super) async fn submit(
    State(app): State<App>,
    Input(request): Input<SubmitWorkflow>,
) -> Result<(StatusCode, Json<SubmittedWorkflowView>), Refusal> {
    let submitted = app.api.submit_workflow(request).await?;
    let status = match submitted.existing {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    Ok((status, Json(submitted)))
}

/// A workflow, with a page of its tasks.
#[utoipa::path(get, path = "/v1/workflows/{id}", tag = "workflows",
    params(("id" = String, Path, description = "The workflow"), ListTasks), responses(
    (status = 200, description = "The workflow", body = WorkflowView), Refusal))]
pub(super) async fn get(
    State(app): State<App>,
    Named(id): Named<WorkflowId>,
    Filter(request): Filter<ListTasks>,
) -> Result<Json<WorkflowView>, Refusal> {
    Ok(Json(app.api.workflow(id, request).await?))
}
