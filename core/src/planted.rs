//! Bugs on purpose, to prove that the simulator's checkers bite. One at a time can be planted,
//! and only in the simulated build: in every other the places of the bugs are compiled away.

/// Whether this bug is planted; `false`, known to the compiler, in a build for users.
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        cfg!(madsim) && $crate::planted::is($crate::planted::Bug::$bug)
    };
}

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident = $name:literal,)*) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $bug,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: [Self; [$(Self::$bug),*].len()] = [$(Self::$bug),*];

            /// The name on the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$bug => $name,)*
                }
            }
        }
    };
}

bugs! {
    /// A completion or heartbeat is accepted from any lease of a running task.
    AnyLeaseCompletes = "any-lease-completes",
    /// One retry more than `max_retries` is made.
    OneRetryTooMany = "one-retry-too-many",
    /// A failed task is ready again at once.
    NoBackoff = "no-backoff",
    /// A redrive lets the fencing token start again.
    TokenStartsAgain = "token-starts-again",
    /// A task that comes back to life waits for no parent.
    RedrivenWaitsForNobody = "redriven-waits-for-nobody",
    /// A redrive brings back what somebody cancelled, although it was not to.
    CancelledRises = "cancelled-rises",
    /// A redrive of a workflow begins with the children.
    ChildrenRedrivenFirst = "children-redriven-first",
    /// A redrive of a workflow ends after the tasks of one transaction.
    RedriveStopsEarly = "redrive-stops-early",
    /// A cancel of a workflow ends after the tasks of one transaction.
    CancelStopsEarly = "cancel-stops-early",
    /// A commit of which is not known whether it was done is answered as one that was not.
    UnsureIsUndone = "unsure-is-undone",
    /// A lease after an expired one gets the same fencing token.
    TokenStands = "token-stands",
    /// A heartbeat is accepted after its lease has expired.
    ExpiredLeaseExtended = "expired-lease-extended",
    /// A delayed task that has no `expires_at` has no timer.
    WakeUpLost = "wake-up-lost",
    /// An expired lease gives back two slots of a concurrency limit.
    SlotReturnedTwice = "slot-returned-twice",
    /// One task more runs than a concurrency limit allows.
    LimitOffByOne = "limit-off-by-one",
    /// An idempotency key names nothing once its window is half over.
    KeyFreedEarly = "key-freed-early",
    /// A final failure is tried again.
    FinalIsRetried = "final-is-retried",
    /// A lease is expired without regard to the skew of clocks.
    SkewIgnored = "skew-ignored",
    /// Only the first chunk of dependents is told that a task has ended.
    FirstChunkOnly = "first-chunk-only",
    /// Any end of a parent satisfies a dependency.
    AnyEndSatisfies = "any-end-satisfies",
    /// A parent is purged although a child is live.
    ParentPurged = "parent-purged",
    /// Priority beats any wait.
    PriorityStarves = "priority-starves",
    /// A task that dies is reported dead twice.
    BuriedTwice = "buried-twice",
    /// A commit without a reply is taken for done.
    LostReplyIsSuccess = "lost-reply-is-success",
    /// A commit that conflicted is taken for done.
    ConflictIsSuccess = "conflict-is-success",
    /// A queued task of a split pair has no timer once its message was sent.
    NoWatchdog = "no-watchdog",
    /// A message to another partition is acknowledged before it is delivered, and nobody asks again.
    ForgottenMessage = "forgotten-message",
    /// What the store refuses is asked again at once, for ever.
    NoPause = "no-pause",
    /// What a node knows of a task is taken to be so, without asking the store.
    PresumedIsTrue = "presumed-is-true",
    /// What a node has read of a queue is taken to be so for ever.
    QueueNeverForgotten = "queue-never-forgotten",
    /// A store compares whether a record is there, not its version.
    PresenceCompared = "presence-compared",
    /// A transaction that conflicts leaves its first change.
    TornTransaction = "torn-transaction",
    /// A timer that moves leaves its old entry in the index.
    TimerKeepsOldPlace = "timer-keeps-old-place",
    /// A purged task is still counted.
    CounterDrifts = "counter-drifts",
    /// A commit to the disk is acknowledged before it is synced.
    NotSynced = "not-synced",
    /// A delivery that is not settled never comes back.
    DeliveryForgotten = "delivery-forgotten",
    /// A commit of which Redis says that it conflicts is taken for done.
    RedisConflictsForgotten = "redis-conflicts-forgotten",
    /// A Redis server that was replaced begins no new epoch.
    RedisEpochStands = "redis-epoch-stands",
    /// A later epoch of a store in Redis has no fencing tokens of its own.
    RedisEpochTokensShared = "redis-epoch-tokens-shared",
    /// What was decided in an epoch of Redis that is over is committed in the next.
    RedisEpochOfBefore = "redis-epoch-of-before",
    /// A Redis server that was replaced is still read from.
    RedisStaleRead = "redis-stale-read",
    /// A commit to Redis is acknowledged before a replica has it.
    RedisReplicaUnawaited = "redis-replica-unawaited",
    /// A timer that is no longer due stays in its index in Redis.
    RedisTimerStays = "redis-timer-stays",
    /// What a task is later is read from Redis without the payload that stands apart from it.
    RedisBodyForgotten = "redis-body-forgotten",
    /// A node of a Redis Cluster that says where a slot has gone is not heeded.
    RedisMovedIgnored = "redis-moved-ignored",
    /// An item of DynamoDB is written over, whatever version it has.
    DynamoUnconditional = "dynamo-unconditional",
    /// Items that DynamoDB had no capacity to read are taken for absent.
    DynamoUnprocessedAbsent = "dynamo-unprocessed-absent",
    /// Only the first page of an index in DynamoDB is read.
    DynamoFirstPageOnly = "dynamo-first-page-only",
    /// An item that is written over in a transaction of DynamoDB is not compared.
    DynamoPartUnconditional = "dynamo-part-unconditional",
    /// A queue is not registered in DynamoDB before its first task is written.
    DynamoUnregistered = "dynamo-unregistered",
    /// A message for a lane that has no queue in SQS yet is dropped.
    SqsQueueForgotten = "sqs-queue-forgotten",
    /// Messages of a batch that SQS did not take count as sent.
    SqsFailedSendDropped = "sqs-failed-send-dropped",
    /// Messages count as sent, and so are noted, before SQS was asked to take them.
    SqsSendUnawaited = "sqs-send-unawaited",
    /// Deliveries of a batch that SQS did not delete count as settled.
    SqsFailedDeleteDropped = "sqs-failed-delete-dropped",
    /// A message is deleted from SQS as it is received, before its task is granted.
    SqsDeletedOnReceipt = "sqs-deleted-on-receipt",
    /// SQS is asked to hide a message for a tenth of the time.
    SqsHiddenShortly = "sqs-hidden-shortly",
}

#[cfg(madsim)]
mod switch {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::Bug;

    /// One more than the position of the planted bug.
    static PLANTED: AtomicUsize = AtomicUsize::new(0);

    /// Plants a bug, instead of the one before.
    pub fn plant(bug: Bug) {
        PLANTED.store(bug as usize + 1, Ordering::Relaxed);
    }

    /// Whether this bug is planted.
    pub fn is(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as usize + 1
    }
}

#[cfg(madsim)]
pub use switch::{is, plant};

/// There is nothing to plant in this build.
#[cfg(not(madsim))]
pub const fn plant(_: Bug) {}

/// Nothing is planted in this build.
#[cfg(not(madsim))]
pub const fn is(_: Bug) -> bool {
    false
}
