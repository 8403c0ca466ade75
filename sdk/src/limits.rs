//! Every bound of the SDK, in one place.

use std::time::Duration;

/// Most items in one batch of submissions or lease reports.
pub const BATCH_ITEMS: usize = russet_core::limits::BATCH_ITEMS;
/// Most tasks in one workflow.
pub const WORKFLOW_TASKS: usize = russet_core::limits::WORKFLOW_TASKS;
/// Tasks on a page when the request does not say how many.
pub const PAGE_TASKS: usize = 100;
/// Most tasks on one page.
pub const PAGE_TASKS_MAX: usize = russet_engine::limits::PAGE_TASKS;
/// Most tasks that one lease request is granted.
pub const LEASE_TASKS: usize = russet_engine::limits::LEASE_TASKS;
/// Longest wait of one lease request, in milliseconds.
pub const LEASE_WAIT_MS: u64 = russet_engine::limits::LEASE_WAIT.as_millis() as u64;
/// Longest wait for the end of a task in one request, in milliseconds.
pub const TASK_WAIT_MS: u64 = 60_000;
/// Longest text that names a request to redrive, in bytes.
pub const REQUEST_ID_BYTES: usize = 256;
/// Most tasks that an answer names which stay as they are, although they were meant.
pub const REFUSALS: usize = 100;
/// How long a cancel or a redrive of a workflow may take beyond [`CALL_TIMEOUT`].
pub const WORKFLOW_WAIT: Duration = Duration::from_secs(50);
/// Most names that an error suggests in place of an unknown one.
pub const SUGGESTIONS: usize = 3;
/// Most changed characters between a name and one that an error suggests.
pub const SUGGESTION_DISTANCE: usize = 3;
/// How often a call over HTTP is tried, when trying again is safe; each server is tried once at
/// least.
pub const CALL_TRIES: u32 = 5;
/// How often a call is tried whose servers answer that they cannot do it now, as while their store
/// is restarted: for some seconds.
pub const REFUSED_TRIES: u32 = 8;
/// After how long no call is tried again, beside the time that it asks the server to wait, except
/// at servers that were not asked yet.
pub const CALL_BUDGET: Duration = Duration::from_secs(15);
/// The first pause between two tries; later ones are twice as long, with jitter.
pub const CALL_BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause between two tries, whatever the server asks for.
pub const CALL_BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a server may take for what another one can be asked for as well.
pub const SERVER_TIMEOUT: Duration = Duration::from_secs(2);
/// Most servers that a client goes to in turn.
pub const SERVERS: usize = 32;
/// How long one try of a call may take, beside the time that it asks the server to wait.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long connecting to the server may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Idle connections that are kept open.
pub const IDLE_CONNECTIONS: usize = 64;
/// How long an idle connection is kept open.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(55);
/// Largest reply: a page or a lease of tasks, whose bytes are bounded where they are six times
/// fewer, before they are written as JSON.
pub const REPLY_BYTES: usize = 128 * 1024 * 1024;
/// Bytes of payloads and results in one request of a batch; what is beyond goes into another.
pub const REQUEST_BYTES: usize = 8 * 1024 * 1024;
/// How long one request waits for the end of a task; longer waits are several requests.
pub const WAIT_SLICE: Duration = Duration::from_secs(30);
/// Tasks that a worker runs at once, when it is not told otherwise.
pub const CONCURRENCY: usize = 16;
/// Most tasks that a worker runs at once.
pub const CONCURRENCY_MAX: usize = 100_000;
/// Finished tasks whose end may be unreported, for each task that may run, before a worker
/// takes on no more.
pub const UNREPORTED_FACTOR: usize = 2;
/// Most reports of ended attempts that a worker has on their way to a scheduler in its own
/// process.
pub const REPORTS_HERE: usize = 1_024;
/// How long a worker asks the server to wait for a task. Over HTTP it is also how long freed
/// resources may go unnoticed.
pub const POLL_WAIT: Duration = Duration::from_secs(2);
/// How long a worker that holds nothing any more waits for the answer to its poll before it
/// stops: tasks that are on their way by then are given back. Without an answer the server sees
/// that the worker is gone.
pub const POLL_LEAVE: Duration = Duration::from_millis(100);
/// The pause after an answer without tasks that came at once.
pub const POLL_PAUSE: Duration = Duration::from_millis(50);
/// The first pause after a failed poll or report; later ones are twice as long, with jitter.
pub const WORKER_BACKOFF: Duration = Duration::from_millis(100);
/// The longest pause after a failed poll or report.
pub const WORKER_BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Heartbeats in the time that a lease lasts.
pub const BEATS_PER_LEASE: u32 = 3;
/// Heartbeats that are due within this part of their interval go with those that are due.
pub const BEAT_SLACK: u32 = 4;
/// Most calls with heartbeats that a worker has under way at once: one that is not answered must
/// not keep those of other leases.
pub const BEAT_CALLS: usize = 16;
/// How long heartbeats that are due wait for the answer to those that were sent last, to go
/// together with what becomes due meanwhile.
pub const BEAT_STAGGER: Duration = Duration::from_millis(50);
/// Shortest time for which a heartbeat is waited for.
pub const BEAT_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// Longest line of an error in a worker's log, in characters.
pub const LOGGED_ERROR_CHARS: usize = 300;
/// How long handlers may go on when a worker stops.
pub const DRAIN: Duration = Duration::from_secs(25);
/// How long a worker that stops waits for its handlers to be dropped where they await; one that
/// does not let itself be dropped is left.
pub const DROP_GRACE: Duration = Duration::from_millis(500);
/// How long a worker that stops tries to report what is left.
pub const REPORT_GRACE: Duration = Duration::from_secs(4);
/// How long a worker that has stopped tries to sign off. The server forgets it after a while all the
/// same.
pub const SIGN_OFF: Duration = Duration::from_secs(1);
/// How long a handler may go on after its task was cancelled.
pub const CANCEL_GRACE: Duration = Duration::from_secs(30);
/// Longest delay of a task that is snoozed or tried again.
pub const DELAY_MAX: Duration =
    Duration::from_millis(russet_core::limits::DURATION_MAX.as_millis());
/// Most types without a handler of which a worker warns.
pub const STRANGERS: usize = 1_000;
/// Most different warnings of follow-up tasks that a worker tells.
pub const WARNINGS: usize = 1_000;
/// When a task of a type that the worker has no handler for is offered again.
pub const UNKNOWN_TYPE_DELAY: Duration = Duration::from_secs(5);
