//! Which records a partition's commits under way change. What several of them would change is
//! left to the first: the others could only conflict, and wait for it instead.

use std::sync::{Mutex, MutexGuard, PoisonError};

use russet_core::RecordKey;
use rustc_hash::FxHashSet;
use tokio::sync::Notify;

use super::batch::Group;

/// The claims of a partition.
pub(in crate::scheduler) struct Claims {
    /// Whether several commits are under way at all.
    are_made: bool,
    taken: Mutex<FxHashSet<RecordKey>>,
    ended: Notify,
}

/// Records that nobody else on this node changes while it lives.
pub(super) struct Claim<'a> {
    claims: &'a Claims,
    keys: Vec<RecordKey>,
}

impl Claims {
    /// For so many commits at a time.
    pub fn new(commits: usize) -> Self {
        Self {
            are_made: commits > 1,
            taken: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Claims what groups change, of each all of it or nothing; and returns those for which
    /// nothing was.
    pub(super) fn claim(&self, groups: Vec<Group>) -> (Claim<'_>, Vec<Group>, Vec<Group>) {
        let claims = self;
        if !self.are_made {
            let keys = Vec::new();
            return (Claim { claims, keys }, groups, Vec::new());
        }
        let mut taken = self.lock();
        // Groups of one batch never change the same records.
        let is_free = |group: &Group| !group.changed().any(|key| taken.contains(key));
        let (free, held): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_free);
        let keys: Vec<RecordKey> = free.iter().flat_map(Group::changed).cloned().collect();
        taken.extend(keys.iter().cloned());
        drop(taken);
        (Claim { claims, keys }, free, held)
    }

    /// Waits until nobody claims what one of the groups changes.
    pub(super) async fn wait_for(&self, groups: &[Group]) {
        loop {
            let ended = self.ended.notified();
            if groups.iter().all(|group| self.is_free(group)) {
                return;
            }
            ended.await;
        }
    }

    fn is_free(&self, group: &Group) -> bool {
        let taken = self.lock();
        !group.changed().any(|key| taken.contains(key))
    }

    fn lock(&self) -> MutexGuard<'_, FxHashSet<RecordKey>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let mut taken = self.claims.lock();
        for key in &self.keys {
            taken.remove(key);
        }
        drop(taken);
        self.claims.ended.notify_waiters();
    }
}
