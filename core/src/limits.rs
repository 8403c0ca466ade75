//! Every bound that `core` enforces, in one place.

use crate::Millis;

/// Largest payload, result or checkpoint, in bytes.
pub const PAYLOAD_BYTES: usize = 1024 * 1024;
/// Largest metadata of a task, in bytes.
pub const METADATA_BYTES: usize = 16 * 1024;
/// Longest error message that is kept, in bytes; longer ones are cut.
pub const ERROR_BYTES: usize = 4 * 1024;
/// Longest progress message, in bytes.
pub const PROGRESS_MESSAGE_BYTES: usize = 1024;
/// Most items in one batch.
pub const BATCH_ITEMS: usize = 1_000;
/// Most tasks in one workflow.
pub const WORKFLOW_TASKS: usize = 10_000;
/// Most dependencies of one task.
pub const TASK_DEPENDENCIES: usize = 10_000;
/// Most tasks that may depend on one task.
pub const TASK_DEPENDENTS: usize = 100_000;
/// Most follow-up tasks committed with one completion.
pub const FOLLOW_UPS: usize = 100;
/// Most different resources that one task needs.
pub const TASK_RESOURCES: usize = 16;
/// Largest amount of one resource.
pub const RESOURCE_AMOUNT: u64 = 1 << 53;
/// Longest name, in characters.
pub const NAME_LEN: usize = 128;
/// Longest idempotency or partition key, in bytes.
pub const KEY_LEN: usize = 256;
/// Longest name of a worker, in bytes.
pub const WORKER_LEN: usize = 128;
/// The most urgent priority.
pub const PRIORITY_MAX: u8 = 9;
/// Most retries of a task.
pub const RETRIES_MAX: u32 = 10_000;
/// Shortest lease.
pub const LEASE_MIN: Millis = Millis::new(100);
/// Longest lease between two heartbeats.
pub const LEASE_MAX: Millis = Millis::from_secs(12 * 3_600);
/// Longest delay, timeout, window or retention.
pub const DURATION_MAX: Millis = Millis::from_days(3_650);
/// Most tasks of one queue that may be limited to run at once.
pub const CONCURRENCY_MAX: u32 = 1_000_000;
/// Longest term of a partition's leader; a longer one was written by a clock that is ahead.
pub const LEADER_TERM_MAX: Millis = Millis::from_secs(60);
/// Most partitions of a store.
pub const PARTITIONS_MAX: u16 = 4_096;

/// Dependencies that a task record holds itself; longer lists have records of their own.
pub const INLINE_DEPENDENCIES: usize = 32;
/// Dependents that a task record holds itself; longer lists have records of their own.
pub const INLINE_DEPENDENTS: usize = 8;
/// Dependents in one record of a task's list.
pub const DEPENDENTS_PER_CHUNK: usize = 128;
/// Records behind a gate that one list names.
pub const GATED_PER_LIST: usize = 128;
/// How long a gate waits for the next piece of its workflow before the workflow is given up.
pub const GATE_PATIENCE: Millis = Millis::from_secs(30);
