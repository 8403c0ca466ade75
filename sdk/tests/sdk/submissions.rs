use std::time::Duration;

use russet::core::{DependencyOn, IfUnsatisfied, Status, TaskId, Timestamp};
use russet::wire::{DependsOn, SubmitTask, Time};
use russet::{TaskContext, TaskFailure, Worker};

use crate::world::{Running, Work, client, ended, submit, work};

/// The field that a submission is refused for.
async fn refused(task: SubmitTask) -> (String, String) {
    let error = client().submit(task).await.expect_err("is refused");
    let problem = error.problem().expect("is a problem");
    let field = problem.field.clone();
    (field.unwrap_or_default(), problem.detail.clone())
}

#[tokio::test(start_paused = true)]
async fn a_task_is_stored_as_it_was_asked_for() {
    let client = client();
    let at = Time::from(Timestamp::from_millis(1_900_000_000_123));
    let task = SubmitTask::new("mail.send")
        .named("welcome")
        .in_queue("mail")
        .with_priority(9)
        .with_max_retries(3)
        .scheduled_at(at)
        .with_visibility_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(60))
        .needing("gpu", 2)
        .with_partition_key("customer 7")
        .with_idempotency_key("welcome-7")
        .with_metadata(&serde_json::json!({"team": "growth"}))
        .and_then(|task| task.with_payload(&serde_json::json!({"to": ["a@b.c"]})))
        .expect("is JSON");
    let id = submit(&client, task).await;
    let task = client.get(id).await.expect("is there").expect("exists");
    assert_eq!(task.kind.as_str(), "mail.send");
    assert_eq!(
        (task.queue.as_str(), task.status),
        ("mail", Status::Scheduled)
    );
    assert_eq!((task.priority, task.max_retries), (9, 3));
    assert_eq!(task.scheduled_at, Some(at));
    assert_eq!(
        (task.visibility_timeout_ms, task.timeout_ms),
        (5_000, Some(60_000))
    );
    assert_eq!(
        task.resource_requirements
            .values()
            .copied()
            .collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(
        task.payload.expect("has one").as_str(),
        r#"{"to":["a@b.c"]}"#
    );
    let metadata = task.metadata.expect("has some");
    assert_eq!(metadata.as_str(), r#"{"name":"welcome","team":"growth"}"#);
    let json = serde_json::to_value(client.get(id).await.expect("is there")).expect("is JSON");
    assert_eq!(json["scheduled_at"], "2030-03-17T17:46:40.123Z");
    assert_eq!(json["lease_id"], serde_json::Value::Null);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_by_the_name_of_its_field() {
    assert_eq!(refused(SubmitTask::new("")).await.0, "type");
    assert_eq!(refused(work().in_queue("a queue")).await.0, "queue");
    assert_eq!(refused(work().with_priority(10)).await.0, "priority");
    assert_eq!(
        refused(work().needing("g p u", 1)).await.0,
        "resource_requirements"
    );
    assert_eq!(
        refused(work().with_partition_key("")).await.0,
        "partition_key"
    );
    assert_eq!(
        refused(work().with_idempotency_key("\n")).await.0,
        "idempotency_key"
    );
    assert_eq!(refused(work().after_named(["other"])).await.0, "depends_on");
    let list = work().with_metadata(&[1]).expect("is JSON");
    assert_eq!(refused(list).await.0, "metadata");
    let both = work().delayed(Duration::ZERO);
    let both = both.scheduled_at(Time::from(Timestamp::from_millis(5)));
    assert_eq!(refused(both).await.0, "scheduled_at");
    let mut window = work().unique_while_live("key");
    window.idempotency_key = None;
    assert_eq!(refused(window).await.0, "idempotency_window_ms");
    let mut dependency = work();
    dependency.dependencies.push(DependsOn::success("nobody"));
    assert_eq!(refused(dependency).await.0, "dependencies[0]");
}

#[tokio::test(start_paused = true)]
async fn the_same_submission_under_a_key_or_an_id_names_one_task() {
    let client = client();
    let keyed = work().with_idempotency_key("invoice 7");
    let first = client.submit(keyed.clone()).await.expect("is accepted");
    let second = client.submit(keyed.clone()).await.expect("is accepted");
    assert_eq!((first.existing, second.existing), (false, true));
    assert_eq!(first.task, second.task);
    let other = keyed.in_queue("other");
    let conflict = client.submit(other).await.expect_err("is refused");
    let problem = conflict.problem().expect("is a problem");
    assert_eq!((problem.status, problem.task), (409, Some(first.task)));

    let own = TaskId::from_u128(9);
    let named = work().with_id(own);
    assert!(
        !client
            .submit(named.clone())
            .await
            .expect("is accepted")
            .existing
    );
    assert!(client.submit(named).await.expect("is accepted").existing);
}

#[tokio::test(start_paused = true)]
async fn a_changed_submission_under_the_same_id_is_refused() {
    let client = client();
    let id = TaskId::from_u128(9);
    let parents = [
        submit(&client, work().with_id(TaskId::from_u128(1))).await,
        submit(&client, work().with_id(TaskId::from_u128(2))).await,
    ];
    let hour = Duration::from_secs(3_600);
    let task = work().with_id(id).after(parents[0]).delayed(hour);
    submit(&client, task.clone()).await;
    assert_eq!(submit(&client, task.clone()).await, id);
    let mut kept = task.clone();
    kept.retention_ms = Some(5);
    let mut expires = task.clone();
    expires.expires_in_ms = Some(7_200_000);
    let mut on = task.clone();
    on.dependencies[0].on = DependencyOn::Failure;
    let mut alone = task.clone();
    alone.dependencies.clear();
    let changed = [
        task.clone().with_priority(9),
        task.clone().after(parents[1]),
        task.clone().delayed(2 * hour),
        task.if_unsatisfied(IfUnsatisfied::Run),
        kept,
        expires,
        on,
        alone,
    ];
    for changed in changed {
        let refused = client
            .submit(changed.clone())
            .await
            .expect_err("is refused");
        let problem = refused.problem().expect("is a problem");
        assert_eq!(
            (problem.status, problem.task),
            (409, Some(id)),
            "{changed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_unique_while_live_is_free_again_when_the_task_has_ended() {
    let client = client();
    let sync = work().unique_while_live("sync");
    let first = submit(&client, sync.clone()).await;
    assert_eq!(submit(&client, sync.clone()).await, first);
    client.cancel(first, None).await.expect("can be cancelled");
    assert_ne!(submit(&client, sync).await, first);
}

#[tokio::test(start_paused = true)]
async fn dedup_a_dead_task_does_not_come_back_beside_the_one_that_took_its_key() {
    let client = client();
    let fail = |_: TaskContext, _: Work| async { Err::<(), _>(TaskFailure::final_("no")) };
    let running = Running::start(Worker::new(client.clone()).register(fail));
    let sync = work().unique_while_live("sync");
    let first = submit(&client, sync.clone()).await;
    assert_eq!(ended(&client, first).await.status, Status::Dead);
    running.stop().await;
    let second = submit(&client, sync.clone()).await;
    let refused = client.redrive(first).await.expect_err("is refused");
    let problem = refused.problem().expect("is a problem");
    assert_eq!((problem.status, problem.task), (409, Some(second)));
    assert_eq!(problem.code, "idempotency_conflict");
    client.cancel(second, None).await.expect("can be cancelled");
    client.redrive(first).await.expect("can be redriven");
    assert_eq!(submit(&client, sync).await, first);
}

#[tokio::test(start_paused = true)]
async fn an_id_of_another_partition_than_the_key_chooses_is_refused() {
    let client = client();
    let keyed = submit(&client, work().with_idempotency_key("k")).await;
    let other = (keyed.partition().0 + 1) % 4;
    let id = TaskId::new(
        Timestamp::from_millis(1),
        russet::core::PartitionId(other),
        1,
    );
    let (field, detail) = refused(work().with_idempotency_key("k").with_id(id)).await;
    assert_eq!(field, "id", "{detail}");
}

#[tokio::test(start_paused = true)]
async fn a_task_waits_for_its_dependencies_across_partitions() {
    let client = client();
    let mut parents = Vec::new();
    for _ in 0..8 {
        parents.push(submit(&client, work()).await);
    }
    let mut child = work().if_unsatisfied(IfUnsatisfied::Dead);
    for parent in &parents {
        child = child.after(*parent);
    }
    let child = submit(&client, child).await;
    let task = client.get(child).await.expect("is there").expect("exists");
    assert_eq!((task.status, task.dependencies.len()), (Status::Blocked, 8));
    client
        .cancel(parents[0], None)
        .await
        .expect("can be cancelled");
    let task = crate::world::ended(&client, child).await;
    assert_eq!(task.status, Status::Dead);
}
