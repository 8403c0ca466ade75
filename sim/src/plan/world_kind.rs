use clap::ValueEnum;
use russet_backends::limits::{DYNAMO_DECIDED_BYTES, DYNAMO_TRANSACTION_CHANGES};
use russet_core::TransactionLimit;
use serde::{Deserialize, Serialize};

/// The backend that a world stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum WorldKind {
    /// A store in memory that outlives every crash: the fastest.
    Memory,
    /// The embedded store on a simulated disk that tears and forgets what is not synced.
    Embedded,
    /// The adapter for Redis, over connections to a model of a server.
    Redis,
    /// The adapters for SQS and DynamoDB, over requests to models of the services.
    Sqs,
    /// The adapter for Redis, and that for SQS as the queue beside it.
    SqsRedis,
}

impl WorldKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Memory,
        Self::Embedded,
        Self::Redis,
        Self::Sqs,
        Self::SqsRedis,
    ];

    /// Whether the store is Redis.
    pub const fn has_redis(self) -> bool {
        matches!(self, Self::Redis | Self::SqsRedis)
    }

    /// Whether the queue is SQS.
    pub const fn has_sqs(self) -> bool {
        matches!(self, Self::Sqs | Self::SqsRedis)
    }

    /// What one transaction of its store holds, unless a plan has it hold less.
    pub const fn transaction(self) -> TransactionLimit {
        match self {
            Self::Sqs => TransactionLimit {
                changes: DYNAMO_TRANSACTION_CHANGES,
                bytes: DYNAMO_DECIDED_BYTES,
            },
            // They hold more than any step of a plan needs.
            Self::Memory | Self::Embedded | Self::Redis | Self::SqsRedis => TransactionLimit::NONE,
        }
    }

    /// The name that `--world` takes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Embedded => "embedded",
            Self::Redis => "redis",
            Self::Sqs => "sqs",
            Self::SqsRedis => "sqs-redis",
        }
    }
}
