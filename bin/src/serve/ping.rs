use super::refusal::Refusal;
use super::reply::Json;

/// Nothing, as JSON.
#[derive(Clone, Copy, Debug, serde::Serialize, utoipa::ToSchema)]
pub(super) struct Pong {}

/// An empty answer: what a request costs without any work in it.
#[utoipa::path(get, path = "/v1/ping", tag = "info", responses(
    (status = 200, description = "Always the same", body = Pong), Refusal))]
pub(super) async fn ping() -> Json<Pong> {
    Json(Pong {})
}
