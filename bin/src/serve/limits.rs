//! Every bound of the server, in one place. Those of the requests themselves are in
//! [`russet_core::limits`] and [`russet_engine::limits`].

use std::time::Duration;

/// Largest request body: a batch of 1,000 tasks fits when their payloads have 64 KiB each.
pub const BODY_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes of larger bodies that are read and parsed at once, over all connections.
pub const BODIES_BYTES: usize = 512 * 1024 * 1024;
/// Room that an answer gets at first: most fit, and larger ones grow.
pub const REPLY_BYTES: usize = 1024;
/// Bodies up to this size are not counted: even one on every connection fits.
pub const SMALL_BODY_BYTES: usize = 16 * 1024;
/// In which steps a larger body takes its room.
pub const BODY_STEP_BYTES: usize = 256 * 1024;
/// When to try again what was refused because too much was being read.
pub const RETRY_AFTER_MS: u64 = 1_000;
/// Most open connections; further ones wait in the system's backlog.
pub const CONNECTIONS: usize = 10_000;
/// Most connections that the system keeps until they are accepted.
pub const BACKLOG: u32 = 1_024;
/// How long a client may take to send the head of a request, or idle between two requests.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the store may take to say that it is there, less than whoever asks for it waits.
pub const READY_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the store may take to say what is told of it in metrics, for which DynamoDB counts: well
/// below the 10 s that Prometheus waits for a scrape, unless it is told otherwise.
pub const METRICS_TIMEOUT: Duration = Duration::from_secs(6);
/// How long a server that has started looks at most at what is on AWS.
pub const EXAMINATION: Duration = Duration::from_secs(120);
/// Most lines about failed requests that are logged in each span of [`FAILURES_SPAN`].
pub const FAILURES_LOGGED: u32 = 20;
/// See [`FAILURES_LOGGED`].
pub const FAILURES_SPAN: Duration = Duration::from_secs(10);
/// How long requests that have begun may go on when the server stops.
pub const DRAIN: Duration = Duration::from_secs(25);
/// How long accepting pauses when the system has no room for another connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Most event streams that are open at once.
pub const EVENT_STREAMS: usize = 256;
/// How often an event stream says that it is alive, and how far it has come.
pub const EVENT_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long one look for ready tasks lasts inside a long poll, before the server checks that
/// the worker is still there.
pub const LEASE_SLICE: Duration = Duration::from_secs(1);
/// Most queues with event counters of their own; further ones are counted as `_other`.
pub const MEASURED_QUEUES: usize = 1_000;
/// Most running attempts whose duration is measured.
pub const MEASURED_ATTEMPTS: usize = 100_000;
/// Most blocking parents that an explanation names.
pub const EXPLAINED_PARENTS: usize = 10;
