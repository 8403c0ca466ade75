//! `/v1/workflows`

use axum::extract::State;
use axum::http::StatusCode;
use russet::wire::{
    CancelWorkflow, CancelledWorkflowView, ListTasks, RedriveWorkflow, RedrivenWorkflowView,
    SubmitWorkflow, SubmittedWorkflowView, WorkflowView,
};
use russet_core::WorkflowId;

use super::App;
use super::input::{Filter, Input, InputOrDefault, KeyHeader, Named};
use super::refusal::Refusal;
use super::reply::Json;

/// Tasks that belong together: all of them are accepted, or none.
#[utoipa::path(post, path = "/v1/workflows", tag = "workflows", request_body = SubmitWorkflow,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "A key that names the workflow, in place of `idempotency_key`")),
    responses(
        (status = 200, description = "It had been submitted before", body = SubmittedWorkflowView),
        (status = 201, description = "It was submitted", body = SubmittedWorkflowView), Refusal))]
pub(super) async fn submit(
    State(app): State<App>,
    key: KeyHeader,
    Input(mut request): Input<SubmitWorkflow>,
) -> Result<(StatusCode, Json<SubmittedWorkflowView>), Refusal> {
    key.fill(&mut request.idempotency_key)?;
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

/// Cancels every task of a workflow that has not ended: at once where nobody holds it, else by
/// asking its holder.
#[utoipa::path(post, path = "/v1/workflows/{id}/cancel", tag = "workflows",
    params(("id" = String, Path, description = "The workflow")),
    request_body(content = Option<CancelWorkflow>), responses(
    (status = 200, description = "How many", body = CancelledWorkflowView), Refusal))]
pub(super) async fn cancel(
    State(app): State<App>,
    Named(id): Named<WorkflowId>,
    InputOrDefault(request): InputOrDefault<CancelWorkflow>,
) -> Result<Json<CancelledWorkflowView>, Refusal> {
    Ok(Json(app.api.cancel_workflow(id, request).await?))
}

/// Lets a workflow go on where it failed: its tasks that are dead, or were cancelled because of a
/// dependency, get a new life, in order. What succeeded is kept.
#[utoipa::path(post, path = "/v1/workflows/{id}/redrive", tag = "workflows",
    params(("id" = String, Path, description = "The workflow")),
    request_body(content = Option<RedriveWorkflow>), responses(
    (status = 200, description = "What was redriven, and what was not", body = RedrivenWorkflowView),
    Refusal))]
pub(super) async fn redrive(
    State(app): State<App>,
    Named(id): Named<WorkflowId>,
    InputOrDefault(request): InputOrDefault<RedriveWorkflow>,
) -> Result<Json<RedrivenWorkflowView>, Refusal> {
    Ok(Json(app.api.redrive_workflow(id, request).await?))
}
