//! How an SQS queue is called, and how its lane stands in its tags.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use russet_core::{Lane, NewTask, QueueName, ResourceName, Resources};
use russet_engine::Message;

use crate::aws::OpenError;
use crate::limits::SQS_PREFIX_LEN;

/// Most characters of a queue's name that are repeated for people.
const READABLE: usize = 24;
/// Digits of the hash in a queue's name.
const HASH_LEN: usize = 16;
/// Most characters in the value of a tag.
const TAG_LEN: usize = 256;
/// The tags that say the lane, one after the other: this and a number.
const TAG: &str = "russet-lane-";

/// With what the names of all queues begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefix(String);

impl Prefix {
    pub(super) fn new(text: &str) -> Result<Self, OpenError> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        match (1..=SQS_PREFIX_LEN).contains(&text.len()) && text.bytes().all(is_part) {
            true => Ok(Self(text.to_owned())),
            false => Err(OpenError::Setting {
                setting: "prefix",
                problem: "cannot begin the name of a queue: use 1 to 32 of A-Z a-z 0-9 _ -",
            }),
        }
    }

    /// What SQS lists queues by.
    pub(super) fn listed(&self) -> String {
        format!("{}-", self.0)
    }

    /// The queue for messages that cannot be decoded.
    pub(super) fn aside(&self) -> String {
        format!("{}-undecodable", self.0)
    }

    /// The queue of a lane.
    pub(super) fn queue(&self, lane: &Lane, band: Band) -> String {
        let readable = lane.queue.as_str().chars().take(READABLE);
        let readable: String = readable
            .map(|c| match c.is_ascii_alphanumeric() {
                true => c,
                false => '_',
            })
            .collect();
        let hash = hash(lane.to_string().as_bytes());
        format!("{}-{readable}-{hash:016x}-{band}", self.0)
    }
}

/// Whether a queue with our prefix is called as those of lanes are.
pub(super) fn is_of_lane(name: &str) -> bool {
    let Some((name, band)) = name.rsplit_once('-') else {
        return false;
    };
    let hash = name.rsplit_once('-').map_or("", |(_, hash)| hash);
    let is_hash = hash.len() == HASH_LEN && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash && Band::ALL.into_iter().any(|known| known.to_string() == band)
}

/// A band of priorities; 0 is the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Band(u8);

impl Band {
    /// All bands, the most urgent first.
    pub(super) const ALL: [Self; 3] = [Self(0), Self(1), Self(2)];

    /// The band of a message: the middle one is that of the default priority alone.
    pub(super) fn of(message: &Message) -> Self {
        match message.priority.cmp(&NewTask::PRIORITY) {
            Ordering::Greater => Self(0),
            Ordering::Equal => Self(1),
            Ordering::Less => Self(2),
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The tags that say which lane a queue is.
pub(super) fn tags(lane: &Lane) -> HashMap<String, String> {
    let text = lane.to_string();
    // Names of queues and resources have only characters of one byte, as tags do.
    let parts = text.as_bytes().chunks(TAG_LEN).enumerate();
    let tags = parts.map(|(n, part)| {
        let part = String::from_utf8_lossy(part).into_owned();
        (format!("{TAG}{n}"), part)
    });
    tags.collect()
}

/// The lane that the tags of a queue say.
pub(super) fn read_tags(tags: &HashMap<String, String>) -> Option<Lane> {
    let parts = (0..).map_while(|n: u32| tags.get(&format!("{TAG}{n}")));
    let text: String = parts.map(String::as_str).collect();
    let mut parts = text.split('/');
    let queue = QueueName::new(parts.next()?).ok()?;
    let amounts = parts.map(|part| {
        let (name, amount) = part.split_once('=')?;
        Some((ResourceName::new(name).ok()?, amount.parse().ok()?))
    });
    let amounts: Option<Vec<(ResourceName, u64)>> = amounts.collect();
    Some(Lane {
        queue,
        resources: Resources::from_iter(amounts?),
    })
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo): the same in every version and on every machine.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russet_core::TaskId;
    use russet_core::limits::{NAME_LEN, TASK_RESOURCES};

    use super::*;

    fn lanes() -> impl Strategy<Value = Lane> {
        let name = || "[A-Za-z0-9._:-]{1,128}";
        let amounts = prop::collection::vec((name(), 1u64..1 << 53), 0..TASK_RESOURCES);
        (name(), amounts).prop_map(|(queue, amounts)| Lane {
            queue: QueueName::new(queue).expect("a name"),
            resources: amounts
                .into_iter()
                .map(|(name, amount)| (ResourceName::new(name).expect("a name"), amount))
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn every_lane_has_a_name_and_reads_back_from_its_tags(lane in lanes()) {
            let prefix = Prefix::new(&"p".repeat(SQS_PREFIX_LEN)).expect("a prefix");
            let name = prefix.queue(&lane, Band::ALL[0]);
            prop_assert!(name.len() <= 80, "{name}");
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)));
            prop_assert!(name.starts_with(&prefix.listed()));
            prop_assert!(is_of_lane(&name) && !is_of_lane(&prefix.aside()));
            let cut = &name[..name.len() - 1];
            let fourth = [cut, "3"].concat();
            prop_assert!(!is_of_lane(cut) && !is_of_lane(&fourth));
            let tags = tags(&lane);
            prop_assert!(tags.len() <= 50);
            prop_assert!(tags.values().all(|value| value.len() <= TAG_LEN));
            prop_assert_eq!(read_tags(&tags), Some(lane));
        }

        #[test]
        fn tags_of_others_are_no_lane(text in "[ -~]{0,40}") {
            let tags = HashMap::from([("russet-lane-0".to_owned(), text)]);
            if let Some(lane) = read_tags(&tags) {
                prop_assert!(lane.queue.as_str().len() <= NAME_LEN);
            }
        }
    }

    #[test]
    fn a_prefix_that_is_none_is_refused() {
        for text in [
            "",
            "with space",
            "dots.too",
            &"p".repeat(SQS_PREFIX_LEN + 1),
        ] {
            assert!(Prefix::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_never_change() {
        let lane = Lane {
            queue: QueueName::new("mail.out").expect("a name"),
            resources: Resources::NONE,
        };
        let prefix = Prefix::new("russet").expect("a prefix");
        let names = Band::ALL.map(|band| prefix.queue(&lane, band));
        let same = "russet-mail_out-2094eac43db01224";
        assert_eq!(names, [0, 1, 2].map(|band| format!("{same}-{band}")));
    }

    #[test]
    fn the_default_priority_has_a_band_of_its_own() {
        let band = |priority| {
            Band::of(&Message {
                lane: Lane {
                    queue: QueueName::new("mail").expect("a name"),
                    resources: Resources::NONE,
                },
                priority,
                score: 0,
                task: TaskId::from_u128(1),
            })
        };
        let bands = [9, 5, 4, 3, 0].map(|priority| band(priority).0);
        assert_eq!((bands, NewTask::PRIORITY), ([0, 0, 1, 2, 2], 4));
    }
}
