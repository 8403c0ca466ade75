use std::time::Duration;

use russet::core::{Status, TaskId};
use russet::wire::{ConfigureQueue, ListTasks, SubmitTask, SubmitWorkflow};
use russet::{TaskContext, TaskFailure, Worker};
use tokio::time::{Instant, sleep};

use crate::world::{MINUTE, Running, Work, client, ended, submit, work};

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_exist_is_none_and_cannot_be_changed() {
    let client = client();
    let nobody = TaskId::from_u128(1);
    assert!(client.get(nobody).await.expect("can be asked").is_none());
    assert!(
        client
            .cancel(nobody, None)
            .await
            .expect_err("is refused")
            .is_not_found()
    );
    assert!(
        client
            .wait(nobody, MINUTE)
            .await
            .expect_err("is refused")
            .is_not_found()
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_are_listed_page_by_page_with_filters() {
    let client = client();
    for n in 0..5 {
        let queue = if n % 2 == 0 { "even" } else { "odd" };
        submit(&client, work().in_queue(queue)).await;
        sleep(Duration::from_millis(5)).await;
    }
    let mut request = ListTasks {
        queue: Some("even".to_owned()),
        status: Some("queued".to_owned()),
        limit: Some(2),
        ..ListTasks::default()
    };
    let first = client.list(request.clone()).await.expect("lists");
    assert_eq!(first.items.len(), 2);
    request.after = first.next.map(|id| id.to_string());
    let second = client.list(request).await.expect("lists");
    assert_eq!(second.items.len(), 1);
    assert!(second.items[0].id > first.items[1].id);
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_cannot_be_is_refused_by_name() {
    let wrong = ListTasks {
        status: Some("done".to_owned()),
        ..ListTasks::default()
    };
    let error = client().list(wrong).await.expect_err("is refused");
    let problem = error.problem().expect("is a problem");
    assert_eq!(problem.field.as_deref(), Some("status"));
    assert!(
        problem
            .limit
            .as_deref()
            .is_some_and(|limit| limit.contains("succeeded"))
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_the_task_has_ended() {
    let client = client();
    let id = submit(&client, work()).await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.wait(id, 10 * MINUTE).await }
    });
    sleep(5 * MINUTE).await;
    let start = Instant::now();
    client.cancel(id, None).await.expect("can be cancelled");
    let task = waiting.await.expect("does not panic").expect("exists");
    assert_eq!(task.status, Status::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn dead_tasks_are_redriven_one_or_all_and_ended_ones_purged() {
    let client = client();
    let handler = |context: TaskContext, _: Work| async move {
        match context.attempt() {
            1 => Err(TaskFailure::final_("first")),
            _ => Ok(()),
        }
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(submit(&client, work()).await);
    }
    for id in &ids {
        assert_eq!(ended(&client, *id).await.status, Status::Dead);
    }
    client.redrive(ids[0]).await.expect("is dead");
    assert_eq!(ended(&client, ids[0]).await.status, Status::Succeeded);
    let redriven = client.redrive_all(Some("default")).await.expect("redrives");
    assert_eq!((redriven.redriven, redriven.refused), (2, 0));
    for id in &ids {
        assert_eq!(ended(&client, *id).await.status, Status::Succeeded);
    }
    client.purge(ids[0]).await.expect("has ended");
    assert!(client.get(ids[0]).await.expect("can be asked").is_none());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_submitter_is_warned_in_process_of_what_nobody_can_run() {
    let client = client();
    let needy = || work().needing("gpu", 8);
    let submitted = client.submit(needy()).await.expect("is accepted");
    assert_eq!(
        submitted.warnings,
        [
            "no live worker of queue default has gpu=8: the task was accepted, and waits until one with it comes"
        ]
    );
    let many = client.submit_many(vec![work(), needy()]).await;
    let warnings = many
        .into_iter()
        .map(|task| task.expect("is accepted").warnings.len());
    assert_eq!(warnings.collect::<Vec<_>>(), [0, 1]);
    let workflow = SubmitWorkflow::new("two")
        .with_task(needy().named("one"))
        .with_task(needy().named("two"));
    let submitted = client.submit_workflow(workflow).await.expect("is accepted");
    assert_eq!(submitted.warnings.len(), 1);
    let handler = |_: TaskContext, _: Work| async { Ok::<(), TaskFailure>(()) };
    let worker = Worker::new(client.clone()).register(handler);
    let worker = worker.resource("gpu", 8);
    let running = Running::start(worker);
    ended(&client, submitted.tasks["one"]).await;
    let submitted = client.submit(needy()).await.expect("is accepted");
    assert!(submitted.warnings.is_empty(), "{submitted:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_queue_starts_nothing_until_it_is_resumed() {
    let client = client();
    let handler = |_: TaskContext, _: Work| async { Ok::<(), TaskFailure>(()) };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    assert!(client.pause("default").await.expect("can be paused").paused);
    let id = submit(&client, work()).await;
    sleep(MINUTE).await;
    let queue = client.queue("default").await.expect("is there");
    assert!(queue.config.paused);
    assert_eq!(queue.counts.queued, 1);
    assert_eq!(queue.oldest_ready_age_ms, Some(60_000));
    assert!(
        !client
            .resume("default")
            .await
            .expect("can be resumed")
            .paused
    );
    assert_eq!(ended(&client, id).await.status, Status::Succeeded);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_configured_and_listed() {
    let client = client();
    submit(&client, work().in_queue("mail").needing("gpu", 1)).await;
    let change = ConfigureQueue {
        concurrency: Some(Some(3)),
        keep_dead_ms: Some(5_000),
        ..ConfigureQueue::default()
    };
    let config = client.configure("mail", change).await.expect("can be");
    assert_eq!((config.concurrency, config.keep_dead_ms), (Some(3), 5_000));
    let queues = client.queues().await.expect("lists");
    let mail = queues.iter().find(|queue| queue.name.as_str() == "mail");
    let mail = mail.expect("is listed");
    assert_eq!(mail.config, config);
    assert_eq!(mail.lanes.len(), 1);
    let none = ConfigureQueue {
        concurrency: Some(Some(0)),
        ..ConfigureQueue::default()
    };
    let refused = client
        .configure("mail", none)
        .await
        .expect_err("is refused");
    assert_eq!(
        refused.problem().and_then(|p| p.field.as_deref()),
        Some("concurrency")
    );
}

#[tokio::test(start_paused = true)]
async fn each_task_of_a_batch_is_accepted_or_refused_by_itself() {
    let client = client();
    let tasks = vec![
        work(),
        SubmitTask::new("not a type"),
        work().with_priority(10),
        work(),
    ];
    let results = client.submit_many(tasks).await;
    assert!(results[0].is_ok() && results[3].is_ok());
    let field = |at: usize| {
        let error = results[at].as_ref().expect_err("is refused");
        error.problem().and_then(|problem| problem.field.clone())
    };
    assert_eq!(field(1).as_deref(), Some("type"));
    assert_eq!(field(2).as_deref(), Some("priority"));
}
