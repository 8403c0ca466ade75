//! One account of a run, as the checkers read it: what the store did, what clients and workers
//! asked and were told, what handlers did, and which faults there were. Times are simulated,
//! and true: no node's clock shows them.

mod ask;
mod assured;
mod effect;
mod look;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russet_core::{Event, LeaseId, PartitionId, Record, RecordKey, TaskId};
use serde::{Deserialize, Serialize};

pub use ask::{Answer, Ask, CallId, Granted, redrive_number};
pub use assured::Assured;
pub use effect::Effect;
pub use look::Look;

/// Microseconds since the world began.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct At(pub u64);

impl At {
    /// Whole milliseconds since the world began.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Actor {
    /// The store, and the queue in it.
    Store,
    /// The queue of a split pair.
    Queue,
    /// A scheduler node.
    Node(u8),
    /// A worker.
    Worker(u8),
    /// A client.
    Client(u8),
    /// A further primary of a store that is a cluster; the first is [`Self::Store`].
    Shard(u8),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => f.write_str("store"),
            Self::Queue => f.write_str("queue"),
            Self::Node(n) => write!(f, "node-{n}"),
            Self::Worker(n) => write!(f, "worker-{n}"),
            Self::Client(n) => write!(f, "client-{n}"),
            Self::Shard(n) => write!(f, "shard-{n}"),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When, in true time.
    pub at: At,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum What {
    /// The store committed a transaction. These entries are in the order of the commits, and
    /// they are all there is: a record is what the last of them made it.
    Stored(Stored),
    /// A node told of an event, when it knew that the decision was committed. A node that
    /// crashes before has told nobody.
    Told {
        /// The node.
        node: Actor,
        /// The event.
        event: Box<Event>,
    },
    /// Somebody asked a node for something. The same thing asked again, after no answer came,
    /// is another call.
    Asked {
        /// The call.
        call: CallId,
        /// Who asks.
        who: Actor,
        /// Whom.
        node: Actor,
        /// For what: one for each item of a batch.
        asks: Arc<[Ask]>,
    },
    /// An answer came.
    Answered {
        /// The call.
        call: CallId,
        /// One for each ask, in their order.
        answers: Vec<Answer>,
    },
    /// A handler began an attempt.
    Began {
        /// The worker.
        worker: Actor,
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u64,
        /// Its lease.
        lease: LeaseId,
    },
    /// A handler reached its end and had its effect. Without one the attempt was cut short.
    Did {
        /// The worker.
        worker: Actor,
        /// The task.
        task: TaskId,
        /// The attempt.
        attempt: u64,
    },
    /// A fault was injected.
    Fault(Fault),
    /// The queue hides tasks: it delivered them together, or somebody gave one back for later.
    Hidden {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// Until when; a delivery that is settled is not seen again.
        until: At,
        /// They were delivered just now.
        delivered: bool,
    },
    /// The store refused a node's call, because it is away or has too much to do.
    TurnedAway {
        /// The node.
        node: Actor,
    },
    /// A node's call met the effect of a fault, or of what another node did.
    Met {
        /// The node.
        node: Actor,
        /// What it met.
        effect: Effect,
    },
    /// The adapter of a queue beside the store told its node that something is done.
    Assured {
        /// The node.
        node: Actor,
        /// What, and what the queue shows of it.
        assured: Assured,
    },
    /// A message of a queue beside the store is gone by a deletion that no node had asked for.
    Unsettled {
        /// Its task.
        task: TaskId,
    },
    /// No more faults from here on, except for those that are to stay.
    Healed,
    /// The store was looked at.
    Looked(Box<Look>),
}

/// A transaction that the store committed.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where.
    pub partition: PartitionId,
    /// The node that asked for it.
    pub by: Actor,
    /// What changed.
    pub changes: Vec<Changed>,
}

/// A record before and after a commit.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Which.
    pub key: RecordKey,
    /// What it was, as the entries before say.
    pub before: Option<Record>,
    /// What it became.
    pub after: Option<Record>,
}

/// A fault that was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of fault.
    pub kind: FaultKind,
    /// Whom it befell.
    pub whom: Actor,
}

/// What sorts of faults there are. Each is on or off in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A node, worker or store is killed where it awaits, and started again.
    Crash,
    /// A node is killed when its commit is done and not yet acknowledged.
    CrashAfterCommit,
    /// A message never arrives.
    RequestLost,
    /// A request is carried out and its reply never arrives.
    ReplyLost,
    /// A request arrives twice.
    Duplicated,
    /// A message takes long, and others overtake it.
    Delayed,
    /// Nothing gets through between two sides, in both directions or in one.
    Partition,
    /// An actor stands still for a while.
    Pause,
    /// A node's clock jumps.
    ClockJump,
    /// A node's clock goes too fast or too slow from the start.
    ClockDrift,
    /// A node's clock is beyond `max_clock_skew` from another.
    ClockBeyond,
    /// The store refuses everything for a while.
    Unavailable,
    /// The store answers late for a while.
    Slow,
    /// The store refuses some calls.
    Throttled,
    /// The store does a part of a batch, and says that it does not know.
    PartialBatch,
    /// The power of the store's disk fails: what is not synced is lost or torn.
    PowerFailure,
    /// A message of the split queue is lost.
    MessageLost,
    /// A message of the split queue is delivered twice.
    MessageDuplicated,
    /// A connection breaks in the middle of what is sent.
    Reset,
    /// The store forgets the scripts that it was given.
    ScriptsForgotten,
    /// The store has no memory left for a while.
    Full,
    /// A replica of the store takes over, which has everything.
    Failover,
    /// A replica of the store takes over without its newest writes.
    FailoverBehind,
    /// A transaction of the store meets another one on the same items, and is refused.
    TransactionConflict,
    /// A service fails, and may have done what was asked.
    ServiceError,
    /// Indexes of the store follow its records late.
    IndexLag,
    /// A slot of a partition is moved to another primary of the store, key by key, under load.
    SlotMove,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Crash,
        Self::CrashAfterCommit,
        Self::RequestLost,
        Self::ReplyLost,
        Self::Duplicated,
        Self::Delayed,
        Self::Partition,
        Self::Pause,
        Self::ClockJump,
        Self::ClockDrift,
        Self::ClockBeyond,
        Self::Unavailable,
        Self::Slow,
        Self::Throttled,
        Self::PartialBatch,
        Self::PowerFailure,
        Self::MessageLost,
        Self::MessageDuplicated,
        Self::Reset,
        Self::ScriptsForgotten,
        Self::Full,
        Self::Failover,
        Self::FailoverBehind,
        Self::TransactionConflict,
        Self::ServiceError,
        Self::IndexLag,
        Self::SlotMove,
    ];
}

/// A place in the account. Whoever holds one writes before another is taken.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: At,
    position: usize,
}

/// The account while it is written. Clones write into the same one.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    entries: Vec<Entry>,
    calls: u64,
}

impl Journal {
    /// Writes down what happened.
    pub fn write(&self, at: At, what: What) {
        self.lock().entries.push(Entry { at, what });
    }

    /// A place in the account: after everything that was written until now.
    pub fn moment(&self, at: At) -> Moment {
        let position = self.lock().entries.len();
        Moment { at, position }
    }

    /// Writes down what was seen at a moment, where it belongs.
    pub fn write_at(&self, Moment { at, position }: Moment, what: What) {
        self.lock().entries.insert(position, Entry { at, what });
    }

    /// The identity of a new call.
    pub fn new_call(&self) -> CallId {
        let mut pages = self.lock();
        pages.calls += 1;
        CallId(pages.calls)
    }

    /// Everything that was written, taken out.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.lock().entries)
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
