//! What a workflow file may hold. What the scheduler limits too is refused early, by the same limit, with where it stands.

use std::time::Duration;

use russet_core::limits as core;

/// Size of a workflow file.
pub const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Values (texts, numbers, lists, mappings) in a file, after YAML aliases are expanded.
pub const FILE_VALUES: usize = 5_000_000;
/// Tasks of a workflow.
pub const TASKS: usize = core::WORKFLOW_TASKS;
/// Dependencies of one task.
pub const DEPENDENCIES: usize = core::TASK_DEPENDENCIES;
/// Characters of a task, workflow or resource name in Russet's format.
pub const NAME_CHARS: usize = core::NAME_LEN;
/// Characters of a task id or workflow name in WfFormat.
pub const WFFORMAT_NAME_CHARS: usize = 256;
/// The most urgent priority.
pub const PRIORITY: u8 = core::PRIORITY_MAX;
/// Retries of one task.
pub const RETRIES: u32 = core::RETRIES_MAX;
/// Amount of one resource.
pub const RESOURCE_AMOUNT: u64 = core::RESOURCE_AMOUNT;
/// Different resources of one task.
pub const RESOURCES: usize = core::TASK_RESOURCES;
/// Length of a shell command: Linux takes no longer single argument (`MAX_ARG_STRLEN`, with its NUL), less a little
/// that is put before it.
pub const COMMAND_BYTES: usize = 128 * 1024 - 128;
/// Environment variables of one task.
pub const ENV_VARS: usize = 256;
/// Names and values of one task's environment together.
pub const ENV_BYTES: usize = 32 * 1024;
/// Any duration.
pub const DURATION: Duration = Duration::from_millis(core::DURATION_MAX.as_millis());
/// The same in days, as it is told.
pub const DURATION_DAYS: u64 = DURATION.as_secs() / 86_400;
/// Problems of one file that are listed; further ones are counted.
pub const PROBLEMS: usize = 1_000;
