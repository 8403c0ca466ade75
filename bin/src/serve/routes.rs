use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use russet::wire::Problem;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::refusal::Refusal;
use super::{
    App, events, explain, gate, health, info, leases, openapi, ping, queues, tasks, workflows,
};

/// Every route with its handler and its documentation.
pub(super) fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(tasks::list, tasks::submit))
        .routes(routes!(tasks::cancel_all))
        .routes(routes!(tasks::purge_all))
        .routes(routes!(tasks::redrive_all))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::purge))
        .routes(routes!(tasks::wait))
        .routes(routes!(tasks::cancel))
        .routes(routes!(tasks::redrive))
        .routes(routes!(explain::explain))
        .routes(routes!(workflows::submit))
        .routes(routes!(workflows::get))
        .routes(routes!(workflows::cancel))
        .routes(routes!(workflows::redrive))
        .routes(routes!(leases::lease))
        .routes(routes!(leases::extend))
        .routes(routes!(leases::complete))
        .routes(routes!(leases::fail))
        .routes(routes!(leases::release))
        .routes(routes!(leases::sign_off))
        .routes(routes!(queues::list))
        .routes(routes!(queues::get, queues::configure))
        .routes(routes!(queues::pause))
        .routes(routes!(queues::resume))
        .routes(routes!(events::stream))
        .routes(routes!(info::info))
        .routes(routes!(ping::ping))
        .routes(routes!(openapi::serve))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// The whole service.
pub fn router(app: App) -> Router {
    let (routes, _) = documented().split_for_parts();
    routes
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), gate::pass))
        .with_state(app)
}

async fn unknown(uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(100).collect();
    let detail = format!("there is nothing at {path}: /openapi.json lists what there is");
    Problem::new("no_route", 404, detail).into()
}

async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(100).collect();
    let detail = format!("{path} does not take {method}: see the Allow header, or /openapi.json");
    Problem::new("method_not_allowed", 405, detail).into()
}
