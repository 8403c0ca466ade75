use std::time::Duration;

use russet::core::{ErrorKind, Status};
use russet::{Error, TaskContext, TaskFailure, Worker, limits};
use tokio::time::Instant;

use crate::world::{Counter, MINUTE, Running, Work, client, ended, submit, work};

/// Runs one task with a handler and returns it as it ended.
async fn run<F, Fut>(task: russet::wire::SubmitTask, handler: F) -> russet::wire::TaskView
where
    F: Fn(TaskContext, Work) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), TaskFailure>> + Send + 'static,
{
    let client = client();
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, task).await;
    let task = ended(&client, id).await;
    running.stop().await;
    task
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_tried_again_until_the_retries_are_used_up() {
    let task = run(work().with_max_retries(2), |_, _| async {
        Err(TaskFailure::retry("the disk is full"))
    })
    .await;
    assert_eq!(
        (task.status, task.attempt, task.retry_count),
        (Status::Dead, 3, 2)
    );
    let error = task.last_error.expect("says why");
    assert_eq!((error.kind, error.attempt), (ErrorKind::Failed, 3));
    assert_eq!(error.message, "the disk is full");
}

#[tokio::test(start_paused = true)]
async fn what_was_said_about_progress_is_kept_when_the_attempt_ends_before_a_heartbeat() {
    let task = run(work().with_max_retries(0), |context, _| async move {
        context.progress(60, "nearly there");
        Err(TaskFailure::retry("the disk is full"))
    })
    .await;
    let progress = task.progress.expect("says how far it was");
    assert_eq!(progress.percent, Some(60));
    assert_eq!(progress.message.as_deref(), Some("nearly there"));
    let task = run(work(), |context, _| async move {
        context.progress(100, "done");
        Ok(())
    })
    .await;
    assert_eq!(task.status, Status::Succeeded);
    assert_eq!(task.progress.expect("is complete").percent, Some(100));
}

#[tokio::test(start_paused = true)]
async fn any_error_of_a_handler_is_tried_again() {
    let task = run(work(), |context, _| async move {
        if context.attempt() == 1 {
            let _: u64 = "seven".parse()?;
        }
        Ok(())
    })
    .await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 2));
    let error = task.last_error.expect("keeps the first failure");
    assert!(error.message.contains("invalid digit"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn a_final_failure_is_not_tried_again() {
    let task = run(work(), |_, _| async {
        Err(TaskFailure::final_("no such user"))
    })
    .await;
    assert_eq!((task.status, task.attempt), (Status::Dead, 1));
    assert_eq!(task.last_error.expect("says why").kind, ErrorKind::Final);
}

#[tokio::test(start_paused = true)]
async fn a_failure_may_say_when_to_try_again() {
    let start = Instant::now();
    let wait = Duration::from_secs(300);
    let task = run(work(), move |context, _| async move {
        match context.attempt() {
            1 => Err(TaskFailure::retry_after("busy", wait)),
            _ => Ok(()),
        }
    })
    .await;
    assert_eq!((task.status, task.retry_count), (Status::Succeeded, 1));
    assert!(start.elapsed() >= wait);
}

#[tokio::test(start_paused = true)]
async fn a_snoozed_task_comes_back_without_using_a_retry() {
    let start = Instant::now();
    let task = run(work().with_max_retries(0), |context, _| async move {
        match context.attempt() {
            1..=3 => Err(TaskFailure::snooze(MINUTE)),
            _ => Ok(()),
        }
    })
    .await;
    assert_eq!(
        (task.status, task.retry_count, task.attempt),
        (Status::Succeeded, 0, 4)
    );
    assert!(start.elapsed() >= 3 * MINUTE);
}

/// Runs the first attempt of a task, which ends so; the task as it is then.
async fn after_one(failure: TaskFailure) -> russet::wire::TaskView {
    let client = client();
    let handler = move |_: TaskContext, _: Work| std::future::ready(Err::<(), _>(failure.clone()));
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    tokio::time::sleep(MINUTE).await;
    running.stop().await;
    client.get(id).await.expect("is there").expect("exists")
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_is_longer_than_any_may_be_costs_neither_the_report_nor_a_retry() {
    let too_long = limits::DELAY_MAX + Duration::from_millis(1);
    for delay in [too_long, Duration::from_secs(u64::MAX), Duration::MAX] {
        let snoozed = after_one(TaskFailure::snooze(delay)).await;
        assert_eq!(
            (snoozed.status, snoozed.attempt, snoozed.retry_count),
            (Status::Scheduled, 1, 0)
        );
        let failed = after_one(TaskFailure::retry_after("busy", delay)).await;
        assert_eq!(
            (failed.status, failed.attempt, failed.retry_count),
            (Status::Scheduled, 1, 1)
        );
        assert_eq!(failed.last_error.expect("says why").message, "busy");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_its_message() {
    let task = run(work().with_max_retries(0), |_, _| async {
        panic!("index out of luck")
    })
    .await;
    assert_eq!(task.status, Status::Dead);
    let error = task.last_error.expect("says why");
    assert_eq!(error.kind, ErrorKind::Panicked);
    assert_eq!(error.message, "index out of luck");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_dropped_and_reported_as_timed_out() {
    let dropped = Counter::default();
    let counted = dropped.clone();
    let task = work()
        .with_max_retries(0)
        .with_timeout(Duration::from_secs(5));
    let task = run(task, move |_, _| {
        let guard = DropCounter(counted.clone());
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    })
    .await;
    assert_eq!(task.status, Status::Dead);
    assert_eq!(task.last_error.expect("says why").kind, ErrorKind::TimedOut);
    assert_eq!(dropped.get(), 1);
}

/// Counts when it is dropped.
pub struct DropCounter(pub Counter);

impl Drop for DropCounter {
    fn drop(&mut self) {
        self.0.add();
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_of_another_shape_is_a_final_failure() {
    let client = client();
    let handler = |_: TaskContext, _: Work| async { Ok::<(), TaskFailure>(()) };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let task = work()
        .with_payload(&["not", "of", "this", "kind"])
        .expect("is JSON");
    let id = submit(&client, task).await;
    let task = ended(&client, id).await;
    assert_eq!(task.status, Status::Dead);
    assert_eq!(task.last_error.expect("says why").kind, ErrorKind::Final);
    let result = client.result::<Work>(id, MINUTE).await;
    assert!(
        matches!(
            result,
            Err(Error::Ended {
                status: Status::Dead,
                ..
            })
        ),
        "{result:?}"
    );
    running.stop().await;
}
