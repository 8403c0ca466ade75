use axum::extract::State;
use russet::wire::Info;

use super::App;
use super::refusal::Refusal;
use super::reply::Json;

/// What the server says about itself.
#[utoipa::path(get, path = "/v1/info", tag = "info", responses(
    (status = 200, description = "The server", body = Info), Refusal))]
pub(super) async fn info(State(app): State<App>) -> Json<Info> {
    Json(app.api.info(app.partitions))
}
