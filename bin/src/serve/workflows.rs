//! `/v1/workflows`

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use russet::wire::{ListTasks, SubmitTask, SubmitWorkflow, WorkflowView};
use russet_core::{TaskId, WorkflowId};
use serde::{Deserialize, Serialize};

use super::input::{Filter, Input, Named};
use super::refusal::Refusal;
use super::tasks::need;
use super::{App, explain};

/// What was submitted, and what its submitter should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AcceptedWorkflow {
    /// The workflow.
    #[schema(value_type = String)]
    pub workflow: WorkflowId,
    /// Its tasks by name.
    #[schema(value_type = BTreeMap<String, String>)]
    pub tasks: BTreeMap<String, TaskId>,
    /// Whether it had been submitted before: nothing was changed.
    pub existing: bool,
    /// What may keep tasks from running, such as resources that no live worker has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Tasks that belong together: all of them are accepted, or none.
#[utoipa::path(post, path = "/v1/workflows", tag = "workflows", request_body = SubmitWorkflow,
    responses(
        (status = 200, description = "It had been submitted before", body = AcceptedWorkflow),
        (status = 201, description = "It was submitted", body = AcceptedWorkflow), Refusal))]
pub(super) async fn submit(
    State(app): State<App>,
    Input(request): Input<SubmitWorkflow>,
) -> Result<(StatusCode, Json<AcceptedWorkflow>), Refusal> {
    let warnings = warnings(&app, &request);
    let submitted = app.api.submit_workflow(request).await?;
    let status = match submitted.existing {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    let accepted = AcceptedWorkflow {
        workflow: submitted.workflow,
        tasks: submitted.tasks,
        existing: submitted.existing,
        warnings,
    };
    Ok((status, Json(accepted)))
}

/// One warning for each lane that nobody can run.
fn warnings(app: &App, request: &SubmitWorkflow) -> Vec<String> {
    let defaults = request.defaults.as_ref();
    let filled = |task: &SubmitTask| {
        let Some(defaults) = defaults else {
            return need(task);
        };
        let own = &task.resource_requirements;
        let resources = if own.is_empty() {
            &defaults.resource_requirements
        } else {
            own
        };
        need(&SubmitTask {
            queue: task.queue.clone().or_else(|| defaults.queue.clone()),
            resource_requirements: resources.clone(),
            ..SubmitTask::default()
        })
    };
    let lanes: BTreeSet<_> = request.tasks.iter().filter_map(filled).collect();
    let warning = |(queue, needs)| explain::warning(app, &queue, &needs);
    lanes.into_iter().filter_map(warning).collect()
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
