use russet_core::{PartitionId, RecordKey};
use russet_engine::StoreError;

use crate::aws::Fault;
use crate::value::ValueError;

/// What a fault of a read means: nothing was to be changed.
pub(super) fn reading(fault: &Fault) -> StoreError {
    StoreError::Unavailable { why: said(fault) }
}

/// What the service said, with the remedy where there is one.
pub(super) fn said(fault: &Fault) -> String {
    if fault.is_denied() {
        return format!("DynamoDB refuses the credentials or what they may do: {fault}");
    }
    if fault.is("ResourceNotFoundException") {
        return "DynamoDB has no such table any more: create it, or correct table".to_owned();
    }
    format!("DynamoDB: {fault}")
}

pub(super) fn unavailable(why: impl Into<String>) -> StoreError {
    StoreError::Unavailable { why: why.into() }
}

/// A record of a partition that cannot be read.
pub(super) fn unreadable(partition: PartitionId, key: &RecordKey, why: &ValueError) -> StoreError {
    let record = format!("the record {key:?} of partition {}", partition.0);
    StoreError::Unreadable {
        why: match why {
            // That it is newer says what to do.
            ValueError::Newer(_) => format!("{record} cannot be read: {why}"),
            _ => format!("{record} cannot be read: {why}; restore the table from a backup"),
        },
    }
}
