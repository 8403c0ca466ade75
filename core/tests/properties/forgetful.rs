//! A store that forgets its newest writes, as a server does whose replica takes over.

use bytes::Bytes;
use proptest::prelude::*;
use russet_core::{
    Command, Epoch, LeaseId, LeaseTask, NewTask, PartitionId, QueueName, Release, Reply, Submit,
    TaskId, TaskType, Timestamp, View, WorkerId,
};

use crate::store::Partition;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// What happens to a store with one task in it.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The task is leased and given back.
    Grant,
    /// The replica catches up.
    Copy,
    /// The replica takes over, with what it has.
    Forget,
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![Just(Step::Grant), Just(Step::Copy), Just(Step::Forget)];
    prop::collection::vec(step, 1..60)
}

/// Goes through the steps; whatever was forgotten, each fencing token is above all before it.
pub fn play(steps: &[Step]) {
    let id = TaskId::new(NOW, PartitionId(0), 1);
    let submit = Command::Submit(Submit {
        workflow: None,
        tasks: vec![NewTask::new(
            id,
            TaskType::new("report").expect("a type"),
            QueueName::new("reports").expect("a name"),
            Bytes::new(),
        )],
    });
    let (mut epoch, mut newest) = (0, 0);
    let mut primary = partition(epoch);
    let mut replica = primary.records.clone();
    for (lease, step) in (1..).zip(steps) {
        match step {
            Step::Grant => {
                // A client whose task was forgotten submits it once more under its id.
                run(&mut primary, &submit);
                let attempt = grant(&mut primary, id, LeaseId::from_u128(lease));
                assert!(attempt > newest, "{attempt} after {newest}");
                newest = attempt;
            }
            Step::Copy => replica.clone_from(&primary.records),
            Step::Forget => {
                epoch += 1;
                primary = partition(epoch);
                primary.records.clone_from(&replica);
            }
        }
    }
}

fn partition(epoch: u64) -> Partition {
    Partition::new(View {
        epoch: Epoch(epoch),
        ..View::default()
    })
}

fn run(partition: &mut Partition, command: &Command) -> Reply {
    let (_, decision) = partition.decide(command, NOW);
    let decision = decision.expect("it is allowed");
    partition.commit(&decision);
    decision.reply
}

fn grant(partition: &mut Partition, task: TaskId, lease: LeaseId) -> u64 {
    let worker = WorkerId("worker".into());
    let grant = Command::Lease(LeaseTask {
        task,
        lease,
        worker,
        duration: None,
    });
    let Reply::Leased(leased) = run(partition, &grant) else {
        panic!("a lease is answered with the task");
    };
    let release = Command::Release(Release {
        task,
        lease,
        delay: None,
        progress: None,
    });
    run(partition, &release);
    leased.attempt
}
