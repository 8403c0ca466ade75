use russet_core::PartitionId;
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

/// An item of a partition that cannot be read.
pub(super) fn damaged(partition: PartitionId, place: &[u8], error: &ValueError) -> StoreError {
    let key = place.iter().map(|byte| format!("{byte:02x}"));
    let key: String = key.collect();
    StoreError::Damaged {
        why: format!("the item {key} of partition {}: {error}", partition.0),
    }
}

/// An entry of an index that is none of ours.
pub(super) fn strange(index: &str) -> StoreError {
    StoreError::Damaged {
        why: format!("an entry of the index {index} was not written by russet"),
    }
}
