//! Draws commands.

use bytes::Bytes;
use russet::wire::{ConfigureQueue, DependsOn, RetryView, SubmitTask, WindowView};
use russet_core::command::When;
use russet_core::{
    Cancel, Command, Complete, Configure, Dependency, DependencyOn, Idempotency, IdempotencyKey,
    LeaseId, LeaseTask, Millis, NewTask, PartitionId, Purge, QueuePatch, Redrive, Status, Submit,
    TaskId, TaskType, Window, WorkerId, policy,
};

use super::{Asked, Drawn, PARTITIONS, queue, sample_id};
use crate::history::{Actor, Ask};

impl Drawn {
    pub(super) fn send(&mut self, who: Actor, ask: Ask, command: Command) -> Asked {
        let call = self.sample.ask(who, ask);
        Asked { call, command }
    }

    pub(super) fn ask(&mut self, partition: PartitionId) -> Option<Asked> {
        match self.random.within(0..20) {
            0..5 => self.submit(partition),
            5..9 => self.lease(partition),
            9..15 => self.report(partition),
            15..19 => self.interfere(partition),
            _ => self.configure(),
        }
    }

    /// The task that the fields of a request ask for.
    pub(super) fn new_task(&self, asked: &SubmitTask, id: TaskId) -> NewTask {
        let kind = TaskType::new(&asked.kind).expect("a name");
        let mut new = NewTask::new(id, kind, queue(0), Bytes::new());
        new.priority = asked.priority;
        new.retry.max_retries = asked.max_retries.expect("retries");
        let retry = asked.retry.expect("a policy");
        new.retry.backoff = Millis::new(retry.backoff_ms.expect("a backoff"));
        new.start = asked.delay_ms.map(|ms| When::In(Millis::new(ms)));
        new.expires = asked.expires_in_ms.map(|ms| When::In(Millis::new(ms)));
        new.lease_duration = Millis::new(asked.visibility_timeout_ms.expect("a duration"));
        new.timeout = asked.timeout_ms.map(Millis::new);
        new.retention = asked.retention_ms.map(Millis::new);
        new.if_unsatisfied = asked.if_unsatisfied.expect("a policy");
        let edges = asked.dependencies.iter().map(|edge| Dependency {
            task: edge.task.parse().expect("an id"),
            on: edge.on,
        });
        new.dependencies = edges.collect();
        new.idempotency = asked.idempotency_key.as_ref().map(|key| Idempotency {
            key: IdempotencyKey::new(key).expect("a key"),
            window: match asked.idempotency_window_ms {
                Some(WindowView::Ms(ms)) => Window::For(Millis::new(ms)),
                _ => Window::WhileLive,
            },
        });
        new
    }

    fn new_id(&mut self, partition: PartitionId) -> TaskId {
        self.next += 1;
        TaskId::new(self.sample.clock(), partition, self.next)
    }

    fn submit(&mut self, partition: PartitionId) -> Option<Asked> {
        let again = self.random.percent(20) && !self.submitted.is_empty();
        let asked = match again {
            true => self.random.one_of(&self.submitted).clone(),
            false => self.draw_task(partition),
        };
        let key = asked.idempotency_key.as_deref();
        let place = key.map(|key| policy::partition_of_key(key, PARTITIONS));
        let place = place.or(asked.id.map(TaskId::partition))?;
        if place != partition {
            return None;
        }
        let id = match asked.id {
            Some(id) => id,
            None => self.new_id(partition),
        };
        let task = self.new_task(&asked, id);
        if !again {
            self.submitted.push(asked.clone());
        }
        let submit = Submit {
            workflow: None,
            tasks: vec![task],
        };
        let ask = Ask::Submit(Box::new(asked));
        Some(self.send(Actor::Client(0), ask, Command::Submit(submit)))
    }

    pub(super) fn draw_task(&mut self, partition: PartitionId) -> SubmitTask {
        let own = self.new_id(partition);
        let random = &self.random;
        let some = |percent, most| random.percent(percent).then(|| random.within(1..most));
        let key = some(30, 4).map(|n| format!("key-{n}"));
        let parents: Vec<_> = self.submitted.iter().filter_map(|task| task.id).collect();
        let on = [
            DependencyOn::Success,
            DependencyOn::Completion,
            DependencyOn::Failure,
        ];
        let edges = (0..some(40, 3).unwrap_or(0)).filter(|_| !parents.is_empty());
        let edges = edges.map(|_| DependsOn {
            task: random.one_of(&parents).to_string(),
            on: *random.one_of(&on),
        });
        let mut dependencies: Vec<DependsOn> = edges.collect();
        dependencies.dedup_by(|a, b| a.task == b.task);
        use russet_core::IfUnsatisfied::{Cancel, Dead, Run};
        SubmitTask {
            id: key.is_none().then_some(own),
            kind: "work".to_owned(),
            queue: Some("queue-0".to_owned()),
            priority: some(30, 9).map(|priority| priority as u8),
            max_retries: Some(random.within(0..3) as u32),
            retry: Some(RetryView {
                backoff_ms: Some(*random.one_of(&[0, 50, 1_000])),
                ..RetryView::default()
            }),
            delay_ms: some(30, 3_000),
            expires_in_ms: some(10, 3_000),
            visibility_timeout_ms: Some(*random.one_of(&[500, 2_000, 5_000])),
            timeout_ms: some(20, 3_000),
            retention_ms: some(20, 4_000),
            dependencies,
            if_unsatisfied: Some(*random.one_of(&[Cancel, Dead, Run])),
            idempotency_window_ms: key.is_some().then(|| match some(50, 8_000) {
                Some(ms) => WindowView::Ms(ms),
                None => WindowView::WhileLive,
            }),
            idempotency_key: key,
            ..SubmitTask::default()
        }
    }

    pub(super) fn lease(&mut self, partition: PartitionId) -> Option<Asked> {
        let queued = self.tasks().filter(|task| task.status == Status::Queued);
        let own = queued.filter(|task| task.id.partition() == partition);
        let first = own.min_by_key(|task| (task.score, task.id))?;
        let task = first.id;
        self.next += 1;
        let lease = LeaseId::from_u128(u128::from(self.next));
        let worker = WorkerId("worker-0".into());
        let command = Command::Lease(LeaseTask {
            task,
            lease,
            worker,
            duration: None,
        });
        let ask = Ask::Lease {
            queues: vec!["queue-0".to_owned()],
            max: 1,
            lease_ms: None,
        };
        Some(self.send(Actor::Worker(0), ask, command))
    }

    pub(super) fn complete(
        &self,
        task: TaskId,
        lease: LeaseId,
        follow_ups: Vec<NewTask>,
    ) -> Command {
        Command::Complete(Complete {
            task,
            lease,
            result: None,
            progress: None,
            follow_ups,
        })
    }

    fn interfere(&mut self, partition: PartitionId) -> Option<Asked> {
        let known: Vec<_> = self.tasks().map(|task| task.id).collect();
        let ghost = TaskId::new(self.sample.clock(), partition, u64::MAX);
        let task = match known.is_empty() || self.random.percent(5) {
            true => ghost,
            false => *self.random.one_of(&known),
        };
        if task.partition() != partition || task == sample_id(0) {
            return None;
        }
        let (ask, command) = match self.random.within(0..7) {
            0..2 => (
                Ask::Cancel(task),
                Command::Cancel(Cancel { task, reason: None }),
            ),
            2..5 => {
                let text = format!("request-{}", self.random.within(0..5));
                let mut hash = policy::Fingerprint::new();
                hash.add(text.as_bytes());
                let hash = hash.finish();
                let id = (hash ^ (hash >> 64)) as u64;
                let request_id = Some(text);
                let cancelled = self.random.percent(30);
                (
                    Ask::Redrive {
                        task,
                        request_id,
                        cancelled,
                    },
                    Command::Redrive(Redrive {
                        task,
                        id,
                        cancelled,
                    }),
                )
            }
            _ => (Ask::Purge(task), Command::Purge(Purge { task })),
        };
        Some(self.send(Actor::Client(0), ask, command))
    }

    pub(super) fn configure(&mut self) -> Option<Asked> {
        let partition = PartitionId(0);
        let limit = *self.random.one_of(&[None, Some(1), Some(2)]);
        let paused = Some(self.random.percent(20));
        let change = ConfigureQueue {
            paused,
            concurrency: Some(limit),
            ..ConfigureQueue::default()
        };
        let patch = QueuePatch {
            paused,
            concurrency: Some(limit),
            ..QueuePatch::default()
        };
        let command = Command::Configure(Configure {
            queue: queue(0),
            patch,
        });
        let ask = Ask::Configure {
            queue: "queue-0".to_owned(),
            change,
        };
        let asked = self.send(Actor::Client(0), ask, command);
        self.decide(partition, vec![asked]);
        None
    }
}
