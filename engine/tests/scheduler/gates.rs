//! Workflows that are larger than one transaction of the store.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use russet_engine::core::*;
use russet_engine::{EngineError, Listing, Store};

use crate::faulty::Faults;
use crate::world::*;

/// Most changes in one transaction of a small store.
pub const MOST: usize = 20;

pub fn small(nodes: usize, seed: u64, faults: Faults) -> World {
    World::new(Plan {
        nodes,
        seed,
        faults: Faults {
            transaction_changes: Some(MOST),
            delay: Duration::from_micros(300),
            ..faults
        },
        ..Plan::default()
    })
}

pub fn after(task: TaskId) -> Dependency {
    let on = DependencyOn::Success;
    Dependency { task, on }
}

pub fn key() -> Idempotency {
    Idempotency {
        key: IdempotencyKey::new("nightly").expect("a key"),
        window: Window::For(Millis::from_secs(3_600)),
    }
}

/// `count` tasks: some that wait for nothing, and others that each wait for two earlier ones or,
/// every fifth, for the very first.
pub fn workflow(world: &World, count: usize, key: Option<Idempotency>) -> Submit {
    let node = world.node(0);
    let id = node.new_workflow_id(None, None);
    let ids: Vec<_> = (0..count)
        .map(|_| node.new_task_id_in(id.partition()))
        .collect();
    let tasks = ids.iter().enumerate().map(|(at, id)| {
        let mut task = world.task_with(*id);
        task.dependencies = match at {
            _ if at < count / 10 => Vec::new(),
            _ if at.is_multiple_of(5) => vec![after(ids[0])],
            _ => vec![after(ids[at / 2]), after(ids[at - 1])],
        };
        task
    });
    let tasks = tasks.collect();
    let new = NewWorkflow {
        id,
        name: None,
        idempotency: key,
    };
    Submit {
        workflow: Some(new),
        tasks,
    }
}

pub fn id_of(submit: &Submit) -> WorkflowId {
    submit.workflow.as_ref().expect("a workflow").id
}

/// Submits on node `at` until the store and the rules agree.
async fn insist(world: &World, at: usize, submit: &Submit) -> russet_engine::Submitted {
    for attempt in 0..500 {
        match world.node(at + attempt).submit(submit.clone()).await {
            Ok(submitted) => return submitted,
            Err(EngineError::Rejected(Rejection::Incomplete { .. })) => {}
            Err(EngineError::Rejected(rejection)) => panic!("{rejection}"),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is never accepted")
}

/// Begins a submission on node `at`, whose client goes away after `pieces` commits.
async fn begin(world: &World, at: usize, submit: &Submit, pieces: u64) {
    let before = world.store.commits.load(Ordering::Relaxed);
    let enough = async {
        while world.store.commits.load(Ordering::Relaxed) < before + pieces {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    };
    tokio::select! {
        biased;
        () = enough => {}
        done = world.node(at).submit(submit.clone()) => panic!("nothing went wrong: {done:?}"),
    }
}

/// Everything that a submission may leave behind.
pub async fn left(world: &World, submit: &Submit) -> usize {
    let id = id_of(submit);
    let mut keys = vec![RecordKey::Workflow(id), RecordKey::Dedup(key().key)];
    keys.extend((0..100).map(|list| RecordKey::Gated(id, list)));
    for task in &submit.tasks {
        keys.push(RecordKey::Task(task.id));
        keys.extend((0..9).map(|chunk| RecordKey::Dependents(task.id, chunk)));
        keys.extend((0..2).map(|chunk| RecordKey::Dependencies(task.id, chunk)));
    }
    let found = world.store.get(id.partition(), &keys).await.expect("get");
    found.into_iter().flatten().count()
}

pub async fn listed(world: &World) -> usize {
    let listing = Listing {
        limit: 10_000,
        ..Listing::default()
    };
    let page = world.store.list(&listing).await.expect("list");
    page.items.len()
}

#[tokio::test(start_paused = true)]
async fn order_a_workflow_of_a_thousand_tasks_runs_in_order_on_a_store_of_small_transactions() {
    for seed in 0..crate::SEEDS.min(3) {
        let world = small(
            3,
            seed,
            Faults {
                conflict: 50,
                reply_lost: 30,
                request_lost: 20,
                unavailable: 20,
                ..Faults::default()
            },
        );
        let submit = workflow(&world, 1_000, Some(key()));
        let submitted = insist(&world, 0, &submit).await;
        assert_eq!(submitted.tasks.len(), 1_000);
        world.work(1_000).await;
        for task in &submit.tasks {
            let done = world.get(task.id).await;
            assert_eq!(done.attempt, 1, "seed {seed}");
            for edge in &task.dependencies {
                let parent = world.get(edge.task).await;
                assert!(parent.completed_at <= done.started_at, "seed {seed}");
            }
        }
        let known = loop {
            if let Ok(known) = world.node(1).workflow(id_of(&submit)).await {
                break known.expect("the workflow");
            }
        };
        assert_eq!(
            (known.succeeded, known.live(), known.gate),
            (1_000, 0, None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn none_of_a_large_workflow_starts_or_is_seen_before_all_of_it_is_there() {
    let world = small(2, 1, Faults::default());
    let submit = workflow(&world, 300, None);
    let ids: Vec<_> = submit.tasks.iter().map(|task| task.id).collect();
    let all_or_none = async {
        let mut looks = 0;
        loop {
            let seen = world.node(1).get_each(&ids).await.expect("get");
            let count = seen.iter().flatten().count();
            let flow = world.node(1).workflow(id_of(&submit)).await.expect("get");
            assert!(count == 0 || count == ids.len(), "{count} of them are seen");
            assert!(count == 0 || flow.is_some());
            let now = lease("w", 10, Duration::ZERO);
            let leased = world.node(1).lease(now).await.expect("lease");
            if !leased.is_empty() {
                let seen = world.node(1).get_each(&ids).await.expect("get");
                assert!(seen.iter().all(Option::is_some), "one starts too early");
                return looks;
            }
            looks += usize::from(count == 0);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (looks, submitted) = tokio::join!(all_or_none, world.node(0).submit(submit.clone()));
    assert!(!submitted.expect("submit").existing);
    assert!(looks > 5, "it was there at once");
}

#[tokio::test(start_paused = true)]
async fn no_ghost_a_submitter_that_dies_half_way_leaves_nothing_behind() {
    for pieces in 1..15 {
        let world = small(2, pieces, Faults::default());
        let submit = workflow(&world, 300, Some(key()));
        begin(&world, 0, &submit, pieces).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(left(&world, &submit).await > 0, "{pieces}: it never began");
        let one = submit.tasks[0].id;
        let cancel = Cancel {
            task: one,
            reason: None,
        };
        let refused = world.node(1).cancel(cancel).await;
        let unknown = EngineError::Rejected(Rejection::NotFound { task: one });
        assert_eq!(refused, Err(unknown), "{pieces}: others know of it");
        assert!(world.lease_some(1).await.is_empty());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(
            left(&world, &submit).await,
            0,
            "{pieces}: something is left"
        );
        assert_eq!(listed(&world).await, 0);
        let stats = world.store.stats().await.expect("stats");
        let counted: u64 = stats.queues.iter().flat_map(|q| q.by_status).sum();
        assert_eq!(counted, 0);
        assert_eq!(world.account.events(), [], "{pieces}: something happened");
    }
}

#[tokio::test(start_paused = true)]
async fn dedup_the_same_submission_on_another_node_goes_on_where_the_first_one_died() {
    for pieces in [1, 5, 14] {
        let world = small(2, pieces, Faults::default());
        let submit = workflow(&world, 300, Some(key()));
        begin(&world, 0, &submit, pieces).await;
        let commits = world.store.commits.load(Ordering::Relaxed);
        let submitted = world.node(1).submit(submit.clone()).await.expect("submit");
        assert!(!submitted.existing);
        let again = world.store.commits.load(Ordering::Relaxed) - commits;
        assert!(again + pieces < 60, "{pieces}: it began anew");
        let repeated = world.node(0).submit(submit.clone()).await.expect("submit");
        assert!(repeated.existing);
        assert_eq!(repeated.tasks, submitted.tasks);
        world.work(300).await;
    }
}

#[tokio::test(start_paused = true)]
async fn dedup_a_key_of_a_workflow_that_is_incomplete_is_free_once_that_is_given_up() {
    let world = small(2, 1, Faults::default());
    let first = workflow(&world, 300, Some(key()));
    begin(&world, 0, &first, 5).await;
    // A client that forgot the ids asks for the same under new ones.
    let mut other = first.clone();
    let new = world.node(0).new_workflow_id(None, None);
    let renamed: std::collections::BTreeMap<_, _> = first
        .tasks
        .iter()
        .map(|task| (task.id, world.node(0).new_task_id_in(PartitionId(0))))
        .collect();
    other.workflow.as_mut().expect("a workflow").id = new;
    for task in &mut other.tasks {
        task.id = renamed[&task.id];
        for edge in &mut task.dependencies {
            edge.task = renamed[&edge.task];
        }
    }
    let refused = world.node(1).submit(other.clone()).await;
    let incomplete = Rejection::Incomplete {
        workflow: id_of(&first),
    };
    assert_eq!(refused, Err(EngineError::Rejected(incomplete)));
    let submitted = insist(&world, 1, &other).await;
    assert_eq!(submitted.workflow, Some(new));
    world.work(300).await;
    assert_eq!(listed(&world).await, 300, "nothing of the first is left");
}

#[tokio::test(start_paused = true)]
async fn dedup_several_nodes_that_submit_the_same_at_once_submit_it_once() {
    for seed in 0..crate::SEEDS.min(4) {
        let faults = Faults {
            conflict: 50,
            reply_lost: 50,
            ..Faults::default()
        };
        let world = small(3, seed, faults);
        let submit = workflow(&world, 200, Some(key()));
        let all = (0..3).map(|at| insist(&world, at, &submit));
        for submitted in join_all(all).await {
            assert_eq!(submitted.workflow, Some(id_of(&submit)));
        }
        world.work(200).await;
        let submitted = |event: &&Event| event.kind == EventKind::Submitted;
        let events = world.account.events();
        let count = events.iter().filter(submitted).count();
        // The reply to the commit that opened the gate may have been lost for good.
        assert!(count == 200, "seed {seed}: {count} were submitted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_workflow_waits_for_tasks_outside_of_it() {
    let world = World::new(Plan {
        partitions: 2,
        faults: Faults {
            transaction_changes: Some(MOST),
            ..Faults::default()
        },
        ..Plan::default()
    });
    let mut submit = workflow(&world, 100, None);
    let here = id_of(&submit).partition();
    let near = world.task_with(world.node(0).new_task_id_in(here));
    let far = world.task_with(world.node(0).new_task_id_in(PartitionId(1 - here.0)));
    let (near, far) = (world.submit(near).await, world.submit(far).await);
    for task in submit.tasks.iter_mut().step_by(3) {
        task.dependencies.extend([after(near), after(far)]);
    }
    world.node(0).submit(submit.clone()).await.expect("submit");
    world.work(102).await;
    let parents = [world.get(near).await, world.get(far).await];
    for task in submit.tasks.iter().step_by(3) {
        let task = world.get(task.id).await;
        assert!(parents.iter().all(|p| p.completed_at <= task.started_at));
    }
    let mut submit = workflow(&world, 100, None);
    submit.tasks[99].dependencies = (0..9)
        .map(|_| after(world.node(0).new_task_id_in(here)))
        .collect();
    let refused = world.node(0).submit(submit).await;
    let Err(EngineError::Rejected(
        Rejection::DependencyNotFound { .. } | Rejection::TooManyOutside { .. },
    )) = refused
    else {
        panic!("{refused:?}")
    };
}
