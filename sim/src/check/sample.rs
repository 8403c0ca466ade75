//! Small histories for the checkers' own tests.

mod life;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use russet::wire::SubmitTask;
use russet_backends::conformance::fixtures;
use russet_core::{
    LeaseId, PartitionId, QueueName, Record, RecordKey, Task, TaskId, TaskType, Timestamp,
    Workflow, WorkflowId,
};

use super::facts::{EPOCH_MS, Facts};
use super::{Run, Violation};
use crate::history::{Actor, Answer, Ask, At, CallId, Changed, Entry, Stored, What};
use crate::plan::{Plan, WorldKind};

/// A history that is being written. Time goes on by a millisecond with every commit.
pub(super) struct Sample {
    pub plan: Plan,
    pub entries: Vec<Entry>,
    pub now_ms: u64,
    calls: u64,
    pub records: BTreeMap<(PartitionId, RecordKey), Record>,
}

pub(super) const PARTITION: PartitionId = PartitionId(0);

/// The id of the task `n`.
pub(super) fn id(n: u64) -> TaskId {
    TaskId::new(Timestamp::from_millis(EPOCH_MS), PARTITION, n)
}

pub(super) fn lease(n: u64) -> LeaseId {
    LeaseId::from_u128(u128::from(n))
}

pub(super) fn queue() -> QueueName {
    QueueName::new("queue-0").expect("a name")
}

/// The request for the task `n`.
pub(super) fn submit(n: u64) -> SubmitTask {
    SubmitTask {
        id: Some(id(n)),
        kind: "work".to_owned(),
        queue: Some("queue-0".to_owned()),
        max_retries: Some(1),
        ..SubmitTask::default()
    }
}

/// A heartbeat of the task 1 with the lease `l`.
pub(super) fn extend(l: u64) -> Ask {
    Ask::Extend {
        task: id(1),
        lease: lease(l),
        lease_ms: None,
        progress: None,
    }
}

/// A heartbeat is accepted, for no longer than the lease lasts anyway.
pub(super) fn extended(cancel_requested: bool) -> Answer {
    Answer::Extended {
        expires_at: Timestamp::from_millis(EPOCH_MS),
        cancel_requested,
    }
}

impl Sample {
    pub fn new() -> Self {
        let plan = Plan {
            seed: 0,
            world: WorldKind::Memory,
            partitions: 1,
            split: false,
            cluster: None,
            transaction_changes: None,
            acknowledged_by_replica: false,
            transaction_bytes: None,
            far: false,
            max_clock_skew_ms: 0,
            clocks: Vec::new(),
            workers: Vec::new(),
            clients: 1,
            chaos_ms: 0,
            drain_ms: 0,
            broken: 0,
            latency_us: (0, 0),
            faults: BTreeMap::new(),
            steps: Vec::new(),
        };
        Self {
            plan,
            entries: Vec::new(),
            now_ms: 0,
            calls: 0,
            records: BTreeMap::new(),
        }
    }

    /// Goes on to this millisecond.
    pub fn at(&mut self, ms: u64) -> &mut Self {
        self.now_ms = ms;
        self
    }

    /// What a clock that is right shows.
    pub fn clock(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS + self.now_ms)
    }

    pub fn write(&mut self, what: What) -> usize {
        let at = At(self.now_ms * 1_000);
        self.entries.push(Entry { at, what });
        self.entries.len() - 1
    }

    /// Commits records together.
    pub fn commit(&mut self, records: Vec<(RecordKey, Option<Record>)>) -> &mut Self {
        self.now_ms += 1;
        self.commit_in(PARTITION, records)
    }

    /// Commits records of a partition, now.
    pub fn commit_in(
        &mut self,
        partition: PartitionId,
        records: Vec<(RecordKey, Option<Record>)>,
    ) -> &mut Self {
        self.stored(partition, Actor::Node(0), records)
    }

    /// The store goes back to what the task `n` was.
    pub fn go_back(&mut self, n: u64, task: Option<Task>) -> &mut Self {
        self.now_ms += 1;
        let record = task.map(|task| Record::Task(Arc::new(task)));
        let records = vec![(RecordKey::Task(id(n)), record)];
        self.stored(PARTITION, Actor::Store, records)
    }

    pub fn stored(
        &mut self,
        partition: PartitionId,
        by: Actor,
        records: Vec<(RecordKey, Option<Record>)>,
    ) -> &mut Self {
        let changes = records.into_iter().map(|(key, after)| {
            let place = (partition, key.clone());
            let before = match after.clone() {
                Some(record) => self.records.insert(place, record),
                None => self.records.remove(&place),
            };
            Changed { key, before, after }
        });
        let changes = changes.collect();
        self.write(What::Stored(Stored {
            partition,
            by,
            changes,
        }));
        self
    }

    /// A workflow of two tasks, named by the first of them, of which one died and let the other down.
    pub fn failed_workflow(&self) -> Workflow {
        Workflow {
            id: WorkflowId::from(id(1)),
            name: None,
            created_at: self.clock(),
            completed_at: None,
            tasks: 2,
            succeeded: 0,
            dead: 1,
            cancelled: 1,
            not_needed: 0,
            purged: 0,
            idempotency: None,
            members: 0,
            gate: None,
        }
    }

    pub fn task(&self, n: u64) -> Task {
        match self.records.get(&(PARTITION, RecordKey::Task(id(n)))) {
            Some(Record::Task(task)) => Task::clone(task),
            _ => self.new_task(n),
        }
    }

    fn new_task(&self, n: u64) -> Task {
        let mut task = fixtures::queued(id(n), self.clock());
        task.kind = TaskType::new("work").expect("a name");
        task.queue = queue();
        task.payload = Bytes::new();
        task.retry.max_retries = 1;
        task
    }

    /// Commits a change of the task `n`, or makes it.
    pub fn change(&mut self, n: u64, change: impl FnOnce(&mut Task)) -> &mut Self {
        let mut task = self.task(n);
        task.updated_at = Timestamp::from_millis(self.clock().as_millis() + 1);
        change(&mut task);
        self.commit(vec![put(task)])
    }

    /// Commits that there is no task `n` any more.
    pub fn forget(&mut self, n: u64) -> &mut Self {
        self.commit(vec![(RecordKey::Task(id(n)), None)])
    }

    pub fn ask(&mut self, who: Actor, ask: Ask) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        let (node, asks) = (Actor::Node(0), Arc::from([ask]));
        self.write(What::Asked {
            call,
            who,
            node,
            asks,
        });
        call
    }

    pub fn answer(&mut self, call: CallId, answer: Answer) -> &mut Self {
        let answers = vec![answer];
        self.write(What::Answered { call, answers });
        self
    }

    /// Asks and answers, with nothing in between.
    pub fn call(&mut self, who: Actor, ask: Ask, answer: Answer) -> &mut Self {
        let call = self.ask(who, ask);
        self.answer(call, answer)
    }

    /// What a checker finds.
    pub fn check(&self, check: fn(&Facts<'_>) -> Vec<Violation>) -> Vec<Violation> {
        let run = self.run();
        check(&Facts::of(&run))
    }

    pub fn run(&self) -> Run<'_> {
        Run {
            plan: &self.plan,
            entries: &self.entries,
            healed: At(0),
            ended: At(self.now_ms * 1_000),
        }
    }

    /// Whether a checker finds something that it says in these words.
    pub fn finds(&self, check: fn(&Facts<'_>) -> Vec<Violation>, words: &str) -> bool {
        let found = self.check(check);
        let said = found.iter().any(|violation| violation.what.contains(words));
        assert!(said, "{words:?} is not in {found:?}");
        said
    }
}

/// A task as a record to be committed.
pub(super) fn put(task: Task) -> (RecordKey, Option<Record>) {
    (RecordKey::Task(task.id), Some(Record::Task(Arc::new(task))))
}
