use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::http::{Request, Response};
use bytes::Bytes;
use russet::core::{ErrorKind, Status};
use russet::{Client, TaskContext, TaskFailure, Transport, TransportError, Worker};
use russet_engine::SystemEntropy;
use tokio::time::{Instant, sleep};

use crate::failures::DropCounter;
use crate::reports::answer;
use crate::server::{Server, router};
use crate::world::{Counter, MINUTE, Running, Work, client, ended, submit, work};

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_lease_for_as_long_as_the_work_takes() {
    let client = client();
    let handler = |_: TaskContext, _: Work| async {
        sleep(10 * MINUTE).await;
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(
        &client,
        work().with_visibility_timeout(Duration::from_secs(3)),
    )
    .await;
    let task = client.wait(id, 11 * MINUTE).await.expect("exists");
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 1));
    running.stop().await;
}

/// A line on which the first call with heartbeats gets its answer late.
struct Stalling {
    server: Router,
    calls: Counter,
}

#[async_trait]
impl Transport for Stalling {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if request.uri().path().ends_with("/extend") && self.calls.add() == 1 {
            sleep(Duration::from_secs(9)).await;
        }
        Ok(answer(&self.server, request).await)
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_with_heartbeats_that_is_not_answered_keeps_no_other_lease_from_its_own() {
    let calls = Counter::default();
    let line = Stalling {
        server: router(Server::on(crate::world::scheduler())),
        calls: calls.clone(),
    };
    let entropy = Arc::new(SystemEntropy::new());
    let client = Client::over(line, "http://far", entropy).expect("an address");
    let handler = |_: TaskContext, _: Work| async {
        sleep(Duration::from_secs(25)).await;
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let lasting = |lease| work().with_visibility_timeout(Duration::from_secs(lease));
    let long = submit(&client, lasting(30)).await;
    // Its first heartbeat comes after 10 s.
    sleep(Duration::from_secs(11)).await;
    assert_eq!(calls.get(), 1);
    let short = submit(&client, lasting(3)).await;
    for id in [long, short] {
        let task = ended(&client, id).await;
        assert_eq!((task.status, task.attempt), (Status::Succeeded, 1));
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn progress_is_seen_with_the_next_heartbeat() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        context.progress(40, "nearly half");
        sleep(MINUTE).await;
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(
        &client,
        work().with_visibility_timeout(Duration::from_secs(3)),
    )
    .await;
    sleep(Duration::from_secs(2)).await;
    let task = client.get(id).await.expect("is there").expect("exists");
    let progress = task.progress.expect("says how far it is");
    assert_eq!(progress.percent, Some(40));
    assert_eq!(progress.message.as_deref(), Some("nearly half"));
    ended(&client, id).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_is_kept_at_once_and_read_by_the_next_attempt() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        let from: u64 = context.saved()?.unwrap_or(0);
        if context.attempt() == 1 {
            assert_eq!(from, 0);
            let start = Instant::now();
            context.checkpoint(&7).await?;
            assert_eq!(start.elapsed(), Duration::ZERO);
            return Err(TaskFailure::retry("stumbled"));
        }
        assert_eq!(from, 7);
        Ok(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 2));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_is_too_large_is_refused_and_the_lease_goes_on() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        let large = "x".repeat(2 * 1024 * 1024);
        let refused = context.checkpoint(&large).await;
        assert!(refused.is_err());
        sleep(MINUTE).await;
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(
        &client,
        work().with_visibility_timeout(Duration::from_secs(3)),
    )
    .await;
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_handler_is_told_and_may_clean_up() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        assert!(!context.is_cancelled());
        context.cancelled().await;
        assert!(context.is_cancelled());
        Err::<(), _>(TaskFailure::cancelled())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    sleep(Duration::from_secs(1)).await;
    let now = client
        .cancel(id, Some("not needed"))
        .await
        .expect("can be cancelled");
    assert!(now.cancel_requested);
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Cancelled, 1));
    let error = task.last_error.expect("says why");
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Cancelled, "not needed")
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ignores_its_cancellation_is_dropped_after_a_grace() {
    let client = client();
    let handler = |_: TaskContext, _: Work| std::future::pending::<Result<(), TaskFailure>>();
    let worker = Worker::new(client.clone()).cancel_grace(Some(Duration::from_secs(5)));
    let running = Running::start(worker.register(handler));
    let id = submit(&client, work()).await;
    sleep(Duration::from_secs(1)).await;
    client.cancel(id, None).await.expect("can be cancelled");
    let asked = Instant::now();
    assert_eq!(ended(&client, id).await.status, Status::Cancelled);
    // A heartbeat tells of it, at the latest after a third of the lease of 30 s.
    assert!(
        asked.elapsed() <= Duration::from_secs(16),
        "{:?}",
        asked.elapsed()
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_lease_is_lost_is_dropped_and_reports_nothing() {
    let scheduler = crate::world::scheduler();
    let client = russet::Client::in_process(scheduler.clone());
    let dropped = Counter::default();
    let counted = dropped.clone();
    let handler = move |_: TaskContext, _: Work| {
        let guard = DropCounter(counted.clone());
        async move {
            let _guard = guard;
            std::future::pending::<Result<(), TaskFailure>>().await
        }
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    sleep(Duration::from_secs(1)).await;
    // Somebody else reports the end under the same lease, so that it is stale for the worker.
    let task = client.get(id).await.expect("is there").expect("exists");
    let complete = russet::wire::CompleteLease {
        task: id,
        lease_id: task.lease_id.expect("is running"),
        result: None,
        follow_ups: Vec::new(),
        progress: None,
    };
    let mut results = client.complete(vec![complete]).await;
    results.remove(0).expect("is accepted");
    sleep(Duration::from_secs(15)).await;
    assert_eq!(dropped.get(), 1);
    assert_eq!(running.stop().await, russet::Stopped::default());
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_dropped_when_its_lease_cannot_be_extended_in_time() {
    let scheduler = crate::world::scheduler();
    let client = russet::Client::in_process(scheduler.clone());
    let dropped = Counter::default();
    let counted = dropped.clone();
    let handler = move |_: TaskContext, _: Work| {
        let guard = DropCounter(counted.clone());
        async move {
            let _guard = guard;
            std::future::pending::<Result<(), TaskFailure>>().await
        }
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    submit(&client, work()).await;
    sleep(Duration::from_secs(1)).await;
    scheduler.stop().await;
    sleep(Duration::from_secs(25)).await;
    assert_eq!(dropped.get(), 0);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(dropped.get(), 1);
    running.kill();
}
