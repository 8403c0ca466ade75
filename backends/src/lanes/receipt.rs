use russet_core::TaskId;
use russet_engine::Receipt;

/// What a receipt says: the task, and the number of its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) task: TaskId,
    pub(crate) number: u64,
}

impl Delivered {
    pub(crate) fn write(self) -> Receipt {
        let mut bytes = Vec::with_capacity(24);
        bytes.extend_from_slice(&self.task.as_u128().to_be_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        Receipt(bytes)
    }

    /// `None` when the receipt is not one of ours.
    pub(crate) fn read(receipt: &Receipt) -> Option<Self> {
        let (task, number) = receipt.0.split_first_chunk::<16>()?;
        Some(Self {
            task: TaskId::from_u128(u128::from_be_bytes(*task)),
            number: u64::from_be_bytes(number.try_into().ok()?),
        })
    }
}
