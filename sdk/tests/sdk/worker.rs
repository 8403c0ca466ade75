use std::time::Duration;

use russet::core::Status;
use russet::wire::{LeaseRequest, ReleaseLease, SubmitTask};
use russet::{Error, TaskContext, TaskFailure, TaskOutput, Worker};
use tower::service_fn;

use crate::world::{Add, Counter, MINUTE, Running, Work, client, ended, submit, work};

async fn add(_: TaskContext, task: Add) -> Result<u64, TaskFailure> {
    Ok(task.a + task.b)
}

#[tokio::test(start_paused = true)]
async fn a_typed_task_runs_and_its_result_is_typed() {
    let client = client();
    let running = Running::start(Worker::new(client.clone()).register(add));
    let id = submit(
        &client,
        SubmitTask::of(&Add { a: 2, b: 3 }).expect("is JSON"),
    )
    .await;
    assert_eq!(
        client
            .result::<Add>(id, MINUTE)
            .await
            .expect("has a result"),
        5
    );
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_all_run_once() {
    let client = client();
    let runs = Counter::default();
    let counted = runs.clone();
    let worker = Worker::new(client.clone()).concurrency(50);
    let worker = worker.register(move |_, _: Work| {
        counted.add();
        async { Ok::<(), TaskFailure>(()) }
    });
    let running = Running::start(worker);
    let submitted = client.submit_many(vec![work(); 1_000]).await;
    for result in submitted {
        let id = result.expect("is accepted").task;
        assert_eq!(ended(&client, id).await.attempt, 1);
    }
    assert_eq!(runs.get(), 1_000);
    assert_eq!(running.stop().await, russet::Stopped::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_on_several_threads_run_every_task_once() {
    let client = russet::Client::in_memory();
    let runs = Counter::default();
    let worker = || {
        let runs = runs.clone();
        let worker = Worker::new(client.clone()).concurrency(40);
        Running::start(worker.register(move |_, _: Work| {
            runs.add();
            async { Ok::<(), TaskFailure>(()) }
        }))
    };
    let (one, two) = (worker(), worker());
    for result in client.submit_many(vec![work(); 1_000]).await {
        let id = result.expect("is accepted").task;
        assert_eq!(ended(&client, id).await.attempt, 1);
    }
    assert_eq!(runs.get(), 1_000);
    assert_eq!(one.stop().await, russet::Stopped::default());
    assert_eq!(two.stop().await, russet::Stopped::default());
}

#[tokio::test(start_paused = true)]
async fn a_service_for_others_takes_tasks_of_any_type() {
    let client = client();
    let echo = service_fn(|context: TaskContext| async move {
        let kind = context.task().kind.to_string();
        TaskOutput::of(&kind)
    });
    let running = Running::start(Worker::new(client.clone()).service_for_others(echo));
    let id = submit(&client, SubmitTask::new("never.seen")).await;
    let task = ended(&client, id).await;
    assert_eq!(
        task.result.expect("has a result").as_str(),
        "\"never.seen\""
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_of_an_unknown_type_is_left_for_another_worker_without_using_a_retry() {
    let client = client();
    let ignorant = Running::start(Worker::new(client.clone()));
    let id = submit(&client, work()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let task = client.get(id).await.expect("is there").expect("exists");
    assert_eq!((task.status, task.retry_count), (Status::Scheduled, 0));
    let handler = |_: TaskContext, _: Work| async { Ok::<(), TaskFailure>(()) };
    let able = Running::start(Worker::new(client.clone()).register(handler));
    ignorant.stop().await;
    assert_eq!(ended(&client, id).await.status, Status::Succeeded);
    able.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_serves_only_its_queues() {
    let client = client();
    let handler = |_: TaskContext, _: Work| async { Ok::<(), TaskFailure>(()) };
    let worker = Worker::new(client.clone()).queues(["mail", "video"]);
    let running = Running::start(worker.register(handler));
    let mail = submit(&client, work().in_queue("mail")).await;
    let video = submit(&client, work().in_queue("video")).await;
    let other = submit(&client, work().in_queue("other")).await;
    ended(&client, mail).await;
    ended(&client, video).await;
    let other = client.get(other).await.expect("is there").expect("exists");
    assert_eq!(other.status, Status::Queued);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_name_that_cannot_be_ends_the_worker_with_an_error() {
    let worker = Worker::new(client()).queue("no queue");
    let refused = worker.run_until(std::future::pending()).await;
    let error = refused.expect_err("is refused");
    let problem = error.problem().expect("is a problem");
    assert_eq!(problem.field.as_deref(), Some("queues"));
}

#[tokio::test(start_paused = true)]
async fn somebody_is_told_of_calls_that_failed_and_are_made_again() {
    let scheduler = crate::world::scheduler();
    let client = russet::Client::in_process(scheduler.clone());
    let failures = Counter::default();
    let counted = failures.clone();
    let worker = Worker::new(client.clone())
        .on_error(move |error| {
            assert!(error.is_temporary(), "{error}");
            counted.add();
        })
        .register(|_: TaskContext, _: Work| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<(), TaskFailure>(())
        });
    let running = Running::start(worker);
    submit(&client, work()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(failures.get(), 0);
    scheduler.stop().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(failures.get() > 1, "{}", failures.get());
    assert_eq!(running.stop().await.unreported, 1);
}

#[tokio::test(start_paused = true)]
async fn follow_up_tasks_are_submitted_with_the_completion() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        context.follow_up(SubmitTask::of(&Add { a: 1, b: 1 })?.named("first"));
        context.follow_up(SubmitTask::of(&Add { a: 2, b: 2 })?.after_named(["first"]));
        Ok::<(), TaskFailure>(())
    };
    let worker = Worker::new(client.clone()).register(handler).register(add);
    let running = Running::start(worker);
    let id = submit(&client, work()).await;
    ended(&client, id).await;
    let all = client.list(Default::default()).await.expect("lists").items;
    assert_eq!(all.len(), 3);
    let sums = all.iter().filter(|task| task.kind.as_str() == "add");
    for task in sums {
        assert_eq!(ended(&client, task.id).await.status, Status::Succeeded);
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_follow_up_that_cannot_be_dead_letters_the_task_with_the_reason() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        context.follow_up(SubmitTask::new("no type"));
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    let task = ended(&client, id).await;
    assert_eq!(task.status, Status::Dead);
    let message = task.last_error.expect("says why").message;
    assert!(message.contains("follow_ups[0].type"), "{message}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_large_dead_letters_the_task_with_the_reason() {
    let client = client();
    let large = service_fn(|_: TaskContext| async { TaskOutput::of(&"x".repeat(2 << 20)) });
    let running = Running::start(Worker::new(client.clone()).service("large", large));
    let id = submit(&client, SubmitTask::new("large")).await;
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Dead, 1));
    let message = task.last_error.expect("says why").message;
    assert!(
        message.starts_with("the completion was refused: result: "),
        "{message}"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_is_asked_for_in_vain_while_the_task_has_not_ended() {
    let client = client();
    let id = submit(&client, work()).await;
    let result = client.result::<Work>(id, Duration::from_secs(90)).await;
    assert!(
        matches!(
            result,
            Err(Error::NotEnded {
                status: Status::Queued
            })
        ),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn leases_can_be_taken_and_given_back_by_hand() {
    let client = client();
    let id = submit(&client, work()).await;
    let request = LeaseRequest {
        queues: vec!["default".to_owned()],
        worker: "by hand".to_owned(),
        ..LeaseRequest::default()
    };
    let leased = client.lease(request).await.expect("leases");
    let lease_id = leased[0].lease_id.expect("has a lease");
    assert_eq!(leased[0].id, id);
    let release = ReleaseLease {
        task: id,
        lease_id,
        delay_ms: None,
        progress: None,
    };
    let mut results = client.release(vec![release.clone()]).await;
    let now = results.remove(0).expect("is released");
    assert_eq!(now.status, Status::Queued);
    let again = client.release(vec![release]).await.remove(0);
    assert_eq!(again.expect("is repeated").status, Status::Queued);
}
