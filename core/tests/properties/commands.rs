//! Plans: bytes that say what happens to a world. Any bytes are a plan, and smaller bytes are
//! simpler plans, so that a property test can shrink them and a fuzzer can mutate them.

use std::fmt;

use russet_core::command::{LeaseTask, NewWorkflow, Submit};
use russet_core::{
    Command, LeaseId, Millis, PartitionId, QueueConfig, TaskId, Timestamp, TransactionLimit, View,
    WorkerId, WorkflowId, entries,
};

use crate::harness::{Checks, World};
use crate::specs;

/// Bytes of one step.
pub const STEP: usize = 24;

/// Settings, then steps.
#[derive(Clone)]
pub struct Plan {
    pub partitions: u16,
    pub split: bool,
    /// How much the store changes at once.
    pub transaction: TransactionLimit,
    /// Chooses how far clocks are apart, and what queues do that nobody configured.
    pub settings: u8,
    pub steps: Vec<[u8; STEP]>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partitions,
            split,
            transaction,
            settings,
            steps,
        } = self;
        let steps = steps.len();
        write!(
            f,
            "{partitions} partitions, split {split}, {transaction:?}, settings {settings}, {steps} steps"
        )
    }
}

impl Plan {
    /// Carries out the plan from an empty store on, and lets the world heal in the end.
    pub fn play(&self, checks: Checks) -> World {
        let settings = View {
            split: self.split,
            transaction: self.transaction,
            max_clock_skew: Millis::new([0, 0, 50, 5_000][usize::from(self.settings % 4)]),
            queue_defaults: QueueConfig {
                concurrency: [None, None, Some(1), Some(2)][usize::from(self.settings / 4 % 4)],
                ..QueueConfig::default()
            },
            ..View::default()
        };
        let mut world = World::new(self.partitions, &settings, checks);
        for step in &self.steps {
            Dice(step).step(&mut world);
        }
        world.heal();
        world
    }
}

/// Bytes that decide; they are zero once they are used up.
pub struct Dice<'a>(pub &'a [u8]);

impl Dice<'_> {
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// One of `all`, a late one for small bytes.
    pub fn recent<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let back = usize::from(self.byte()) % all.len().max(1);
        all.iter().rev().nth(back).copied()
    }

    /// A task that was accepted at some time, or one that never was.
    pub fn task(&mut self, world: &World) -> TaskId {
        let ghost = self.byte() >= 250;
        let known = if ghost { None } else { self.recent(&world.ids) };
        let last = u16::try_from(world.partitions.len() - 1).expect("a small number");
        known.unwrap_or(TaskId::new(Timestamp::ZERO, PartitionId(last), 0))
    }

    /// A lease that was granted at some time.
    pub fn grant(&mut self, world: &World) -> (TaskId, LeaseId) {
        let ghost = (self.task(world), LeaseId::from_u128(0));
        self.recent(&world.grants).unwrap_or(ghost)
    }

    fn step(mut self, world: &mut World) {
        let what = self.byte();
        self.pass_time(world);
        let partition = usize::from(self.byte()) % world.partitions.len();
        match what % 64 {
            0..6 if !world.begun.is_empty() => self.go_on(world),
            0..8 => self.submit(world, partition),
            8..11 => self.batch(world, partition, None),
            11..14 => {
                let id = WorkflowId::from(specs::id(world, partition));
                self.batch(world, partition, Some(id));
            }
            14..16 => self.again(world),
            16..28 => self.lease(world, partition),
            28..52 => self.by_id(world, what % 64),
            52..55 => self.fire_next(world),
            55..57 => self.configure(world, partition),
            57..62 => self.message(world),
            62 => self.campaign(world, partition),
            _ => self.outlive(world),
        }
    }

    fn pass_time(&mut self, world: &mut World) {
        let by = [
            0, 1, 0, 10, 0, 100, 0, 1_000, 0, 5_000, 0, 60_000, 0, -1, -500, -10_000,
        ];
        let by = self.one_of(&by);
        let now = world.now.as_millis().saturating_add_signed(by);
        world.now = Timestamp::from_millis(now);
    }

    fn submit(&mut self, world: &mut World, partition: usize) {
        let tasks = vec![specs::task(self, world, partition)];
        let submit = Submit {
            workflow: None,
            tasks,
        };
        let _ = world.run(partition, &Command::Submit(submit));
    }

    fn batch(&mut self, world: &mut World, partition: usize, workflow: Option<WorkflowId>) {
        let shape = self.byte();
        let key = if workflow.is_some() {
            specs::key(self)
        } else {
            None
        };
        let (large, most) = (shape / 128 == 1, world.oracle.most_tasks());
        let (count, edges) = match most.filter(|_| large && workflow.is_some()) {
            // No task depends on so many that it could not be redriven.
            Some(most) => (most + usize::from(shape % 16), shape / 2 % 7),
            None => (2 + usize::from(shape % 2), shape / 2),
        };
        let mut tasks: Vec<_> = (0..count)
            .map(|_| specs::task(self, world, partition))
            .collect();
        if workflow.is_some() {
            tasks.iter_mut().for_each(|task| task.idempotency = None);
        }
        specs::connect(&mut tasks, edges);
        let workflow = workflow.map(|id| NewWorkflow {
            id,
            name: None,
            idempotency: key,
        });
        let _ = world.run(partition, &Command::Submit(Submit { workflow, tasks }));
    }

    /// Somebody who submits in pieces goes on, or does not: pieces are lost, repeated and late.
    fn go_on(&mut self, world: &mut World) {
        let fate = self.byte() % 8;
        let all: Vec<_> = (0..world.begun.len()).collect();
        let Some(at) = self.recent(&all) else {
            return;
        };
        let partition = world.begun[at].partition;
        let missing = world.begun[at].missing.clone();
        let (stored, submits) = match fate {
            0..3 => (missing.as_slice(), true),
            3 | 4 => (&missing[..missing.len().min(1)], false),
            5 => (&missing[missing.len().saturating_sub(1)..], true),
            _ => (&missing[..0], fate == 6),
        };
        let submit = world.begun[at].submit.clone();
        if fate == 7 {
            world.begun.remove(at);
        }
        for piece in stored {
            let _ = world.run(partition, &Command::Stage(piece.clone()));
        }
        if submits {
            let _ = world.run(partition, &submit);
        }
    }

    /// A command once more; or a submission once more under new ids, all of them or those of
    /// its tasks, or with a change under the same ids.
    fn again(&mut self, world: &mut World) {
        let fresh = self.byte() % 8;
        let all: Vec<_> = (0..world.accepted.len()).collect();
        let Some(at) = self.recent(&all) else {
            return;
        };
        let (partition, mut command) = world.accepted[at].clone();
        match &mut command {
            Command::Submit(submit) if fresh >= 4 => {
                specs::rename(submit, world, partition, fresh < 7);
            }
            Command::Submit(submit) if fresh == 3 => {
                specs::change(&mut submit.tasks[0], self.byte());
            }
            _ => {}
        }
        let _ = world.run(partition, &command);
    }

    /// Leases what is ready, best first, or any task at all.
    fn lease(&mut self, world: &mut World, partition: usize) {
        let any = self.byte() % 4 == 3;
        let entries = world.partitions[partition].records.values().map(entries);
        let first = entries
            .filter_map(|e| e.ready)
            .min_by_key(|ready| (ready.score, ready.task));
        let (Some(task), false) = (first.map(|ready| ready.task), any) else {
            return self.lease_any(world);
        };
        self.grant_to_someone(world, task);
    }

    fn lease_any(&mut self, world: &mut World) {
        let task = self.task(world);
        self.grant_to_someone(world, task);
    }

    fn grant_to_someone(&mut self, world: &mut World, task: TaskId) {
        let lease = LeaseTask {
            task,
            lease: LeaseId::from_u128(u128::from(world.next_serial())),
            worker: WorkerId("worker".into()),
            duration: self.one_of(&[None, None, Some(Millis::new(200)), Some(Millis::ZERO)]),
        };
        let _ = world.run(usize::from(task.partition().0), &Command::Lease(lease));
    }
}
