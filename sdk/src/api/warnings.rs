//! What the submitter of a task that was accepted should know.

use std::collections::BTreeMap;

use russet_core::{NewTask, QueueName, Resources};
use russet_engine::{Scheduler, WhoFits};

/// Looks once at each lane of the tasks of a request.
pub(super) struct Warnings<'a> {
    scheduler: &'a Scheduler,
    lanes: BTreeMap<(QueueName, Resources), Option<String>>,
}

impl<'a> Warnings<'a> {
    pub fn new(scheduler: &'a Scheduler) -> Self {
        Self {
            scheduler,
            lanes: BTreeMap::new(),
        }
    }

    /// What to know of `task`. One that needs nothing can be run by whoever comes.
    pub fn of(&mut self, task: &NewTask) -> Vec<String> {
        if task.resources.is_empty() {
            return Vec::new();
        }
        let lane = (task.queue.clone(), task.resources.clone());
        let (queue, needs) = (&task.queue, &task.resources);
        let look = || nobody(self.scheduler, queue, needs);
        let warning = self.lanes.entry(lane).or_insert_with(look);
        warning.iter().cloned().collect()
    }

    /// What to know of any of the tasks that were looked at.
    pub fn all(self) -> Vec<String> {
        self.lanes.into_values().flatten().collect()
    }
}

fn nobody(scheduler: &Scheduler, queue: &QueueName, needs: &Resources) -> Option<String> {
    let now = scheduler.clock().now();
    match scheduler.workers().who_fits(queue, needs, now) {
        WhoFits::Somebody => None,
        WhoFits::NobodyServes | WhoFits::NobodyFits => {
            let needs = needs.iter().map(|(name, n)| format!("{name}={n}"));
            let needs = needs.collect::<Vec<_>>().join(",");
            let whose = match scheduler.is_shared() {
                true => " that asks this node",
                false => "",
            };
            Some(format!(
                "no live worker of queue {queue}{whose} has {needs}: the task was accepted, and waits until one with it comes"
            ))
        }
    }
}
