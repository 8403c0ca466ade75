//! Reports over a line that takes its time for each byte, and to a server that takes no delays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use bytes::Bytes;
use russet::core::{ErrorKind, Millis, Status, Timestamp};
use russet::wire::{LeaseReply, Problem};
use russet::{
    Client, TaskContext, TaskFailure, TaskOutput, Transport, TransportError, Worker, limits,
};
use russet_engine::SystemEntropy;
use tower::{ServiceExt, service_fn};

use crate::server::{Server, router};
use crate::world::{MINUTE, Running, scheduler, submit, work};

/// How many bytes the line carries in a second.
const BYTES_A_SECOND: u64 = 1_000_000;
/// How many tasks end at once.
const TASKS: usize = 24;
/// How large the result of each is: all of them take longer than one call may, and as many as go
/// with one request do not.
const RESULT_BYTES: usize = 900_000;

/// A slow line to a server.
struct Line {
    server: Router,
    /// The sizes of the reports of completions.
    sizes: Arc<Mutex<Vec<usize>>>,
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let bytes = request.body().len();
        if request.uri().path().ends_with("/complete") {
            self.sizes.lock().expect("no panic").push(bytes);
        }
        let takes = Duration::from_millis(bytes as u64 * 1_000 / BYTES_A_SECOND);
        tokio::time::sleep(takes).await;
        Ok(answer(&self.server, request).await)
    }
}

/// What the server answers.
pub async fn answer(server: &Router, request: Request<Bytes>) -> Response<Bytes> {
    let answer = server.clone().oneshot(request.map(Body::from)).await;
    let (head, body) = answer.expect("a router always answers").into_parts();
    let body = to_bytes(body, limits::REPLY_BYTES).await.expect("a body");
    Response::from_parts(head, body)
}

/// A line to a server of another version, by which no report may ask for a delay.
struct Strict(Router);

#[async_trait]
impl Transport for Strict {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let text = String::from_utf8_lossy(request.body()).into_owned();
        if !text.contains("delay_ms") && !text.contains("retry_after_ms") {
            return Ok(answer(&self.0, request).await);
        }
        let problem = Problem::new("invalid", 422, "no delays here");
        let body = serde_json::to_vec(&problem).expect("is JSON");
        let answer = Response::builder().status(422).body(body.into());
        Ok(answer.expect("an answer"))
    }
}

/// A line to a server that never answers requests to some paths, and takes a while after a grant.
struct Deaf {
    server: Router,
    to: &'static [&'static str],
    delay: Duration,
}

#[async_trait]
impl Transport for Deaf {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let path = request.uri().path().to_owned();
        if self.to.iter().any(|deaf| path.ends_with(deaf)) {
            return std::future::pending().await;
        }
        let answer = answer(&self.server, request).await;
        if !path.ends_with("/leases") {
            return Ok(answer);
        }
        tokio::time::sleep(self.delay).await;
        let mut reply: LeaseReply = serde_json::from_slice(answer.body()).expect("a reply");
        let now: Timestamp = reply.now.expect("the server's time").into();
        reply.now = Some((now + Millis::new(self.delay.as_millis() as u64)).into());
        let body = serde_json::to_vec(&reply).expect("is JSON");
        Ok(answer.map(|_| body.into()))
    }
}

impl Deaf {
    fn client(server: &Server, to: &'static [&'static str], delay: Duration) -> Client {
        let line = Self {
            server: router(server.clone()),
            to,
            delay,
        };
        let entropy = Arc::new(SystemEntropy::new());
        Client::over(line, "http://far", entropy).expect("an address")
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_stops_although_reports_of_leases_that_are_over_are_never_answered() {
    let server = Server::on(scheduler());
    let client = Deaf::client(&server, &["/complete", "/extend"], Duration::ZERO);
    let keeping = service_fn(|context: TaskContext| async move {
        context.keep_room();
        TaskOutput::of(&"done")
    });
    submit(&client, work()).await;
    let worker = Worker::new(client).lease(Duration::from_secs(20));
    let running = Running::start(worker.service("work", keeping));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = tokio::time::Instant::now();
    let stopped = tokio::time::timeout(10 * MINUTE, running.stop()).await;
    assert!(stopped.is_ok(), "it stops");
    assert!(before.elapsed() < MINUTE, "{:?}", before.elapsed());
}

/// Says when the first of them is dropped.
struct Dropped(Arc<Mutex<Option<tokio::time::Instant>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let mut first = self.0.lock().expect("no panic");
        first.get_or_insert_with(tokio::time::Instant::now);
    }
}

#[tokio::test(start_paused = true)]
async fn lease_respected_a_lease_lasts_no_longer_for_its_holder_where_the_server_was_slow() {
    let (term, delay) = (Duration::from_secs(9), Duration::from_secs(4));
    let server = Server::on(scheduler());
    let client = Deaf::client(&server, &["/extend"], delay);
    let ended = Arc::new(Mutex::new(None));
    let guarded = ended.clone();
    let endless = service_fn(move |_: TaskContext| {
        let dropped = Dropped(guarded.clone());
        async move {
            tokio::time::sleep(10 * MINUTE).await;
            drop(dropped);
            TaskOutput::of(&"done")
        }
    });
    let id = submit(&client, work()).await;
    let running = Running::start(Worker::new(client).lease(term).service("work", endless));
    let start = tokio::time::Instant::now();
    tokio::time::sleep(MINUTE).await;
    running.kill();
    let task = server
        .api
        .scheduler()
        .get(id)
        .await
        .expect("answers")
        .expect("exists");
    assert!(task.attempt >= 1);
    let ended = ended.lock().expect("no panic").expect("it was stopped");
    let held = ended.duration_since(start);
    assert!(held <= term + Duration::from_secs(1), "{held:?}");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_refused_is_not_left_to_the_end_of_the_lease() {
    let delay = Duration::from_secs(1);
    for (failure, why) in [
        (TaskFailure::retry_after("busy", delay), "busy"),
        (
            TaskFailure::snooze(delay),
            "the release was refused: no delays here",
        ),
    ] {
        let server = Server::on(scheduler());
        let entropy = Arc::new(SystemEntropy::new());
        let line = Strict(router(server.clone()));
        let client = Client::over(line, "http://far", entropy).expect("an address");
        let failing = service_fn(move |_: TaskContext| std::future::ready(failed(&failure)));
        let id = submit(&client, work().with_max_retries(0)).await;
        let running = Running::start(Worker::new(client).service("work", failing));
        let ended = server
            .api
            .scheduler()
            .wait(id, Duration::from_secs(5))
            .await;
        let task = ended.expect("answers").expect("exists");
        assert_eq!(task.status, Status::Dead);
        let error = task.last_error.as_ref().expect("says why");
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::Failed, why)
        );
        running.stop().await;
    }
}

fn failed(failure: &TaskFailure) -> Result<TaskOutput, TaskFailure> {
    Err(failure.clone())
}

#[tokio::test(start_paused = true)]
async fn no_loss_large_results_that_end_together_go_in_requests_that_are_answered_in_time() {
    let server = Server::on(scheduler());
    let sizes = Arc::<Mutex<Vec<usize>>>::default();
    let line = Line {
        server: router(server.clone()),
        sizes: sizes.clone(),
    };
    let entropy = Arc::new(SystemEntropy::new());
    let client = Client::over(line, "http://far", entropy).expect("an address");
    let large = service_fn(|_: TaskContext| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        TaskOutput::of(&"x".repeat(RESULT_BYTES))
    });
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        tasks.push(submit(&client, work()).await);
    }
    let worker = Worker::new(client).concurrency(TASKS);
    let running = Running::start(worker.service("work", large));
    for id in tasks {
        let ended = server.api.scheduler().wait(id, MINUTE).await;
        let task = ended.expect("answers").expect("exists");
        assert_eq!((task.status, task.attempt), (Status::Succeeded, 1));
        let result = task.result.as_ref().map_or(0, |result| result.len());
        assert_eq!(result, RESULT_BYTES + "\"\"".len());
    }
    running.stop().await;
    let sizes = sizes.lock().expect("no panic");
    let largest = *sizes.iter().max().expect("there were some");
    assert!(largest < limits::REQUEST_BYTES + TASKS * 200, "{sizes:?}");
    let sent: usize = sizes.iter().sum();
    assert!(
        sent < TASKS * (RESULT_BYTES + 200),
        "each goes once: {sizes:?}"
    );
}
