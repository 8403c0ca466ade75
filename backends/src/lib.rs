//! Russet's backends: where the records of `russet-engine` are kept, and how ready tasks are
//! delivered. A backend holds no scheduling logic; it moves bytes.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "config")]
pub mod config;
pub mod conformance;
#[cfg(feature = "aws")]
pub mod dynamodb;
pub mod embedded;
mod index;
mod key;
mod lanes;
pub mod limits;
pub mod memory;
pub mod migrate;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(any(feature = "aws", feature = "redis"))]
pub mod secret;
#[cfg(feature = "aws")]
pub mod sqs;
mod tasks;
#[cfg(any(feature = "aws", feature = "redis"))]
mod unreadable;
mod value;

use russet_core::PartitionId;
use russet_engine::StoreError;

/// What a commit to a partition that does not exist is refused with.
fn no_partition(partition: PartitionId, partitions: u16) -> StoreError {
    StoreError::Unavailable {
        why: format!(
            "there is no partition {}, the store has {partitions}",
            partition.0
        ),
    }
}
