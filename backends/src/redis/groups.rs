use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russet_core::{Lane, PartitionId};

use super::group::Group;
use crate::limits::REDIS_GROUPS;

/// Receivers, by the lanes that they wait for: those of a group share their calls, so that
/// many receivers cost no more than one.
pub(crate) struct Groups {
    partitions: u16,
    groups: Mutex<BTreeMap<Kind, Arc<Group>>>,
}

/// What receivers of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) lanes: Arc<[Lane]>,
    pub(crate) visibility: Duration,
}

impl Groups {
    pub(crate) fn new(partitions: u16) -> Self {
        Self {
            partitions,
            groups: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, kind: Kind) -> Arc<Group> {
        let mut groups = self.lock();
        if let Some(group) = groups.get(&kind) {
            return group.clone();
        }
        if groups.len() >= REDIS_GROUPS {
            groups.retain(|_, group| group.is_awaited() || Arc::strong_count(group) > 1);
        }
        let group = Arc::new(Group::new(kind.clone(), self.partitions));
        groups.insert(kind, group.clone());
        group
    }

    /// Tasks arrived in a lane.
    pub(crate) fn arrived(&self, partition: PartitionId, lane: &Lane) {
        for group in self.lock().values() {
            if group.kind.lanes.contains(lane) {
                group.open(partition);
            }
        }
    }

    /// Something may have arrived unheard.
    pub(crate) fn look_everywhere(&self) {
        for group in self.lock().values() {
            group.open_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Kind, Arc<Group>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
