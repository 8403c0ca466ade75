use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russet_core::{Resources, policy};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Room for tasks: so many at once, using so much together.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    capacity: Option<Arc<Capacity>>,
}

/// What is left of the resources that tasks may use together.
#[derive(Debug)]
struct Capacity {
    free: Mutex<Resources>,
    /// Rings when there is more.
    more: Arc<Notify>,
}

/// Room for as many tasks as are asked for.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

/// Room that one task takes; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    used: Option<(Arc<Capacity>, Resources)>,
}

impl Slots {
    /// Room for `count` tasks; with `capacity`, only while they fit into it together. `more`
    /// rings when a task gives resources back.
    pub fn new(count: usize, capacity: Option<Resources>, more: Arc<Notify>) -> Self {
        let capacity = capacity.map(Mutex::new);
        Self {
            free: Arc::new(Semaphore::new(count)),
            capacity: capacity.map(|free| Arc::new(Capacity { free, more })),
        }
    }

    /// Waits until there is room, and takes all there is, but at most for `most` tasks.
    pub async fn room(&self, most: usize) -> Room {
        let one = self.free.clone().acquire_owned().await;
        let mut permits = one.expect("the semaphore is never closed");
        let more = self.free.available_permits().min(most.saturating_sub(1));
        if let Ok(more) = u32::try_from(more)
            && let Ok(more) = self.free.clone().try_acquire_many_owned(more)
        {
            permits.merge(more);
        }
        Room(permits)
    }

    /// What is free of the capacity; `None` when it is not counted.
    pub fn capacity(&self) -> Option<Resources> {
        let capacity = self.capacity.as_deref()?;
        Some(capacity.free().clone())
    }

    /// Gives some of `room` to a task that needs `resources`; `None` when it is used up.
    pub fn take(&self, room: &mut Room, resources: &Resources) -> Option<Slot> {
        let permit = room.0.split(1)?;
        let used = self.capacity.as_ref().map(|capacity| {
            let mut free = capacity.free();
            let rest = policy::take(resources, &free);
            *free = rest.expect("only what fits is leased");
            drop(free);
            (capacity.clone(), resources.clone())
        });
        Some(Slot {
            _permit: permit,
            used,
        })
    }
}

impl Capacity {
    fn free(&self) -> MutexGuard<'_, Resources> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// For how many tasks.
    pub fn count(&self) -> usize {
        self.0.num_permits()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((capacity, used)) = self.used.take() {
            let mut free = capacity.free();
            let sum = free.iter().chain(used.iter());
            *free = sum.map(|(name, amount)| (name.clone(), amount)).collect();
            drop(free);
            capacity.more.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use russet_core::ResourceName;

    use super::*;

    fn cpus(count: u64) -> Resources {
        let cpu = ResourceName::new("cpu").expect("a name");
        [(cpu, count)].into_iter().collect()
    }

    #[tokio::test]
    async fn a_slot_gives_back_what_it_took() {
        let slots = Slots::new(2, Some(cpus(4)), Arc::default());
        let mut room = slots.room(10).await;
        assert_eq!(room.count(), 2);
        let three = slots.take(&mut room, &cpus(3)).expect("fits");
        let one = slots.take(&mut room, &cpus(1)).expect("fits");
        assert_eq!(slots.capacity(), Some(Resources::NONE));
        assert!(slots.take(&mut room, &Resources::NONE).is_none());
        drop((three, room));
        assert_eq!(slots.capacity(), Some(cpus(3)));
        assert_eq!(slots.room(1).await.count(), 1);
        drop(one);
        assert_eq!(slots.room(10).await.count(), 2);
    }
}
