use russet_core::{Lane, PartitionId, TaskId};
use russet_engine::Receipt;

use super::keys::{read_arrival, write_arrival};
use crate::index::keys::Place;

const NUMBER: usize = size_of::<i64>();
const ID: usize = size_of::<u128>();

/// What a receipt says. The time until which the delivery is hidden, in microseconds, tells
/// it from earlier and later ones of the same task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) place: Place,
    pub(crate) partition: PartitionId,
    pub(crate) until: i64,
    pub(crate) lane: Lane,
}

impl Ticket {
    pub(crate) fn write(&self) -> Receipt {
        let mut bytes = self.until.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.place.score.to_be_bytes());
        bytes.extend_from_slice(&self.place.task.as_u128().to_be_bytes());
        bytes.extend(write_arrival(self.partition, &self.lane));
        Receipt(bytes)
    }

    /// `None` when the receipt is not one of ours.
    pub(crate) fn read(receipt: &Receipt) -> Option<Self> {
        let (until, rest) = receipt.0.split_first_chunk::<NUMBER>()?;
        let (score, rest) = rest.split_first_chunk::<NUMBER>()?;
        let (task, lane) = rest.split_first_chunk::<ID>()?;
        let (partition, lane) = read_arrival(lane)?;
        Some(Self {
            place: Place {
                score: i64::from_be_bytes(*score),
                task: TaskId::from_u128(u128::from_be_bytes(*task)),
            },
            partition,
            until: i64::from_be_bytes(*until),
            lane,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russet_core::{QueueName, Resources};

    use super::*;

    proptest! {
        #[test]
        fn every_ticket_reads_back(score: i64, task: u128, partition: u16, until: i64) {
            let ticket = Ticket {
                place: Place { score, task: TaskId::from_u128(task) },
                partition: PartitionId(partition),
                until,
                lane: Lane {
                    queue: QueueName::new("emails").expect("a name"),
                    resources: Resources::NONE,
                },
            };
            prop_assert_eq!(Ticket::read(&ticket.write()), Some(ticket));
        }

        #[test]
        fn other_receipts_are_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = Ticket::read(&Receipt(bytes));
        }
    }
}
