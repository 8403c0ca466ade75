use russet::core::{Status, TaskId};
use russet::wire::{ListTasks, SubmitTask, SubmitWorkflow, TaskDefaults, WorkflowStatus};
use russet::{TaskContext, TaskFailure, Worker};

use crate::world::{Add, Running, client, ended, work};

fn add(name: &str, a: u64, b: u64) -> SubmitTask {
    SubmitTask::of(&Add { a, b }).expect("is JSON").named(name)
}

/// Two sums and one over both of their results.
fn diamond() -> SubmitWorkflow {
    SubmitWorkflow::new("diamond")
        .with_task(add("start", 0, 0))
        .with_task(add("left", 1, 2).after_named(["start"]))
        .with_task(add("right", 3, 4).after_named(["start"]))
        .with_task(work().named("join").after_named(["left", "right"]))
}

#[tokio::test(start_paused = true)]
async fn a_workflow_runs_in_order_and_its_tasks_read_the_results_of_their_parents() {
    let client = client();
    let sum = |_: TaskContext, task: Add| async move { Ok::<_, TaskFailure>(task.a + task.b) };
    let join = |context: TaskContext, _: crate::world::Work| async move {
        let mut sums = Vec::new();
        for parent in context.parents().await? {
            sums.push((parent.name(), context.result_of::<Add>(parent.id).await?));
        }
        sums.sort();
        let expected = [(Some("left".to_owned()), 3), (Some("right".to_owned()), 7)];
        assert_eq!(sums, expected);
        Ok::<(), TaskFailure>(())
    };
    let worker = Worker::new(client.clone()).register(sum).register(join);
    let running = Running::start(worker);
    let submitted = client
        .submit_workflow(diamond())
        .await
        .expect("is accepted");
    assert_eq!(submitted.tasks.len(), 4);
    let join = ended(&client, submitted.tasks["join"]).await;
    assert_eq!(
        (join.status, join.name().as_deref()),
        (Status::Succeeded, Some("join"))
    );
    assert_eq!(join.workflow_id, Some(submitted.workflow));
    let workflow = client
        .workflow(submitted.workflow, ListTasks::default())
        .await;
    let workflow = workflow.expect("is there").expect("exists");
    assert_eq!(workflow.status, WorkflowStatus::Succeeded);
    assert_eq!((workflow.counts.total, workflow.counts.succeeded), (4, 4));
    let names: Vec<_> = workflow
        .tasks
        .items
        .iter()
        .filter_map(|t| t.name())
        .collect();
    assert_eq!(names, ["start", "left", "right", "join"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_workflow_again_has_the_same_ids() {
    let client = client();
    let keyed = diamond().with_idempotency_key("nightly");
    let first = client
        .submit_workflow(keyed.clone())
        .await
        .expect("is accepted");
    let second = client.submit_workflow(keyed).await.expect("is accepted");
    assert!(!first.existing && second.existing);
    assert_eq!(
        (first.workflow, &first.tasks),
        (second.workflow, &second.tasks)
    );

    let mut own = diamond();
    own.id = Some(TaskId::from_u128(77).into());
    let first = client
        .submit_workflow(own.clone())
        .await
        .expect("is accepted");
    let second = client.submit_workflow(own).await.expect("is accepted");
    assert!(!first.existing && second.existing);
    assert_eq!(first.tasks, second.tasks);
}

#[tokio::test(start_paused = true)]
async fn defaults_apply_to_tasks_that_do_not_say_otherwise() {
    let client = client();
    let mut workflow = SubmitWorkflow::new("with defaults")
        .with_task(work().named("plain"))
        .with_task(work().named("own").in_queue("fast"));
    workflow.defaults = Some(TaskDefaults {
        queue: Some("slow".to_owned()),
        max_retries: Some(2),
        ..TaskDefaults::default()
    });
    let submitted = client.submit_workflow(workflow).await.expect("is accepted");
    for (name, queue) in [("plain", "slow"), ("own", "fast")] {
        let task = client.get(submitted.tasks[name]).await;
        let task = task.expect("is there").expect("exists");
        assert_eq!((task.queue.as_str(), task.max_retries), (queue, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_workflow_with_a_cycle_is_refused_with_its_path() {
    let client = client();
    let workflow = SubmitWorkflow::new("ring")
        .with_task(work().named("a").after_named(["c"]))
        .with_task(work().named("b").after_named(["a"]))
        .with_task(work().named("c").after_named(["b"]));
    let error = client
        .submit_workflow(workflow)
        .await
        .expect_err("is refused");
    let problem = error.problem().expect("is a problem");
    assert_eq!((problem.code.as_str(), problem.status), ("cycle", 422));
    assert_eq!(problem.path.as_ref().map(Vec::len), Some(4));
    let left = client.list(ListTasks::default()).await.expect("lists");
    assert!(left.items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_workflow_needs_a_name_and_has_no_id_or_partition_of_its_own() {
    let client = client();
    let field = async |task: SubmitTask| {
        let workflow = SubmitWorkflow::new("wrong").with_task(task);
        let error = client
            .submit_workflow(workflow)
            .await
            .expect_err("is refused");
        error.problem().and_then(|problem| problem.field.clone())
    };
    assert_eq!(field(work()).await.as_deref(), Some("tasks[0].name"));
    let id = TaskId::from_u128(5);
    assert_eq!(
        field(work().named("a").with_id(id)).await.as_deref(),
        Some("tasks[0].id")
    );
    let placed = work().named("a").with_partition_key("p");
    assert_eq!(
        field(placed).await.as_deref(),
        Some("tasks[0].partition_key")
    );
    let unknown = work().named("extract").after_named(["extrakt"]);
    assert_eq!(
        field(unknown).await.as_deref(),
        Some("tasks[0].depends_on[0]")
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_without_a_type_have_that_of_the_defaults() {
    let client = client();
    let text = r#"{"name": "w", "defaults": {"type": "resize"},
        "tasks": [{"name": "a"}, {"name": "b", "type": "tell"}]}"#;
    let workflow: SubmitWorkflow = russet::wire::from_json(text.as_bytes()).expect("is read");
    let submitted = client.submit_workflow(workflow).await.expect("is accepted");
    for (name, kind) in [("a", "resize"), ("b", "tell")] {
        let task = client
            .get(submitted.tasks[name])
            .await
            .expect("can be asked");
        assert_eq!(task.expect("is there").kind.as_str(), kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_no_type_and_no_defaults_is_refused_by_its_place() {
    let text = r#"{"name": "w", "tasks": [{"name": "a", "type": "b"}, {"name": "c"}]}"#;
    let workflow: SubmitWorkflow = russet::wire::from_json(text.as_bytes()).expect("is read");
    let refused = client().submit_workflow(workflow).await;
    let russet::Error::Refused(problem) = refused.expect_err("is refused") else {
        panic!("not refused by the server");
    };
    assert_eq!(problem.field.as_deref(), Some("tasks[1].type"));
    assert!(problem.detail.contains("is missing"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_failed_goes_on_when_it_is_redriven() {
    let client = client();
    let sum = |context: TaskContext, task: Add| async move {
        let broken = context.task().name().as_deref() == Some("left") && context.attempt() == 1;
        match broken {
            true => Err(TaskFailure::final_("no disk")),
            false => Ok(task.a + task.b),
        }
    };
    let done = |_: TaskContext, _: crate::world::Work| async move { Ok::<(), TaskFailure>(()) };
    let worker = Worker::new(client.clone()).register(sum).register(done);
    let running = Running::start(worker);
    let submitted = client.submit_workflow(diamond()).await;
    let submitted = submitted.expect("is accepted");
    let join = ended(&client, submitted.tasks["join"]).await;
    assert_eq!(join.status, Status::Cancelled);
    ended(&client, submitted.tasks["right"]).await;
    let redriven = client.redrive_workflow(submitted.workflow, false).await;
    let redriven = redriven.expect("redrives");
    assert_eq!((redriven.redriven, redriven.refused), (2, 0));
    assert_eq!(redriven.counts.succeeded, 2);
    let join = ended(&client, submitted.tasks["join"]).await;
    assert_eq!(join.status, Status::Succeeded);
    running.stop().await;
    let nothing = TaskId::from_u128(7).into();
    let missing = client.redrive_workflow(nothing, false).await;
    let missing = missing.expect_err("does not exist");
    assert!(missing.problem().expect("is a problem").is_not_found());
}
