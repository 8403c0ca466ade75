use russet_core::{Lane, PartitionId, QueueName, ResourceName, Resources};

/// The names of everything that is kept in Redis. All names of a partition share a hash tag, so
/// that they are on one node of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// The hash that says how the store was made.
    pub(crate) fn store(&self) -> Vec<u8> {
        format!("{{{}}}:store", self.prefix).into_bytes()
    }

    /// The channel on which lanes are named in which tasks arrive.
    pub(crate) fn channel(&self) -> Vec<u8> {
        format!("{{{}}}:arrivals", self.prefix).into_bytes()
    }

    pub(crate) fn partition(&self, id: PartitionId) -> Keys {
        Keys {
            id,
            tag: format!("{{{}:{}}}", self.prefix, id.0).into_bytes(),
        }
    }
}

/// The names of one partition's keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) id: PartitionId,
    tag: Vec<u8>,
}

impl Keys {
    /// Three names that hold nothing, to try commands on.
    pub(crate) fn probes(&self) -> [Vec<u8>; 3] {
        ["h", "z", "s"].map(|kind| self.named(":probe:", kind))
    }

    /// The hash of the epoch.
    pub(crate) fn meta(&self) -> Vec<u8> {
        self.named(":meta", "")
    }

    /// The hash of all records.
    pub(crate) fn records(&self) -> Vec<u8> {
        self.named(":records", "")
    }

    /// The sorted set of timers, by when they are due.
    pub(crate) fn timers(&self) -> Vec<u8> {
        self.named(":timers", "")
    }

    /// The sorted set of the tasks of workflows; all scores are 0.
    pub(crate) fn members(&self) -> Vec<u8> {
        self.named(":members", "")
    }

    /// The set of lanes that hold a task, as arrivals name them.
    pub(crate) fn lanes(&self) -> Vec<u8> {
        self.named(":lanes", "")
    }

    /// The set of queues that hold a task.
    pub(crate) fn queues(&self) -> Vec<u8> {
        self.named(":queues", "")
    }

    /// The set of queues that were configured.
    pub(crate) fn configured(&self) -> Vec<u8> {
        self.named(":configured", "")
    }

    /// The sorted set of a queue's tasks, by status and time.
    pub(crate) fn queue(&self, queue: &QueueName) -> Vec<u8> {
        self.named(":queue:", queue.as_str())
    }

    /// The sorted sets of a lane's ready tasks and of its hidden deliveries.
    pub(crate) fn lane(&self, lane: &Lane) -> [Vec<u8>; 2] {
        let lane = lane.to_string();
        [":ready:", ":hidden:"].map(|kind| self.named(kind, &lane))
    }

    /// How an arrival in the lane is told of.
    pub(crate) fn arrival(&self, lane: &Lane) -> Vec<u8> {
        write_arrival(self.id, lane)
    }

    fn named(&self, kind: &str, name: &str) -> Vec<u8> {
        [&self.tag, kind.as_bytes(), name.as_bytes()].concat()
    }
}

/// The partition of a name of the store, and what the name says beside.
pub(crate) fn read<'a>(prefix: &str, name: &'a [u8]) -> Option<(PartitionId, &'a [u8])> {
    let rest = name.strip_prefix(b"{")?.strip_prefix(prefix.as_bytes())?;
    let rest = rest.strip_prefix(b":")?;
    let end = rest.iter().position(|byte| *byte == b'}')?;
    let number = std::str::from_utf8(&rest[..end]).ok()?;
    let kind = rest[end..].strip_prefix(b"}:")?;
    Some((PartitionId(number.parse().ok()?), kind))
}

/// How an arrival in a lane is told of.
pub(crate) fn write_arrival(partition: PartitionId, lane: &Lane) -> Vec<u8> {
    format!("{} {lane}", partition.0).into_bytes()
}

/// The partition and the lane that an arrival tells of; `None` when it tells of none.
pub(crate) fn read_arrival(message: &[u8]) -> Option<(PartitionId, Lane)> {
    let (partition, lane) = std::str::from_utf8(message).ok()?.split_once(' ')?;
    let partition = PartitionId(partition.parse().ok()?);
    let mut parts = lane.split('/');
    let queue = QueueName::new(parts.next()?).ok()?;
    let resource = |part: &str| {
        let (name, amount) = part.split_once('=')?;
        Some((ResourceName::new(name).ok()?, amount.parse().ok()?))
    };
    let resources = parts.map(resource).collect::<Option<Resources>>()?;
    Some((partition, Lane { queue, resources }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lanes() -> impl Strategy<Value = Lane> {
        let resource = ("[A-Za-z0-9._:-]{1,20}", 1..1u64 << 53);
        let resources = proptest::collection::vec(resource, 0..4);
        ("[A-Za-z0-9._:-]{1,40}", resources).prop_map(|(queue, resources)| Lane {
            queue: QueueName::new(queue).expect("a name"),
            resources: resources
                .into_iter()
                .map(|(name, amount)| (ResourceName::new(name).expect("a name"), amount))
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn an_arrival_names_its_lane(partition: u16, lane in lanes()) {
            let partition = PartitionId(partition);
            let told = Names::new("russet").partition(partition).arrival(&lane);
            prop_assert_eq!(read_arrival(&told), Some((partition, lane)));
        }

        #[test]
        fn other_messages_tell_of_nothing_without_a_panic(message: Vec<u8>) {
            let _ = read_arrival(&message);
        }
    }

    #[test]
    fn names_of_a_partition_share_a_hash_tag() {
        let keys = Names::new("app").partition(PartitionId(7));
        assert_eq!(keys.records(), b"{app:7}:records");
        assert_eq!(read_arrival(b""), None);
    }
}
