//! Reports over a line that takes its time for each byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use bytes::Bytes;
use russet::core::Status;
use russet::{Client, TaskContext, TaskOutput, Transport, TransportError, Worker, limits};
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
        let answer = self.server.clone().oneshot(request.map(Body::from)).await;
        let (head, body) = answer.expect("a router always answers").into_parts();
        let body = to_bytes(body, limits::REPLY_BYTES).await.expect("a body");
        Ok(Response::from_parts(head, body))
    }
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
