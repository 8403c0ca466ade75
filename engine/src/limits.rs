//! Every bound of the engine, in one place.

use std::time::Duration;

use russet_core::{Millis, limits as core_limits};

/// Most commands that are decided and committed together.
pub const COMMIT_COMMANDS: usize = 1_024;
/// How often callers that are about to send are given their turn before a batch is cut.
pub const GATHER_TURNS: usize = 16;
/// Most commands of a partition that wait to be decided; more are refused.
pub const WAITING_COMMANDS: usize = 16_384;
/// Most bytes of payloads and results that wait with them; more are refused.
pub const WAITING_BYTES: usize = 256 * 1024 * 1024;
/// When to try again what was refused because too much was waiting.
pub const RETRY_AFTER: Millis = Millis::new(100);
/// About how many bytes of tasks a node keeps in memory so as not to load them from a store that
/// is far; the partitions share them.
pub const RECENT_BYTES: usize = 64 * 1024 * 1024;
/// About how many bytes such a task takes beside what it carries.
pub const RECENT_TASK_BYTES: usize = 1_024;
/// How often a command is decided again after conflicts before the caller is told to retry.
pub const CONFLICT_TRIES: u32 = 64;
/// How often a lease that must not wait looks again when nothing that it took could start.
pub const LEASE_LOOKS: u32 = 16;
/// After how long an unavailable store is not tried again, and it is not looked further which
/// commands fail by themselves: who called waits no longer.
pub const STORE_PATIENCE: Millis = Millis::from_secs(4);
/// How long a node that stops takes at most to give up what it leads.
pub const RESIGN_PATIENCE: Duration = Duration::from_secs(1);
/// How often an unknown outcome or an unavailable store is tried again.
pub const STORE_TRIES: u32 = 6;
/// The first wait after a conflict or an unavailable store; later ones are twice as long.
pub const STORE_BACKOFF: Duration = Duration::from_millis(2);
/// How long a delivery is hidden between receive and the commit of its lease.
pub const DELIVERY_HIDDEN: Duration = Duration::from_secs(10);
/// How long a lease waits for the queue to settle its deliveries, before it is granted anyway.
pub const SETTLE_PATIENCE: Duration = Duration::from_secs(1);
/// How long a partition is waited for that is asked how many tasks of a queue may start.
pub const SLOTS_PATIENCE: Duration = Duration::from_millis(500);
/// How long a delivery that cannot start now is hidden, such as one over a limit.
pub const DELIVERY_DEFERRED: Duration = Duration::from_millis(50);
/// How long a delivery is hidden whose task cannot be leased, since a record cannot be read.
pub const DELIVERY_UNREADABLE: Duration = Duration::from_secs(60);
/// Longest wait of one lease request.
pub const LEASE_WAIT: Duration = Duration::from_secs(60);
/// How long a wait goes on before a full queue is looked at again: a slot may have been given
/// back, or the queue resumed, on another node.
pub const SLOTS_REFRESH: Duration = Duration::from_millis(250);
/// Most commits of a partition that a node has under way at a time, on a store that is far.
pub const COMMITS_UNDER_WAY: usize = 3;
/// How long a node relies on what it has read of a queue, on a store that is far.
pub const QUEUE_REMEMBERED: Duration = Duration::from_millis(100);
/// How long it takes at most until all nodes have forgotten how a queue was, also those whose
/// clocks go back meanwhile.
pub const QUEUE_FORGOTTEN: Duration = Duration::from_millis(200);
/// Most queues of which a node remembers that any number of tasks may start; each partition has an
/// equal share of them.
pub const QUEUES_REMEMBERED: usize = 10_000;
/// After how long the log tells again of a record that cannot be read.
pub const DAMAGE_TOLD: Millis = Millis::from_secs(60);
/// Of how many such records a node remembers that it has told.
pub const DAMAGE_REMEMBERED: usize = 1_000;
/// Most tasks that one lease request is granted.
pub const LEASE_TASKS: usize = 1_000;
/// Most bytes of payloads, checkpoints, metadata and dependencies in the tasks that one lease
/// request is granted.
pub const LEASE_BYTES: usize = 16 * 1024 * 1024;
/// About how many bytes one dependency takes in a reply.
pub const DEPENDENCY_BYTES: usize = 64;
/// So many tasks stay within [`LEASE_BYTES`] whatever they carry: a payload, a checkpoint,
/// metadata and dependencies.
pub const LEASE_TASKS_UNWEIGHED: usize = LEASE_BYTES
    / (2 * core_limits::PAYLOAD_BYTES
        + core_limits::METADATA_BYTES
        + core_limits::TASK_DEPENDENCIES * DEPENDENCY_BYTES);
/// Most workers whose capacity is remembered.
pub const WORKERS: usize = 10_000;
/// Most queues that are remembered of one worker.
pub const WORKER_QUEUES: usize = 100;
/// How long a worker that asks for nothing is taken for live: longer than most tasks keep it
/// busy.
pub const WORKER_LIVE: Duration = Duration::from_secs(600);
/// Most queues that one lease request names.
pub const LEASE_QUEUES: usize = 100;
/// Most resources that a worker's capacity names.
pub const LEASE_RESOURCES: usize = 64;
/// How long a wait goes on before the lanes and the settings of its queues are looked at again:
/// a queue tells of new lanes at once, and each look is a read of the store.
pub const LANES_REFRESH: Duration = Duration::from_secs(15);
/// Most timers that are fired together.
pub const TIMER_BATCH: usize = 1_000;
/// Most timers of a partition that a node holds back since they cannot be fired, such as those of
/// damaged records. So many of them, and [`TIMER_BATCH`] more, hold up no other.
pub const HELD_TIMERS: usize = 10_000;
/// How long such a timer is held back before it is tried again.
pub const HELD_TIMER_PAUSE: Millis = Millis::from_secs(60);
/// Most of them that are tried again together.
pub const HELD_TIMER_TRIES: usize = 10;
/// How far ahead a partition's leader looks for timers, and how often at least.
pub const TIMER_HORIZON: Millis = Millis::new(1_000);
/// A timer that is overdue by this much is fired by any node: its leader may be gone.
pub const TIMER_OVERDUE: Millis = Millis::new(1_000);
/// How long a partition's leader leads without campaigning again.
pub const LEADER_TERM: Millis = Millis::from_secs(15);
/// How much of its term is left when it campaigns again.
pub const LEADER_TERM_LEFT: Millis = Millis::from_secs(10);
/// How long the only node leads that a store can have. Nobody waits to lead in its place: so it
/// campaigns again only when this is over, since each campaign is a commit.
pub const LEADER_TERM_ALONE: Millis = core_limits::LEADER_TERM_MAX;
/// Most events that a node keeps for readers who are behind, or come back: a few MiB, and none
/// before the first reader. What is older is lost to them.
pub const EVENTS_KEPT: usize = 32_768;
/// Most tasks on one page of a listing.
pub const PAGE_TASKS: usize = 1_000;
/// Most tasks of a workflow that are redriven in one transaction, or cancelled at once.
pub const REDRIVE_TASKS: usize = 100;
/// How often the tasks of a workflow that is cancelled are gone through, until a round finds no
/// more of them.
pub const CANCEL_ROUNDS: u32 = 4;
/// How often the tasks of a workflow are listed until all of them are.
pub const LISTING_TRIES: u32 = 20;
/// The pause before they are listed again.
pub const LISTING_PAUSE: Duration = Duration::from_millis(250);
/// Most bytes of what its tasks carry on one page of a listing, unless one task is larger.
pub const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// So many tasks of a page are loaded at once, before it is seen whether more fit.
pub const PAGE_STEP: usize = 16;
/// Most lanes that a look at a queue names.
pub const VIEW_LANES: usize = 100;
/// How long a ready task waits before more workers are wanted than its queue's tasks need.
pub const TARGET_WAIT: Millis = Millis::from_secs(10);
/// Most announcements that wait to be carried, and most messages, of which each partition has its
/// share, at least [`PARCELS_AT_ONCE`]; timers carry what is beyond.
pub const PARCELS: usize = 65_536;
/// Most messages, or announcements, that are carried together.
pub const PARCELS_AT_ONCE: usize = 1_000;
