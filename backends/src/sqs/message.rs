//! What a message says, and what settles it.

use russet_core::TaskId;
use russet_engine::Receipt;

/// With what every message begins: the format.
const HEAD: &str = "russet1:";
/// The number in it.
const FORMAT: u32 = 1;

/// The body of the message that announces a task.
pub(super) fn write(task: TaskId) -> String {
    format!("{HEAD}{task}")
}

/// The task that a message announces; `None` when it is none of ours.
pub(super) fn read(body: &str) -> Option<TaskId> {
    body.strip_prefix(HEAD)?.parse().ok()
}

/// Whether a newer version has written the message, in a format that is not known yet.
pub(super) fn is_newer(body: &str) -> bool {
    let head = body
        .strip_prefix("russet")
        .and_then(|rest| rest.split_once(':'));
    head.is_some_and(|(number, _)| {
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        is_number && number.parse().is_ok_and(|number: u32| number > FORMAT)
    })
}

/// A delivery: the name of its queue, and what SQS calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) queue: String,
    pub(super) handle: String,
}

impl Handle {
    pub(super) fn receipt(&self) -> Receipt {
        // Names of queues hold no zero byte.
        let parts = [self.queue.as_bytes(), &[0], self.handle.as_bytes()];
        Receipt(parts.concat())
    }

    /// `None` when the receipt is not one of ours.
    pub(super) fn read(receipt: Receipt) -> Option<Self> {
        let text = String::from_utf8(receipt.0).ok()?;
        let (queue, handle) = text.split_once('\0')?;
        Some(Self {
            queue: queue.to_owned(),
            handle: handle.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_of_newer_versions_are_told_from_those_of_others() {
        assert_eq!(HEAD, format!("russet{FORMAT}:"));
        for newer in ["russet2:", "russet17:anything"] {
            assert!(is_newer(newer) && read(newer).is_none(), "{newer}");
        }
        for other in [
            "",
            "russet2",
            "russet:",
            "russet1:x",
            "russet0:x",
            "russet+2:x",
            "a russet2:",
        ] {
            assert!(!is_newer(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_message_reads_back(bits: u128) {
            let task = TaskId::from_u128(bits);
            prop_assert_eq!(read(&write(task)), Some(task));
        }

        #[test]
        fn bodies_of_others_are_no_task(body: String) {
            if let Some(task) = read(&body) {
                prop_assert_eq!(write(task).to_lowercase(), body.to_lowercase());
            }
        }

        #[test]
        fn every_receipt_reads_back(queue in "[a-z-]{1,80}", handle in "[ -~]{1,200}") {
            let handle = Handle { queue, handle };
            prop_assert_eq!(Handle::read(handle.receipt()), Some(handle));
        }

        #[test]
        fn receipts_of_others_are_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = Handle::read(Receipt(bytes));
        }
    }
}
