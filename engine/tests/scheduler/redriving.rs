use std::time::Duration;

use russet_engine::core::*;
use russet_engine::{EngineError, Listing, RedrivenWorkflow};

use crate::faulty::Faults;
use crate::gates::{key, small};
use crate::promises::surely;
use crate::world::*;

/// A workflow whose tasks were made in the reverse of their order: one root, `wide` tasks behind
/// it, and a chain of `long` tasks behind all of these.
pub struct Large {
    pub workflow: WorkflowId,
    pub root: TaskId,
    tasks: Vec<NewTask>,
}

pub fn large(world: &World, wide: usize, long: usize) -> Large {
    let workflow = world.node(0).new_workflow_id(None, None);
    let total = 1 + wide + long;
    let ids = (0..total).map(|_| world.node(0).new_task_id_in(workflow.partition()));
    let mut ids: Vec<_> = ids.collect();
    ids.reverse();
    let after = |ids: &[TaskId]| {
        let on = DependencyOn::Success;
        let edges = ids.iter().map(|task| Dependency { task: *task, on });
        edges.collect()
    };
    let tasks = ids.iter().enumerate().map(|(at, id)| {
        let mut task = world.task_with(*id);
        task.retry.max_retries = 0;
        task.dependencies = match at {
            0 => Vec::new(),
            at if at <= wide => after(&ids[..1]),
            at if at == wide + 1 => after(&ids[1..=wide]),
            at => after(&ids[at - 1..at]),
        };
        task
    });
    Large {
        workflow,
        root: ids[0],
        tasks: tasks.collect(),
    }
}

impl Large {
    pub async fn submit(&self, world: &World) {
        let new = NewWorkflow {
            id: self.workflow,
            name: None,
            idempotency: None,
        };
        let submit = Submit {
            workflow: Some(new),
            tasks: self.tasks.clone(),
        };
        let submitted = surely(async || world.node(0).submit(submit.clone()).await).await;
        submitted.expect("is accepted");
    }

    /// Lets the root fail, and waits until all others were cancelled because of it.
    async fn fail(&self, world: &World) {
        let leased = world.lease_some(0).await;
        assert_eq!(leased[0].id, self.root);
        let lease = leased[0].lease.as_ref().expect("a lease").id;
        let fail = || Fail {
            task: self.root,
            lease,
            kind: ErrorKind::Final,
            message: "no".into(),
            retry_after: None,
            progress: None,
            random: 0,
        };
        let failed = surely(async || world.node(0).fail(fail()).await).await;
        assert_eq!(failed.expect("fails").status, Status::Dead);
        while self.record(world).await.live() > 0 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        while self.is_spreading(world).await {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    async fn record(&self, world: &World) -> Workflow {
        let found = surely(async || world.node(0).workflow(self.workflow).await).await;
        found.expect("answers").expect("the workflow exists")
    }

    async fn is_spreading(&self, world: &World) -> bool {
        for task in &self.tasks {
            if !world.get(task.id).await.dependents.are_settled() {
                return true;
            }
        }
        false
    }

    async fn redrive(&self, world: &World, node: usize, id: u64) -> RedrivenWorkflow {
        let node = world.node(node);
        let redriven =
            surely(async || node.redrive_workflow(self.workflow, Some(id), false).await).await;
        redriven.expect("redrives")
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_workflow_goes_on_where_it_failed_whatever_order_its_ids_have() {
    let faults = Faults {
        conflict: 200,
        reply_lost: 50,
        request_lost: 50,
        unavailable: 20,
        ..Faults::default()
    };
    let world = World::new(Plan {
        nodes: 3,
        faults,
        ..Plan::default()
    });
    let large = large(&world, 150, 250);
    large.submit(&world).await;
    large.fail(&world).await;
    assert_eq!(large.record(&world).await.cancelled, 400);
    let redriven = large.redrive(&world, 1, 7).await;
    assert_eq!((redriven.redriven, redriven.refused), (401, Vec::new()));
    assert_eq!(large.record(&world).await.live(), 401);
    let again = large.redrive(&world, 2, 7).await;
    assert_eq!((again.redriven, again.refused), (401, Vec::new()));
    let live = Listing {
        workflow: Some(large.workflow),
        status: Some(Status::Queued),
        limit: 10,
        ..Listing::default()
    };
    let ready = surely(async || world.node(0).list(live.clone()).await).await;
    let ready = ready.expect("lists").items;
    let ready: Vec<_> = ready.iter().map(|task| task.id).collect();
    assert_eq!(ready, [large.root]);
    while large.record(&world).await.live() > 0 {
        for task in world.lease_some(0).await {
            let _ = complete(world.node(0), &task).await;
        }
    }
    assert_eq!(large.record(&world).await.succeeded, 401);
}

/// A store that shows what it may still lose: what it shows is no acknowledgement.
#[tokio::test(start_paused = true)]
async fn no_loss_a_redrive_that_finds_its_tasks_alive_is_not_answered_before_that_is_safe() {
    let faults = Faults {
        unconfirmed: 1_000,
        ..Faults::default()
    };
    let world = World::new(Plan {
        faults,
        ..Plan::default()
    });
    let large = large(&world, 1, 0);
    large.submit(&world).await;
    large.fail(&world).await;
    let redrive = || {
        world
            .node(0)
            .redrive_workflow(large.workflow, Some(7), false)
    };
    let first = redrive().await.expect("its own commit vouches for it");
    assert_eq!(first.redriven, 2);
    let again = redrive().await.expect_err("nothing vouches for it");
    assert!(again.to_string().contains("not safe"), "{again}");
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_is_larger_than_a_transaction_is_redriven_in_pieces() {
    let world = small(1, 1, Faults::default());
    let large = large(&world, 5, 60);
    large.submit(&world).await;
    large.fail(&world).await;
    let redriven = large.redrive(&world, 0, 7).await;
    assert_eq!((redriven.redriven, redriven.refused), (66, Vec::new()));
    assert_eq!(large.record(&world).await.live(), 66);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_too_many_live_parents_is_refused_and_comes_back_when_they_have_ended() {
    let world = small(1, 1, Faults::default());
    let large = large(&world, 30, 1);
    large.submit(&world).await;
    large.fail(&world).await;
    let sink = large.tasks[31].id;
    let redriven = large.redrive(&world, 0, 7).await;
    assert_eq!(redriven.redriven, 31);
    let (refused, why) = &redriven.refused[0];
    assert_eq!((*refused, why.code()), (sink, "limit_exceeded"));
    let why = why.to_string();
    assert!(
        why.contains("redrive it again when most of them have ended"),
        "{why}"
    );
    let alone = world.node(0).redrive(sink).await.expect_err("is refused");
    assert!(alone.to_string().contains(&why), "{alone}");
    world.work(31).await;
    let again = large.redrive(&world, 0, 8).await;
    assert_eq!((again.redriven, again.refused), (1, Vec::new()));
    world.work(1).await;
    assert_eq!(large.record(&world).await.succeeded, 32);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_that_was_interrupted_goes_on_with_the_next() {
    let world = World::new(Plan::default());
    let large = large(&world, 10, 20);
    large.submit(&world).await;
    large.fail(&world).await;
    // As a crash leaves it: the first have come back, and have even ended.
    for task in &large.tasks[..5] {
        world.node(0).redrive(task.id).await.expect("comes back");
    }
    world.work(5).await;
    let redriven = large.redrive(&world, 1, 7).await;
    assert_eq!((redriven.redriven, redriven.refused), (26, Vec::new()));
    world.work(26).await;
    assert_eq!(large.record(&world).await.succeeded, 31);
}

#[tokio::test(start_paused = true)]
async fn what_stays_is_named_with_its_reason() {
    let world = World::new(Plan::default());
    let large = large(&world, 2, 1);
    large.submit(&world).await;
    let stopped = large.tasks[1].id;
    let reason = Some("not wanted".into());
    let task = stopped;
    let cancel = Cancel { task, reason };
    world.node(0).cancel(cancel).await.expect("cancels");
    large.fail(&world).await;
    let redriven = large.redrive(&world, 0, 7).await;
    assert_eq!(redriven.redriven, 2);
    let refused = redriven.refused.iter();
    let refused: Vec<_> = refused.map(|(task, why)| (*task, why.code())).collect();
    let last = large.tasks[3].id;
    assert_eq!(refused, [(stopped, "wrong_status"), (last, "wrong_status")]);
    let node = world.node(0);
    let all = node.redrive_workflow(large.workflow, Some(8), true).await;
    let all = all.expect("redrives");
    assert_eq!((all.redriven, all.refused), (2, Vec::new()));
    world.work(4).await;

    let nobody = WorkflowId::from(TaskId::from_u128(7));
    let missing = node.redrive_workflow(nobody, None, false).await;
    assert!(matches!(
        missing,
        Err(EngineError::Rejected(Rejection::NoWorkflow { .. }))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_redrive_waits_for_listings_that_are_behind() {
    let faults = |unlisted| Faults {
        unlisted,
        ..Faults::default()
    };
    let plan = |unlisted| Plan {
        faults: faults(unlisted),
        ..Plan::default()
    };
    let world = World::new(plan(700));
    let large = self::large(&world, 5, 5);
    large.submit(&world).await;
    large.fail(&world).await;
    let redriven = large.redrive(&world, 0, 7).await;
    assert_eq!((redriven.redriven, redriven.refused), (11, Vec::new()));

    let world = World::new(plan(1_000));
    let large = self::large(&world, 1, 1);
    large.submit(&world).await;
    large.fail(&world).await;
    let node = world.node(0);
    let behind = node.redrive_workflow(large.workflow, Some(7), false).await;
    assert!(matches!(behind, Err(EngineError::Store(_))), "{behind:?}");
}

/// Both have seen the task as ended: one gives its key to another, the other brings it back.
#[tokio::test(start_paused = true)]
async fn dedup_a_key_names_one_live_task_when_its_task_comes_back_as_another_takes_it() {
    for turn in 0..4 {
        let world = World::new(Plan {
            nodes: 2,
            seed: turn,
            faults: Faults {
                delay: Duration::from_millis(1),
                far: turn % 2 == 0,
                ..Faults::default()
            },
            ..Plan::default()
        });
        let keyed = |world: &World| NewTask {
            idempotency: Some(Idempotency {
                window: Window::WhileLive,
                ..key()
            }),
            ..world.task()
        };
        let first = world.submit(keyed(&world)).await;
        let cancel = Cancel {
            task: first,
            reason: None,
        };
        world.node(0).cancel(cancel).await.expect("cancel");
        let redrive = Redrive {
            task: first,
            id: 7,
            cancelled: true,
        };
        let second = keyed(&world);
        let (back, taken) = tokio::join!(
            world.node(0).redrive_as(redrive),
            world.node(1).submit(one(second.clone()))
        );
        let live = world.get(first).await.status == Status::Queued;
        let named = taken.as_ref().map(|submitted| submitted.tasks[0]).ok();
        match live {
            true => assert_ne!(named, Some(second.id), "{back:?}, {taken:?}"),
            false => assert_eq!(named, Some(second.id), "{back:?}, {taken:?}"),
        }
    }
}
