//! Every bound on a command that runs as a task.

use std::time::Duration;

/// Most of standard output that is kept, in bytes.
pub const STDOUT_BYTES: usize = russet_core::limits::PAYLOAD_BYTES;
/// How much of the end of standard error is kept, in bytes.
pub const STDERR_BYTES: usize = 3 * 1024;
/// How long a command may go on after SIGTERM before it gets SIGKILL.
pub const KILL_GRACE: Duration = Duration::from_secs(10);
/// How long output is awaited after the command's process group is gone: only a process that
/// left the group can still hold a pipe open.
pub const OUTPUT_GRACE: Duration = Duration::from_secs(1);
/// How much is read from a pipe at once, in bytes.
pub const READ_BYTES: usize = 16 * 1024;
/// The pauses before a guard's looks for processes that were left behind: one that was just
/// being started shows itself a moment later. It looks again as long as it finds some.
pub const GUARD_LOOKS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
];
