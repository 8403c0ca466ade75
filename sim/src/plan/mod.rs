//! What is to happen in a run: drawn from a seed, or read from a file. It says everything, so
//! that a smaller plan can be tried by leaving parts out.

mod draw;
mod random;
mod tasks;
#[cfg(test)]
mod tests;
mod world_kind;

use std::collections::BTreeMap;

use russet_core::{DependencyOn, Millis, TransactionLimit};
use serde::{Deserialize, Serialize};

pub use random::Random;
pub use world_kind::WorldKind;

use crate::history::FaultKind;

/// How long a task waits to catch up with one that is one priority more urgent: short, so that
/// starvation would show.
pub const AGING: Millis = Millis::from_secs(1);

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Chance inside the run: delays, which message a fault befalls.
    pub seed: u64,
    /// The backend.
    pub world: WorldKind,
    /// Partitions of the store.
    pub partitions: u16,
    /// The queue is not the store.
    pub split: bool,
    /// The store is a cluster of so many primaries; one server when absent.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub cluster: Option<u8>,
    /// Nodes wait until a replica of the store has what they commit.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub acknowledged_by_replica: bool,
    /// Most changes in one transaction; as the store says when absent.
    pub transaction_changes: Option<usize>,
    /// Most bytes of records in one transaction; as the store says when absent.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub transaction_bytes: Option<usize>,
    /// The store is taken to be far: nodes presume what they know of tasks.
    #[serde(default)]
    pub far: bool,
    /// The bound that nodes are told about each other's clocks.
    pub max_clock_skew_ms: u64,
    /// The scheduler nodes' clocks, one for each node.
    pub clocks: Vec<ClockPlan>,
    /// The workers.
    pub workers: Vec<WorkerPlan>,
    /// How many clients share the steps.
    pub clients: u8,
    /// How long faults are injected.
    pub chaos_ms: u64,
    /// How long everything may take to end afterwards.
    pub drain_ms: u64,
    /// Nodes that stay down after the heal, from the last one backwards.
    pub broken: u8,
    /// How long a message takes, at least and at most, in microseconds.
    pub latency_us: (u64, u64),
    /// How often each fault happens. What is absent does not: for faults of messages and calls
    /// in a million, for the others a mean time between two of them, in milliseconds.
    pub faults: BTreeMap<FaultKind, u64>,
    /// What clients do.
    pub steps: Vec<Step>,
}

/// A node's clock: what it shows is `true + offset + elapsed * drift`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockPlan {
    /// Ahead (or behind) by so much from the start.
    pub offset_ms: i64,
    /// Too fast (or too slow), in parts per million.
    pub drift_ppm: i64,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerPlan {
    /// The queues that it serves, by number.
    pub queues: Vec<u8>,
    /// How many handlers it runs at once.
    pub concurrency: usize,
    /// How much `cpu` it has; it counts no resources when absent.
    pub cpu: Option<u64>,
    /// How long leases last; as each task says when absent.
    pub lease_ms: Option<u64>,
}

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When, after the start.
    pub at_ms: u64,
    /// Which client.
    pub client: u8,
    /// What.
    pub act: Act,
}

/// The number of a task in a plan.
pub type TaskNumber = u32;

/// What a client can do. What names a task that has no id yet is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Submits tasks, together when there are several.
    Submit(Vec<TaskPlan>),
    /// Submits a workflow.
    Workflow {
        /// The idempotency key, by number.
        key: Option<u8>,
        /// Its tasks.
        tasks: Vec<TaskPlan>,
    },
    /// Submits again what was submitted in the step before at that position, unchanged.
    Again(usize),
    /// Cancels a task.
    Cancel(TaskNumber),
    /// Cancels the workflow that a task was submitted with.
    CancelWorkflow(TaskNumber),
    /// Redrives a task.
    Redrive(TaskNumber),
    /// Redrives a task, also when somebody cancelled it.
    RedriveCancelled(TaskNumber),
    /// Redrives a workflow.
    RedriveWorkflow {
        /// A task that was submitted with it.
        of: TaskNumber,
        /// The tasks that somebody cancelled are meant too.
        cancelled: bool,
    },
    /// Redrives everything that is dead in a queue.
    RedriveAll(u8),
    /// Purges a task.
    Purge(TaskNumber),
    /// Looks at a task.
    Get(TaskNumber),
    /// Waits for a task's end, for a while.
    Wait(TaskNumber),
    /// Lists tasks.
    List,
    /// Pauses a queue.
    Pause(u8),
    /// Resumes a queue.
    Resume(u8),
    /// Gives a queue a concurrency limit, or lifts it.
    Limit(u8, Option<u32>),
}

/// A task of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskPlan {
    /// Its number.
    pub number: TaskNumber,
    /// Its queue, by number.
    #[serde(skip_serializing_if = "is_usual")]
    pub queue: u8,
    /// Its partition, modulo the number of partitions, unless a key chooses one.
    #[serde(skip_serializing_if = "is_usual")]
    pub partition: u16,
    /// Its priority.
    #[serde(skip_serializing_if = "is_usual")]
    pub priority: Option<u8>,
    /// Its delay.
    #[serde(skip_serializing_if = "is_usual")]
    pub delay_ms: u64,
    /// Its retries.
    #[serde(skip_serializing_if = "is_usual")]
    pub max_retries: u32,
    /// Its first backoff.
    #[serde(skip_serializing_if = "is_usual")]
    pub backoff_ms: u64,
    /// How long its leases last.
    #[serde(skip_serializing_if = "is_usual")]
    pub lease_ms: u64,
    /// How long an attempt may take.
    #[serde(skip_serializing_if = "is_usual")]
    pub timeout_ms: Option<u64>,
    /// It is given up when nobody started it within this time.
    #[serde(skip_serializing_if = "is_usual")]
    pub expires_in_ms: Option<u64>,
    /// How long it is kept after its end; as its queue says when absent.
    #[serde(skip_serializing_if = "is_usual")]
    pub retention_ms: Option<u64>,
    /// What it waits for.
    #[serde(skip_serializing_if = "is_usual")]
    pub dependencies: Vec<(TaskNumber, DependencyOn)>,
    /// What becomes of it when a dependency cannot be satisfied: 0 is cancelled, 1 dies, 2 goes on.
    #[serde(skip_serializing_if = "is_usual")]
    pub if_unsatisfied: u8,
    /// Its idempotency key, by number.
    #[serde(skip_serializing_if = "is_usual")]
    pub key: Option<u8>,
    /// How long the key names it; while it lives when absent.
    #[serde(skip_serializing_if = "is_usual")]
    pub window_ms: Option<u64>,
    /// How much `cpu` it needs.
    #[serde(skip_serializing_if = "is_usual")]
    pub cpu: u64,
    /// How its attempts go, one after the other; those beyond succeed at once.
    #[serde(skip_serializing_if = "is_usual")]
    pub script: Vec<Attempt>,
}

/// Whether a field says nothing that its absence would not say.
fn is_usual<T: Default + PartialEq>(field: &T) -> bool {
    *field == T::default()
}

/// How an attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Attempt {
    /// It takes so many milliseconds and succeeds.
    Succeed(u64),
    /// It takes so many milliseconds and fails.
    Fail(u64),
    /// It fails for good.
    Final(u64),
    /// It panics.
    Panic(u64),
    /// It is snoozed for so long.
    Snooze(u64),
    /// It never ends by itself.
    Hang,
    /// It kills its worker.
    Poison(u64),
    /// It succeeds after so many milliseconds with that many follow-up tasks.
    FollowUps(u64, u8),
    /// It reports progress after so many milliseconds, and succeeds after so many more.
    Progress(u64, u64),
}

impl Plan {
    /// The plan of a seed.
    pub fn of_seed(world: WorldKind, seed: u64) -> Self {
        draw::plan(world, seed)
    }

    /// How often a fault happens; 0: never.
    pub fn rate(&self, kind: FaultKind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or(0)
    }

    /// What the store changes at once, which can do so much.
    pub fn transaction_of(&self, own: TransactionLimit) -> TransactionLimit {
        TransactionLimit {
            changes: self.transaction_changes.unwrap_or(own.changes),
            bytes: self.transaction_bytes.unwrap_or(own.bytes),
        }
    }

    /// Whether what is asked for may be too large to be done at once.
    pub fn bounds_transactions(&self) -> bool {
        self.transaction_of(TransactionLimit::NONE) != TransactionLimit::NONE
    }

    /// Whether the store may forget what it has acknowledged.
    pub fn may_forget(&self) -> bool {
        self.rate(FaultKind::FailoverBehind) > 0
    }

    /// Whether every clock stays within `max_clock_skew` of every other.
    pub fn clocks_within_bound(&self) -> bool {
        self.rate(FaultKind::ClockBeyond) == 0
    }

    /// The name of a queue.
    pub fn queue(number: u8) -> String {
        format!("queue-{number}")
    }

    /// Every task that the plan submits.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskPlan> {
        self.steps.iter().flat_map(|step| match &step.act {
            Act::Submit(tasks) | Act::Workflow { tasks, .. } => tasks.as_slice(),
            _ => &[],
        })
    }
}
