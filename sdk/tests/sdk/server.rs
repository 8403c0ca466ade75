//! The API behind routes, with answers that get lost and refusals that pass.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use russet::Api;
use russet::core::{TaskId, WorkflowId};
use russet::wire::{
    CancelTask, ConfigureQueue, LeaseRequest, ListTasks, OneOrMany, Problem, RedriveTask, WaitTask,
};
use russet_backends::memory::Memory;
use russet_engine::{Backend, Configuration, Scheduler, SystemClock, SystemEntropy};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::world::Counter;

/// How many partitions the store has.
const PARTITIONS: u16 = 4;

/// A server whose answers can go wrong.
#[derive(Clone)]
pub struct Server {
    pub api: Api,
    /// Requests that were answered, refused or lost.
    pub requests: Counter,
    /// How many of the next answers to POST requests get lost on their way.
    pub lose: Arc<AtomicI64>,
    /// How many of the next requests are refused for now.
    pub refuse: Arc<AtomicI64>,
    /// What `Authorization` must say.
    pub token: Option<&'static str>,
}

/// A server on a port.
pub struct Site {
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Site {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes the port and all connections.
    pub async fn close(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }
}

impl Server {
    /// A server of a scheduler with an empty memory.
    pub fn new() -> Self {
        let clock = Arc::new(SystemClock);
        let memory = Memory::new(PARTITIONS, clock.clone());
        let backend = Backend {
            store: memory.clone(),
            queue: memory,
        };
        let entropy = Arc::new(SystemEntropy::new());
        let configuration = Configuration::default();
        Self::on(Scheduler::start(backend, configuration, clock, entropy))
    }

    /// A server of this scheduler.
    pub fn on(scheduler: Scheduler) -> Self {
        Self {
            api: Api::new(scheduler),
            requests: Counter::default(),
            lose: Arc::default(),
            refuse: Arc::default(),
            token: None,
        }
    }

    /// Serves on a port, or on any.
    pub async fn open(&self, address: Option<SocketAddr>) -> Site {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(address.unwrap_or(any)).await;
        let listener = listener.expect("the port is free");
        let address = listener.local_addr().expect("has an address");
        let router = router(self.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serves");
        });
        Site { address, serving }
    }
}

fn take(left: &AtomicI64) -> bool {
    left.fetch_sub(1, Ordering::SeqCst) > 0
}

async fn faults(State(server): State<Server>, request: Request, next: Next) -> Response {
    server.requests.add();
    if let Some(token) = server.token {
        let shown = request.headers().get("authorization");
        if shown.is_none_or(|shown| shown != token) {
            return refused(Problem::new("unauthorized", 401, "show a token"));
        }
    }
    if take(&server.refuse) {
        let busy = Problem::new("overloaded", 429, "busy").retry_after(10);
        return refused(busy);
    }
    let lose = request.method() == "POST" && take(&server.lose);
    let answer = next.run(request).await;
    assert!(
        !lose,
        "this closes the connection, as a broken network does"
    );
    answer
}

fn refused(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).expect("is a status");
    (status, Json(problem)).into_response()
}

fn reply<T: serde::Serialize>(result: Result<T, Problem>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(problem) => refused(problem),
    }
}

type Body<T> = Json<T>;
type One<T> = Body<OneOrMany<T>>;

/// What the server answers.
pub fn router(server: Server) -> Router {
    Router::new()
        .merge(tasks())
        .merge(leases())
        .merge(queues())
        .route(
            "/v1/info",
            get(async |State(s): State<Server>| Json(s.api.info(PARTITIONS))),
        )
        .layer(from_fn_with_state(server.clone(), faults))
        .layer(DefaultBodyLimit::disable())
        .with_state(server)
}

fn tasks() -> Router<Server> {
    Router::new()
        .route(
            "/v1/tasks",
            get(
                async |State(s): State<Server>, Query(q): Query<ListTasks>| {
                    reply(s.api.list(q).await)
                },
            )
            .post(async |State(s): State<Server>, Json(b): One<_>| reply(s.api.submit(b).await)),
        )
        .route(
            "/v1/tasks/cancel",
            post(async |State(s): State<Server>, Json(b): Body<_>| {
                reply(s.api.cancel_each(b).await)
            }),
        )
        .route(
            "/v1/tasks/purge",
            post(async |State(s): State<Server>, Json(b): Body<_>| {
                reply(s.api.purge_each(b).await)
            }),
        )
        .route(
            "/v1/tasks/redrive",
            post(async |State(s): State<Server>, Json(b): Body<_>| {
                reply(s.api.redrive_each(b).await)
            }),
        )
        .route(
            "/v1/tasks/{id}",
            get(async |State(s): State<Server>, Path(id): Path<TaskId>| reply(s.api.get(id).await)),
        )
        .route(
            "/v1/tasks/{id}/wait",
            get(
                async |State(s): State<Server>,
                       Path(id): Path<TaskId>,
                       Query(q): Query<WaitTask>| {
                    reply(s.api.wait(id, q).await)
                },
            ),
        )
        .route(
            "/v1/tasks/{id}/cancel",
            post(
                async |State(s): State<Server>,
                       Path(id): Path<TaskId>,
                       Json(b): Body<CancelTask>| {
                    reply(s.api.cancel(id, b).await)
                },
            ),
        )
        .route(
            "/v1/tasks/{id}/redrive",
            post(
                async |State(s): State<Server>,
                       Path(id): Path<TaskId>,
                       Json(b): Body<RedriveTask>| {
                    reply(s.api.redrive(id, b).await)
                },
            ),
        )
        .route(
            "/v1/tasks/{id}/purge",
            post(async |State(s): State<Server>, Path(id): Path<TaskId>| {
                reply(s.api.purge(id).await)
            }),
        )
        .route(
            "/v1/workflows",
            post(async |State(s): State<Server>, Json(b): Body<_>| {
                reply(s.api.submit_workflow(b).await)
            }),
        )
        .route(
            "/v1/workflows/{id}/cancel",
            post(
                async |State(s): State<Server>, Path(id): Path<WorkflowId>, Json(b): Body<_>| {
                    reply(s.api.cancel_workflow(id, b).await)
                },
            ),
        )
        .route(
            "/v1/workflows/{id}",
            get(
                async |State(s): State<Server>,
                       Path(id): Path<WorkflowId>,
                       Query(q): Query<ListTasks>| {
                    reply(s.api.workflow(id, q).await)
                },
            ),
        )
}

fn leases() -> Router<Server> {
    Router::new()
        .route(
            "/v1/leases",
            post(
                async |State(s): State<Server>, Json(b): Body<LeaseRequest>| {
                    reply(s.api.lease(b).await)
                },
            ),
        )
        .route(
            "/v1/leases/extend",
            post(async |State(s): State<Server>, Json(b): One<_>| reply(s.api.extend(b).await)),
        )
        .route(
            "/v1/leases/complete",
            post(async |State(s): State<Server>, Json(b): One<_>| reply(s.api.complete(b).await)),
        )
        .route(
            "/v1/leases/fail",
            post(async |State(s): State<Server>, Json(b): One<_>| reply(s.api.fail(b).await)),
        )
        .route(
            "/v1/leases/release",
            post(async |State(s): State<Server>, Json(b): One<_>| reply(s.api.release(b).await)),
        )
        .route(
            "/v1/workers/{worker}",
            delete(
                async |State(s): State<Server>, Path(worker): Path<String>| {
                    reply(s.api.sign_off(&worker))
                },
            ),
        )
}

fn queues() -> Router<Server> {
    Router::new()
        .route(
            "/v1/queues",
            get(async |State(s): State<Server>| reply(s.api.queues().await)),
        )
        .route(
            "/v1/queues/{name}",
            get(async |State(s): State<Server>, Path(name): Path<String>| {
                reply(s.api.queue(&name).await)
            })
            .patch(
                async |State(s): State<Server>,
                       Path(name): Path<String>,
                       Json(b): Body<ConfigureQueue>| {
                    reply(s.api.configure(&name, b).await)
                },
            ),
        )
        .route(
            "/v1/queues/{name}/pause",
            post(async |State(s): State<Server>, Path(name): Path<String>| {
                reply(s.api.pause(&name).await)
            }),
        )
        .route(
            "/v1/queues/{name}/resume",
            post(async |State(s): State<Server>, Path(name): Path<String>| {
                reply(s.api.resume(&name).await)
            }),
        )
}
