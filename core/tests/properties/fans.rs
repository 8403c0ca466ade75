//! Tasks with more children, or parents, than one record holds.

use proptest::prelude::*;
use russet_core::command::{Complete, Fail, Fire, LeaseTask, Purge, Redrive, Submit};
use russet_core::{
    Command, Decision, Dependency, DependencyOn, End, ErrorKind, EventKind, LeaseId, NewTask,
    PartitionId, RecordKey, Status, TaskId, TaskType, TimerKey, Timestamp, Undecided, View,
    WorkerId, codec,
};

use crate::books::indexes_agree;
use crate::specs;
use crate::store::Partition;

/// More timers than telling or forgetting any fan takes.
const MOST_FIRED: usize = 50;

struct Fan {
    stored: Partition,
    now: Timestamp,
    serial: u64,
    /// How often each task became ready.
    queued: std::collections::BTreeMap<TaskId, u32>,
}

impl Fan {
    fn new() -> Self {
        Self {
            stored: Partition::new(View::default()),
            now: Timestamp::from_millis(1_000),
            serial: 0,
            queued: std::collections::BTreeMap::new(),
        }
    }

    fn run(&mut self, command: &Command) -> Decision {
        let (_, result) = self.stored.decide(command, self.now);
        let decision = result.expect("a command that is accepted");
        self.stored.commit(&decision);
        indexes_agree(&self.stored);
        for event in decision
            .events
            .iter()
            .filter(|e| e.kind == EventKind::Queued)
        {
            *self.queued.entry(event.task).or_default() += 1;
        }
        decision
    }

    fn submit(&mut self, count: usize, parents: &[TaskId], on: DependencyOn) -> Vec<TaskId> {
        let mut task = || {
            self.serial += 1;
            let id = TaskId::new(Timestamp::from_millis(self.serial), PartitionId(0), 0);
            let kind = TaskType::new("work").expect("a name");
            let mut task = NewTask::new(id, kind, specs::queue(0), bytes::Bytes::new());
            task.retry.max_retries = 0;
            let edges = parents
                .iter()
                .map(|parent| Dependency { task: *parent, on });
            task.dependencies = edges.collect();
            task
        };
        let tasks: Vec<_> = (0..count).map(|_| task()).collect();
        let ids = tasks.iter().map(|task| task.id).collect();
        for batch in tasks.chunks(100) {
            let tasks = batch.to_vec();
            self.run(&Command::Submit(Submit {
                workflow: None,
                tasks,
            }));
        }
        ids
    }

    fn lease(&mut self, task: TaskId) -> LeaseId {
        self.serial += 1;
        let lease = LeaseId::from_u128(u128::from(self.serial));
        let worker = WorkerId("worker".into());
        self.run(&Command::Lease(LeaseTask {
            task,
            lease,
            worker,
            duration: None,
        }));
        lease
    }

    fn complete(&mut self, task: TaskId) -> Decision {
        let lease = self.lease(task);
        let (result, follow_ups) = (None, Vec::new());
        self.run(&Command::Complete(Complete {
            task,
            lease,
            result,
            follow_ups,
            progress: None,
        }))
    }

    fn fail(&mut self, task: TaskId) {
        let lease = self.lease(task);
        self.run(&Command::Fail(Fail {
            task,
            lease,
            kind: ErrorKind::Final,
            message: String::new(),
            retry_after: None,
            progress: None,
            random: 0,
        }));
    }

    /// Fires the timer of a task while it is due.
    fn fire(&mut self, task: TaskId) {
        for _ in 0..MOST_FIRED {
            let due = self.stored.task(task).and_then(|task| task.due_at);
            if due.is_none_or(|due| due > self.now) {
                return;
            }
            let timer = TimerKey::Task(task);
            self.run(&Command::Fire(Fire { timer, random: 0 }));
        }
        panic!("the timer of {task} is always due");
    }

    fn status(&self, task: TaskId) -> Option<Status> {
        self.stored.task(task).map(|task| task.status)
    }
}

pub fn lives() -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop::collection::vec((0usize..300, any::<u8>()), 1..4)
}

/// Over all lives of a parent, each of its children hears of the end of the life that it came
/// in, once, and the parent is forgotten only when all of them have ended.
pub fn every_child_is_told_once(lives: &[(usize, u8)]) {
    let mut fan = Fan::new();
    let parent = fan.submit(1, &[], DependencyOn::Success)[0];
    let mut children = Vec::new();
    for (count, on) in lives {
        let on = specs::on(*on);
        let told = children.clone();
        let new = fan.submit(*count, &[parent], on);
        children.extend(new.iter().copied());
        fan.fail(parent);
        fan.fire(parent);
        for child in &new {
            let satisfied = on.is_satisfied_by(End::Dead);
            let expected = if satisfied {
                Status::Queued
            } else {
                Status::Cancelled
            };
            assert_eq!(
                fan.status(*child),
                Some(expected),
                "{child} after the end of its parent"
            );
        }
        for child in &told {
            assert!(
                fan.queued.get(child).is_none_or(|times| *times == 1),
                "{child} is told twice"
            );
        }
        fan.serial += 1;
        let redrive = Redrive {
            task: parent,
            id: fan.serial,
            cancelled: false,
        };
        fan.run(&Command::Redrive(redrive));
    }
    fan.complete(parent);
    fan.fire(parent);
    fan.run(&Command::Purge(Purge { task: parent }));
    fan.fire(parent);
    let live: Vec<_> = children
        .into_iter()
        .filter(|id| fan.status(*id) == Some(Status::Queued))
        .collect();
    assert_eq!(
        fan.status(parent).is_some(),
        !live.is_empty(),
        "it stays for live children"
    );
    for child in live {
        fan.complete(child);
    }
    if fan.status(parent).is_some() {
        fan.run(&Command::Purge(Purge { task: parent }));
    }
    fan.fire(parent);
    let left = fan
        .stored
        .records
        .keys()
        .filter(|key| matches!(key, RecordKey::Dependents(..)));
    assert_eq!((fan.status(parent), left.count()), (None, 0));
}

#[test]
fn a_child_of_a_thousand_parents_costs_each_of_them_little() {
    let mut fan = Fan::new();
    let parents = fan.submit(1_000, &[], DependencyOn::Success);
    let child = fan.submit(1, &parents, DependencyOn::Success)[0];
    for (at, parent) in parents.iter().enumerate() {
        assert_eq!(
            fan.status(child),
            Some(Status::Blocked),
            "after {at} parents"
        );
        let decision = fan.complete(*parent);
        let records = decision
            .writes
            .iter()
            .filter_map(|write| write.record.as_ref());
        let bytes: usize = records.map(|record| codec::write(record).len()).sum();
        assert!(bytes < 1_000, "the end of one parent writes {bytes} bytes");
    }
    assert_eq!(fan.status(child), Some(Status::Queued));
}

/// Records are loaded at different times: another node may have told the children meanwhile.
#[test]
fn a_parent_as_it_was_before_its_children_were_told_contradicts_them() {
    let mut fan = Fan::new();
    fan.stored = Partition::new(View {
        transaction: specs::FEW_CHANGES,
        ..View::default()
    });
    let parent = fan.submit(1, &[], DependencyOn::Success)[0];
    let children = fan.submit(7, &[parent], DependencyOn::Success);
    let more = fan.submit(7, &[parent], DependencyOn::Success);
    fan.complete(parent);
    let before = fan.stored.records[&RecordKey::Task(parent)].clone();
    fan.fire(parent);
    for child in children.iter().chain(&more) {
        assert_eq!(fan.status(*child), Some(Status::Queued));
    }
    fan.stored.records.insert(RecordKey::Task(parent), before);
    let timer = TimerKey::Task(parent);
    let fire = Command::Fire(Fire { timer, random: 0 });
    let (_, late) = fan.stored.try_to_decide(&fire, fan.now);
    assert!(
        matches!(late, Err(Undecided::Contradiction(_))),
        "records of two times were taken for one: {late:?}"
    );
}
