use std::sync::atomic::Ordering;
use std::time::Duration;

use russet::core::{EventKind, Status, TaskId};
use russet::wire::{ConfigureQueue, ListTasks, SubmitTask, SubmitWorkflow};
use russet::{Client, Error, TaskContext, TaskFailure, Worker};
use tokio::time::sleep;

use crate::server::{Server, Site};
use crate::world::{Add, MINUTE, Running, Work, ended, submit, work};

async fn open() -> (Server, Site, Client) {
    let server = Server::new();
    let site = server.open(None).await;
    let client = Client::http(&site.url()).expect("is an address");
    (server, site, client)
}

async fn nothing(_: TaskContext, _: Work) -> Result<(), TaskFailure> {
    Ok(())
}

#[tokio::test]
async fn a_workflow_is_cancelled_as_a_whole() {
    let (_, _site, client) = open().await;
    let workflow = SubmitWorkflow::new("two")
        .with_task(work().named("first"))
        .with_task(work().named("then").after_named(["first"]));
    let submitted = client.submit_workflow(workflow).await;
    let id = submitted.expect("is accepted").workflow;
    let cancelled = client.cancel_workflow(id, Some("not now")).await;
    let cancelled = cancelled.expect("cancels");
    assert_eq!((cancelled.cancelled, cancelled.asked), (2, 0));
    let workflow = client.workflow(id, ListTasks::default()).await;
    let workflow = workflow.expect("is there").expect("exists");
    assert_eq!((workflow.counts.cancelled, workflow.counts.live), (2, 0));
    let error = workflow.tasks.items[1].last_error.as_ref();
    assert_eq!(error.map(|error| error.message.as_str()), Some("not now"));
}

#[tokio::test]
async fn tasks_that_are_submitted_together_start_in_that_order() {
    let (_, _site, client) = open().await;
    let mut tasks = Vec::new();
    for _ in 0..50 {
        tasks.push(work());
    }
    let submitted = client.submit_many(tasks).await;
    let ids = submitted
        .into_iter()
        .map(|one| one.expect("is accepted").task);
    // The store of this site has several partitions, each with an order of its own.
    let mut newest = std::collections::BTreeMap::new();
    for id in ids {
        let older = newest.insert(id.partition(), id);
        assert!(older.is_none_or(|older| older < id));
    }
}

#[tokio::test]
async fn every_call_about_tasks_and_workflows_works_over_http() {
    let (_, _site, client) = open().await;
    let handler = |context: TaskContext, _: Work| async move {
        match context.attempt() {
            1 => Err(TaskFailure::final_("first")),
            _ => Ok(()),
        }
    };
    let sum = |_: TaskContext, task: Add| async move { Ok::<_, TaskFailure>(task.a + task.b) };
    let worker = Worker::new(client.clone()).register(handler).register(sum);
    let running = Running::start(worker);
    let add = SubmitTask::of(&Add { a: 2, b: 3 }).expect("is JSON");
    let id = submit(&client, add.clone()).await;
    assert_eq!(
        client
            .result::<Add>(id, MINUTE)
            .await
            .expect("has a result"),
        5
    );
    let id = submit(&client, work()).await;
    assert_eq!(ended(&client, id).await.status, Status::Dead);
    client.redrive(id).await.expect("is dead");
    assert_eq!(ended(&client, id).await.status, Status::Succeeded);
    client.purge(id).await.expect("has ended");
    assert!(client.get(id).await.expect("can be asked").is_none());
    let later = submit(&client, work().delayed(MINUTE)).await;
    let now = client
        .cancel(later, Some("no"))
        .await
        .expect("can be cancelled");
    assert_eq!(now.status, Status::Cancelled);
    let workflow = SubmitWorkflow::new("two")
        .with_task(add.clone().named("one"))
        .with_task(add.named("two").after_named(["one"]));
    let submitted = client.submit_workflow(workflow).await.expect("is accepted");
    ended(&client, submitted.tasks["two"]).await;
    let view = client
        .workflow(submitted.workflow, ListTasks::default())
        .await;
    assert_eq!(view.expect("is there").expect("exists").counts.succeeded, 2);
    let batch = client
        .submit_many(vec![work(), SubmitTask::new("no type")])
        .await;
    assert!(batch[0].is_ok() && batch[1].is_err());
    let id = batch[0].as_ref().expect("is accepted").task;
    assert_eq!(ended(&client, id).await.status, Status::Dead);
    assert_eq!(
        client.redrive_all(None).await.expect("redrives").redriven,
        1
    );
    running.stop().await;
}

#[tokio::test]
async fn every_call_about_queues_works_over_http() {
    let (_, _site, client) = open().await;
    submit(&client, work()).await;
    assert!(client.pause("default").await.expect("can be paused").paused);
    assert!(
        !client
            .resume("default")
            .await
            .expect("can be resumed")
            .paused
    );
    let change = ConfigureQueue {
        concurrency: Some(Some(2)),
        ..ConfigureQueue::default()
    };
    client.configure("default", change).await.expect("can be");
    let lift = ConfigureQueue {
        concurrency: Some(None),
        ..ConfigureQueue::default()
    };
    let config = client.configure("default", lift).await.expect("can be");
    assert_eq!(config.concurrency, None);
    assert_eq!(
        client
            .queue("default")
            .await
            .expect("is there")
            .counts
            .queued,
        1
    );
    assert_eq!(client.queues().await.expect("lists").len(), 1);
    let wrong = client.queue("a queue").await.expect_err("is refused");
    assert_eq!(
        wrong.problem().and_then(|p| p.field.as_deref()),
        Some("queue")
    );
}

#[tokio::test]
async fn a_submission_whose_answer_was_lost_is_accepted_once() {
    let (server, _site, client) = open().await;
    submit(&client, work()).await;
    server.lose.store(1, Ordering::SeqCst);
    let submitted = client.submit(work()).await.expect("is accepted");
    assert!(!submitted.existing, "it is this call's own");
    server.lose.store(1, Ordering::SeqCst);
    let results = client.submit_many(vec![work(), work()]).await;
    assert!(
        results
            .iter()
            .all(|r| r.as_ref().is_ok_and(|s| !s.existing))
    );
    server.lose.store(1, Ordering::SeqCst);
    let workflow = SubmitWorkflow::new("one").with_task(work().named("only"));
    let submitted = client.submit_workflow(workflow).await.expect("is accepted");
    assert!(submitted.existing);
    let all = client.list(ListTasks::default()).await.expect("lists");
    assert_eq!(all.items.len(), 5);
    let only = submitted.tasks["only"];
    assert!(all.items.iter().any(|task| task.id == only));
}

/// A task that is dead, and nobody who works.
async fn dead_task(client: &Client) -> TaskId {
    let handler = |_: TaskContext, _: Work| async { Err::<(), _>(TaskFailure::final_("no")) };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(client, work()).await;
    assert_eq!(ended(client, id).await.status, Status::Dead);
    running.stop().await;
    id
}

#[tokio::test]
async fn a_redrive_whose_answer_was_lost_is_sent_again_and_redrives_once() {
    let (server, _site, client) = open().await;
    let id = dead_task(&client).await;
    let mut events = server.api.scheduler().events();
    server.lose.store(1, Ordering::SeqCst);
    let now = client.redrive(id).await.expect("is sent again");
    assert_eq!(now.status, Status::Queued);
    client.cancel(id, None).await.expect("is cancelled");
    let mut redriven = 0;
    loop {
        let happened = events.next().await.expect("goes on");
        let batch = happened.expect("reads in time").events;
        redriven += batch
            .iter()
            .filter(|e| e.kind == EventKind::Redriven)
            .count();
        if batch.iter().any(|event| event.kind == EventKind::Cancelled) {
            break;
        }
    }
    assert_eq!(redriven, 1);
}

#[tokio::test]
async fn a_call_that_cannot_be_repeated_tells_that_its_answer_was_lost() {
    let (server, _site, client) = open().await;
    let id = dead_task(&client).await;
    server.lose.store(1, Ordering::SeqCst);
    let lost = client.purge(id).await.expect_err("is lost");
    assert!(matches!(lost, Error::Lost { .. }), "{lost}");
}

#[tokio::test]
async fn a_submitter_is_warned_over_http_of_what_nobody_can_run() {
    let (_server, _site, client) = open().await;
    let submitted = client
        .submit(work().needing("gpu", 8))
        .await
        .expect("is accepted");
    assert_eq!(submitted.warnings.len(), 1, "{submitted:?}");
    assert!(submitted.warnings[0].contains("gpu=8"), "{submitted:?}");
    let many = client
        .submit_many(vec![work(), work().needing("gpu", 8)])
        .await;
    let warnings = many
        .into_iter()
        .map(|task| task.expect("is accepted").warnings.len());
    assert_eq!(warnings.collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn a_refusal_that_passes_is_waited_for_a_bounded_number_of_times() {
    let (server, _site, client) = open().await;
    server.refuse.store(3, Ordering::SeqCst);
    submit(&client, work()).await;
    server.refuse.store(1_000, Ordering::SeqCst);
    let before = server.requests.get();
    let refused = client.submit(work()).await.expect_err("is refused");
    assert!(refused.is_temporary());
    let tries = server.requests.get() - before;
    assert_eq!(tries, russet::limits::REFUSED_TRIES as usize);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let (_, site, client) = open().await;
    site.close().await;
    let error = client.submit(work()).await.expect_err("is refused");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_token_is_shown_and_a_wrong_one_ends_a_worker() {
    let mut server = Server::new();
    server.token = Some("Bearer secret");
    let site = server.open(None).await;
    let client = Client::http_with_token(&site.url(), "secret").expect("is usable");
    submit(&client, work()).await;
    let stranger = Client::http(&site.url()).expect("is an address");
    let worker = Worker::new(stranger).run_until(std::future::pending());
    let error = worker.await.expect_err("is refused");
    assert_eq!(error.problem().map(|problem| problem.status), Some(401));
}

#[tokio::test]
async fn a_hundred_small_tasks_need_few_requests() {
    let (server, _site, client) = open().await;
    let submitted = client.submit_many(vec![work(); 100]).await;
    let before = server.requests.get();
    let worker = Worker::new(client.clone()).concurrency(100);
    let running = Running::start(worker.register(nothing));
    for result in &submitted {
        let id = result.as_ref().expect("is accepted").task;
        let scheduler = server.api.scheduler();
        let task = scheduler.wait(id, MINUTE).await.expect("is there");
        assert!(task.is_some_and(|task| task.status == Status::Succeeded));
    }
    running.stop().await;
    let requests = server.requests.get() - before;
    assert!(requests <= 16, "{requests} requests");
}

#[tokio::test]
async fn a_worker_outlives_a_server_that_goes_away_and_reports_what_ended_meanwhile() {
    let (server, site, client) = open().await;
    let handler = |_: TaskContext, _: Work| async {
        sleep(Duration::from_millis(500)).await;
        Ok::<(), TaskFailure>(())
    };
    let running = Running::start(Worker::new(client.clone()).register(handler));
    let id = submit(&client, work()).await;
    while server.api.get(id).await.expect("exists").status != Status::Running {
        sleep(Duration::from_millis(10)).await;
    }
    let address = site.address;
    site.close().await;
    sleep(Duration::from_millis(1_000)).await;
    assert_eq!(
        server.api.get(id).await.expect("exists").status,
        Status::Running
    );
    let _site = server.open(Some(address)).await;
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 1));
    let next = submit(&client, work()).await;
    assert_eq!(ended(&client, next).await.status, Status::Succeeded);
    running.stop().await;
}

#[tokio::test]
async fn lost_answers_to_a_worker_cost_no_attempt() {
    let (server, _site, client) = open().await;
    let worker = Worker::new(client.clone()).register(|_: TaskContext, _: Work| async {
        sleep(Duration::from_millis(50)).await;
        Ok::<(), TaskFailure>(())
    });
    let running = Running::start(worker);
    let id = submit(&client, work()).await;
    while server.api.get(id).await.expect("exists").status != Status::Running {
        sleep(Duration::from_millis(2)).await;
    }
    server.lose.store(2, Ordering::SeqCst);
    let task = ended(&client, id).await;
    assert_eq!((task.status, task.attempt), (Status::Succeeded, 1));
    running.stop().await;
}
