use std::time::Duration;

use russet::core::Status;
use russet::{Client, Stopped, TaskContext, TaskFailure, Worker};
use russet_engine::Scheduler;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::server::Server;
use crate::world::{MINUTE, Running, Work, client, ended, scheduler, submit, work};

#[tokio::test(start_paused = true)]
async fn a_stopping_worker_lets_handlers_finish() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        assert!(!context.is_draining());
        context.draining().await;
        sleep(Duration::from_secs(10)).await;
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(running.stop().await, Stopped::default());
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_after_the_drain_is_given_back_without_using_a_retry() {
    let client = client();
    let handler = |_: TaskContext, _: Work| std::future::pending::<Result<(), TaskFailure>>();
    let worker = Worker::new(client.clone()).drain(Duration::from_secs(3));
    let running = Running::start(worker.register(handler));
    let id = submit(&client, work()).await;
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    let stopped = running.stop().await;
    assert_eq!((stopped.interrupted, stopped.unreported), (1, 0));
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
    let task = client.get(id).await.expect("is there").expect("exists");
    assert_eq!((task.status, task.retry_count), (Status::Queued, 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_comes_while_the_worker_stops_is_given_back_at_once() {
    let client = client();
    let handler = |_: TaskContext, _: Work| async { Ok::<(), TaskFailure>(()) };
    let worker = Worker::new(client.clone()).poll_wait(MINUTE);
    let running = Running::start(worker.register(handler));
    sleep(Duration::from_secs(1)).await;
    let stopping = tokio::spawn(running.stop());
    sleep(Duration::from_secs(1)).await;
    let id = submit(&client, work()).await;
    assert_eq!(stopping.await.expect("stops"), Stopped::default());
    let task = client.get(id).await.expect("is there").expect("exists");
    assert_eq!((task.status, task.retry_count), (Status::Queued, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_work_beside_its_scheduler_stops_at_once() {
    let client = client();
    let running = Running::start(Worker::new(client.clone()).poll_wait(MINUTE));
    sleep(MINUTE / 2).await;
    let start = Instant::now();
    assert_eq!(running.stop().await, Stopped::default());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_worker_ends_when_the_room_that_outlives_a_handler_is_free() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        let room = context.room().expect("the handler runs");
        tokio::spawn(async move {
            let _room = room;
            sleep(MINUTE).await;
        });
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    assert_eq!(ended(&client, id).await.status, Status::Succeeded);
    let start = Instant::now();
    assert_eq!(running.stop().await, Stopped::default());
    assert!(start.elapsed() > MINUTE / 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_task_is_given_back_when_what_outlives_its_dropped_handler_is_over() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        let room = context.room();
        let teller = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            // Until the handler is dropped, and then some more, as a process that is stopping.
            let _ = teller.1.await;
            sleep(MINUTE).await;
            drop(room);
        });
        let _teller = teller.0;
        std::future::pending::<Result<(), TaskFailure>>().await
    };
    let worker = Worker::new(client.clone()).drain(Duration::from_secs(3));
    let running = Running::start(worker.register(handler));
    let id = submit(&client, work()).await;
    sleep(Duration::from_secs(1)).await;
    let stopping = tokio::spawn(running.stop());
    sleep(MINUTE).await;
    let task = client.get(id).await.expect("is there").expect("exists");
    assert_eq!((task.status, task.attempt), (Status::Running, 1));
    let stopped = stopping.await.expect("stops");
    assert_eq!((stopped.interrupted, stopped.unreported), (1, 0));
    let task = client.get(id).await.expect("is there").expect("exists");
    assert_eq!((task.status, task.retry_count), (Status::Queued, 0));
}

#[tokio::test(start_paused = true)]
async fn handlers_end_at_once_when_that_is_asked_for() {
    let client = client();
    let handler = |_: TaskContext, _: Work| std::future::pending::<Result<(), TaskFailure>>();
    let worker = Worker::new(client.clone()).register(handler);
    let id = submit(&client, work()).await;
    let running = tokio::spawn(worker.run_until_either(sleep(MINUTE), sleep(MINUTE)));
    let stopped = running.await.expect("does not panic").expect("stops");
    assert_eq!((stopped.interrupted, stopped.unreported), (1, 0));
    let task = client.get(id).await.expect("is there").expect("exists");
    assert_eq!((task.status, task.retry_count), (Status::Queued, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_work_stops_at_once() {
    let client = client();
    let running = Running::start(Worker::new(client.clone()).poll_wait(MINUTE));
    sleep(MINUTE).await;
    let start = Instant::now();
    assert_eq!(running.stop().await, Stopped::default());
    assert!(start.elapsed() <= russet::limits::POLL_LEAVE);
}

/// How many workers count as live.
fn live(scheduler: &Scheduler) -> usize {
    scheduler.workers().live(scheduler.clock().now())
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_has_stopped_has_signed_off_and_one_that_was_dropped_has_not() {
    let scheduler = scheduler();
    let worker = || Worker::new(Client::in_process(scheduler.clone()));
    let (first, second) = (Running::start(worker()), Running::start(worker()));
    sleep(MINUTE).await;
    assert_eq!(live(&scheduler), 2);
    first.stop().await;
    assert_eq!(live(&scheduler), 1);
    second.kill();
    sleep(MINUTE).await;
    assert_eq!(live(&scheduler), 1);
}

#[tokio::test]
async fn a_worker_signs_off_over_http_too() {
    let server = Server::new();
    let site = server.open(None).await;
    let client = Client::http(&site.url()).expect("is an address");
    let scheduler = server.api.scheduler();
    let running = Running::start(Worker::new(client).named("host/1 ü"));
    while live(scheduler) == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    running.stop().await;
    assert_eq!(live(scheduler), 0);
}

#[tokio::test]
async fn bounded_a_worker_stops_although_nobody_answers_that_it_signs_off() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("has an address");
    let client = Client::http(&format!("http://{address}")).expect("is an address");
    let running = Running::start(Worker::new(client));
    let (poll, _) = silent.accept().await.expect("it asks");
    let start = Instant::now();
    assert_eq!(running.stop().await, Stopped::default());
    let (took, most) = (start.elapsed(), 3 * russet::limits::SIGN_OFF);
    assert!(took < most, "{took:?}");
    drop(poll);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_dropped_leaves_its_tasks_to_others() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        match context.attempt() {
            1 => std::future::pending().await,
            _ => Ok::<(), TaskFailure>(()),
        }
    };
    let worker = || Worker::new(client.clone()).register(handler);
    let first = Running::start(worker());
    let id = submit(
        &client,
        work().with_visibility_timeout(Duration::from_secs(5)),
    )
    .await;
    sleep(Duration::from_secs(1)).await;
    first.kill();
    let second = Running::start(worker());
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 2));
    second.stop().await;
}

/// Asks this process to stop, as an operator does.
#[cfg(unix)]
async fn terminate() {
    let pid = std::process::id().to_string();
    let kill = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(kill.expect("can be run").success());
    sleep(Duration::from_millis(200)).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_first_signal_drains_and_a_second_one_stops_at_once() {
    let client = client();
    let handler = |_: TaskContext, _: Work| std::future::pending::<Result<(), TaskFailure>>();
    let worker = Worker::new(client.clone()).register(handler);
    let id = submit(&client, work()).await;
    let worker = tokio::spawn(worker.run_until_signal());
    sleep(Duration::from_millis(200)).await;
    terminate().await;
    assert!(!worker.is_finished());
    terminate().await;
    let stopped = worker.await.expect("does not panic").expect("stops");
    assert_eq!(stopped.interrupted, 1);
    let task = client.get(id).await.expect("is there").expect("exists");
    assert_eq!((task.status, task.retry_count), (Status::Queued, 0));
}
