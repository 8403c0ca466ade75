//! What is at the limits: a task with very many dependents, a workflow that outgrows a submission.

use russet::core::{Status, TaskId, WorkflowId};
use russet::wire::{
    CompleteLease, DependsOn, LeaseRequest, ListTasks, SubmitTask, SubmitWorkflow, TaskView,
};
use russet::{Client, Error, limits};
use russet_core::limits::{FOLLOW_UPS, TASK_DEPENDENTS, WORKFLOW_TASKS};

use crate::world::{client, work};

async fn lease(client: &Client, max: usize) -> Vec<TaskView> {
    let request = LeaseRequest {
        queues: vec!["default".to_owned()],
        worker: "w".to_owned(),
        max: Some(max),
        visibility_timeout_ms: Some(600_000),
        ..LeaseRequest::default()
    };
    client.lease(request).await.expect("leases")
}

async fn complete(client: &Client, task: &TaskView, follow_ups: usize) -> Result<(), Error> {
    let complete = CompleteLease {
        task: task.id,
        lease_id: task.lease_id.expect("is running"),
        result: None,
        follow_ups: vec![work(); follow_ups],
        progress: None,
    };
    let mut results = client.complete(vec![complete]).await;
    results.remove(0).map(|_| ())
}

fn child(parent: TaskId) -> SubmitTask {
    SubmitTask {
        dependencies: vec![DependsOn::success(parent)],
        partition_key: Some("one".to_owned()),
        queue: Some("children".to_owned()),
        ..work()
    }
}

#[tokio::test]
async fn a_task_has_100_000_dependents_and_no_more_and_all_are_told_of_its_end() {
    let client = client();
    let parent = SubmitTask {
        partition_key: Some("one".to_owned()),
        ..work()
    };
    let parent = client.submit(parent).await.expect("is accepted").task;
    for _ in 0..TASK_DEPENDENTS / limits::BATCH_ITEMS {
        let children = vec![child(parent); limits::BATCH_ITEMS];
        for submitted in client.submit_many(children).await {
            submitted.expect("is accepted");
        }
    }
    let refused = client.submit(child(parent)).await.expect_err("is too many");
    let problem = refused.problem().expect("is a problem").clone();
    assert!(problem.detail.contains("100000"), "{problem}");
    let leased = lease(&client, 1).await;
    assert_eq!(leased[0].id, parent);
    complete(&client, &leased[0], 0).await.expect("completes");
    loop {
        let counts = client.queue("children").await.expect("is there").counts;
        if counts.blocked == 0 {
            assert_eq!(counts.queued, TASK_DEPENDENTS as u64);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_workflow_grows_by_follow_ups_to_its_limit_and_no_further() {
    let client = client();
    let workflow = SubmitWorkflow::new("growing").with_task(work().named("root"));
    let submitted = client.submit_workflow(workflow).await;
    let id = submitted.expect("is accepted").workflow;
    let counts = async || {
        let workflow = client.workflow(id, ListTasks::default()).await;
        workflow.expect("is there").expect("exists").counts
    };
    let root = lease(&client, 1).await;
    complete(&client, &root[0], FOLLOW_UPS)
        .await
        .expect("grows");
    let mut rest = lease(&client, FOLLOW_UPS).await.into_iter();
    while let room @ 1.. = WORKFLOW_TASKS - counts().await.total as usize {
        let task = rest.next().expect("another one");
        let grown = complete(&client, &task, room.min(FOLLOW_UPS)).await;
        grown.expect("grows");
    }
    let last = rest.next().expect("another one");
    let refused = complete(&client, &last, 1).await.expect_err("is too many");
    let problem = refused.problem().expect("is a problem").clone();
    assert_eq!(problem.limit.as_deref(), Some("10000"), "{problem}");
    complete(&client, &last, 0).await.expect("is still held");

    let live = counts().await.live as u64;
    let cancelled = client.cancel_workflow(id, None).await.expect("cancels");
    let held = rest.len() as u64;
    assert_eq!((cancelled.cancelled, cancelled.asked), (live - held, held));
    let redriven = client.redrive_workflow(id, true).await.expect("redrives");
    assert_eq!(redriven.redriven, live - held);
    let one = newest(&client, id).await;
    assert_eq!(one.status, Status::Queued);
}

async fn newest(client: &Client, id: WorkflowId) -> TaskView {
    let newest = ListTasks {
        order: Some("newest".to_owned()),
        limit: Some(1),
        ..ListTasks::default()
    };
    let workflow = client.workflow(id, newest).await.expect("is there");
    workflow.expect("exists").tasks.items.remove(0)
}
