//! What several samples are made of.

use russet_core::{
    IdempotencyKey, LeaseId, Millis, NodeId, PartitionId, QueueName, TaskId, Timestamp, WorkflowId,
};

/// 2026-01-31T08:00:00Z, and so many milliseconds.
pub fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_769_846_400_000 + ms)
}

/// A task of partition 3.
pub fn task(random: u64) -> TaskId {
    TaskId::new(at(0), PartitionId(3), random)
}

/// A task of the last partition that there can be.
pub fn far_task(random: u64) -> TaskId {
    TaskId::new(at(0), PartitionId(4_095), random)
}

pub fn workflow() -> WorkflowId {
    WorkflowId::from(task(0x0077_6f72_6b66_6c6f))
}

pub fn lease() -> LeaseId {
    LeaseId::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210)
}

pub fn node() -> NodeId {
    NodeId::from_u128(0xfeed)
}

pub fn queue() -> QueueName {
    QueueName::new("mail.out:eu-1").expect("is a name")
}

pub fn key() -> IdempotencyKey {
    IdempotencyKey::new("order 4711 / ü").expect("is a key")
}

pub fn ms(ms: u64) -> Millis {
    Millis::new(ms)
}
