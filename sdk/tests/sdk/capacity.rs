use std::time::Duration;

use russet::core::Status;
use russet::wire::SubmitTask;
use russet::{TaskContext, TaskFailure, TaskKind, Worker, handler};
use tokio::time::sleep;
use tower::ServiceBuilder;

use crate::world::{Counter, MINUTE, Running, Work, client, ended, submit, work};

/// A handler that takes a second, and the most of them that ran at once.
fn slow(most: &Counter) -> impl Fn(TaskContext, Work) -> Slow + Clone + Send + Sync + 'static {
    let (now, most) = (Counter::default(), most.clone());
    move |_, _| {
        let (now, most) = (now.clone(), most.clone());
        Box::pin(async move {
            most.max(now.add());
            sleep(Duration::from_secs(1)).await;
            now.sub();
            Ok(())
        })
    }
}

type Slow = std::pin::Pin<Box<dyn Future<Output = Result<(), TaskFailure>> + Send>>;

/// Runs ten of `task`, and returns the most of them that ran at once.
async fn ten(worker: Worker, client: &russet::Client, task: SubmitTask) {
    let running = Running::start(worker);
    let submitted = client.submit_many(vec![task; 10]).await;
    for result in submitted {
        let id = result.expect("is accepted").task;
        assert_eq!(ended(client, id).await.status, Status::Succeeded);
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_handlers_run_at_once_than_the_worker_may_run() {
    let (client, most) = (client(), Counter::default());
    let worker = Worker::new(client.clone())
        .concurrency(3)
        .register(slow(&most));
    ten(worker, &client, work()).await;
    assert_eq!(most.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn no_more_handlers_run_at_once_than_the_resources_allow() {
    let (client, most) = (client(), Counter::default());
    let worker = Worker::new(client.clone())
        .resource("gpu", 4)
        .register(slow(&most));
    ten(worker, &client, work().needing("gpu", 2)).await;
    assert_eq!(most.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn freed_resources_are_used_at_once_beside_the_scheduler() {
    let (client, most) = (client(), Counter::default());
    let worker = Worker::new(client.clone())
        .resource("gpu", 4)
        .poll_wait(MINUTE)
        .register(slow(&most));
    let running = Running::start(worker);
    let small = submit(&client, work().needing("gpu", 1)).await;
    sleep(Duration::from_millis(100)).await;
    let large = submit(&client, work().needing("gpu", 4)).await;
    let start = tokio::time::Instant::now();
    ended(&client, small).await;
    ended(&client, large).await;
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn room_that_outlives_its_handler_is_not_given_to_another_task() {
    let (client, now, most) = (client(), Counter::default(), Counter::default());
    let seen = most.clone();
    let worker = Worker::new(client.clone()).concurrency(2).register(
        move |context: TaskContext, _: Work| {
            let (now, most, room) = (now.clone(), seen.clone(), context.room());
            async move {
                most.max(now.add());
                tokio::spawn(async move {
                    sleep(Duration::from_secs(1)).await;
                    now.sub();
                    drop(room);
                });
                Ok::<(), TaskFailure>(())
            }
        },
    );
    ten(worker, &client, work()).await;
    assert_eq!(most.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn room_that_is_kept_goes_to_the_urgent_task_that_the_end_makes_ready() {
    let client = client();
    let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = order.clone();
    let worker = Worker::new(client.clone()).concurrency(1).register(
        move |context: TaskContext, _: Work| {
            seen.lock().expect("no panic").push(context.id());
            async move {
                context.keep_room();
                sleep(Duration::from_secs(1)).await;
                Ok::<(), TaskFailure>(())
            }
        },
    );
    // What becomes ready in the same partition is ready with the end.
    let ordinary = work().with_partition_key("one");
    let first = submit(&client, ordinary.clone().with_priority(9)).await;
    let other = submit(&client, ordinary.clone()).await;
    let urgent = submit(&client, ordinary.with_priority(9).after(first)).await;
    let running = Running::start(worker);
    ended(&client, other).await;
    running.stop().await;
    assert_eq!(*order.lock().expect("no panic"), [first, urgent, other]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fits_no_worker_does_not_block_the_others() {
    let (client, most) = (client(), Counter::default());
    let worker = Worker::new(client.clone())
        .resource("gpu", 1)
        .register(slow(&most));
    let large = submit(&client, work().needing("gpu", 8)).await;
    ten(worker, &client, work()).await;
    let large = client.get(large).await.expect("is there").expect("exists");
    assert_eq!(large.status, Status::Queued);
}

#[tokio::test(start_paused = true)]
async fn the_layers_of_tower_apply_to_handlers() {
    let (client, most) = (client(), Counter::default());
    let limited = ServiceBuilder::new()
        .concurrency_limit(2)
        .service(handler(slow(&most)));
    let worker = Worker::new(client.clone()).service(Work::TYPE, limited);
    ten(worker, &client, work()).await;
    assert_eq!(most.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_layer_reports_the_attempt_as_timed_out() {
    let client = client();
    let forever = |_: TaskContext, _: Work| std::future::pending::<Result<(), TaskFailure>>();
    let limited = ServiceBuilder::new()
        .timeout(MINUTE)
        .service(handler(forever));
    let running = Running::start(Worker::new(client.clone()).service(Work::TYPE, limited));
    let id = submit(&client, work().with_max_retries(0)).await;
    let task = ended(&client, id).await;
    let error = task.last_error.expect("says why");
    assert_eq!(error.kind, russet::core::ErrorKind::TimedOut);
    running.stop().await;
}
