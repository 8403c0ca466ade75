//! What healthy workers, messages and timers make of any world: everything ends, and is
//! forgotten in the end.

use russet_core::command::{Complete, Configure, Fire, LeaseTask};
use russet_core::{
    Command, LeaseId, QueuePatch, Record, RecordKey, Reply, TaskId, TimerKey, Timestamp, WorkerId,
    entries,
};

use crate::harness::World;
use crate::specs;

/// More rounds than any plan needs.
const MOST_ROUNDS: usize = 2_000;

impl World {
    /// From now on nothing goes wrong.
    pub fn heal(&mut self) {
        let lift = QueuePatch {
            paused: Some(false),
            concurrency: Some(None),
            ..QueuePatch::default()
        };
        for partition in 0..self.partitions.len() {
            for queue in [0, 1].map(specs::queue) {
                let patch = lift.clone();
                let configure = Command::Configure(Configure { queue, patch });
                self.run(partition, &configure)
                    .expect("a queue can be resumed");
            }
        }
        self.drain();
        self.forget();
    }

    /// no-loss: every task ends, once workers complete what they lease and timers fire.
    fn drain(&mut self) {
        for _ in 0..MOST_ROUNDS {
            for message in std::mem::take(&mut self.flight) {
                self.deliver(message, true);
            }
            let worked = self.work();
            if !self.flight.is_empty() || worked {
                continue;
            }
            let live = self.live();
            if live.is_empty() {
                return;
            }
            let helps = |timer: TimerKey| match timer {
                TimerKey::Task(id) => live.contains(&id),
                TimerKey::Outbox(_) | TimerKey::Workflow(_) => true,
            };
            self.next_timers(helps);
        }
        panic!("no-loss: these never end: {:?}", self.live());
    }

    /// Everything that ended is purged, and leaves nothing behind.
    fn forget(&mut self) {
        for _ in 0..MOST_ROUNDS {
            for message in std::mem::take(&mut self.flight) {
                self.deliver(message, true);
            }
            if self.timers().is_empty() {
                let lasts =
                    |key: &&RecordKey| !matches!(key, RecordKey::Queue(_) | RecordKey::Leader);
                let left = self
                    .partitions
                    .iter()
                    .flat_map(|stored| stored.records.keys());
                let left: Vec<_> = left.filter(lasts).collect();
                assert!(
                    left.is_empty(),
                    "bounded: nothing points to these: {left:?}"
                );
                return;
            }
            self.next_timers(|_| true);
        }
        panic!("bounded: these are never purged: {:?}", self.timers());
    }

    /// Waits for the next timers of a kind, and fires them. Parents that have not told all of
    /// their children are due at once.
    fn next_timers(&mut self, chosen: impl Fn(TimerKey) -> bool) {
        let timers = self.timers();
        let untold = |timer: TimerKey| match timer {
            TimerKey::Task(id) => {
                let home = &self.partitions[usize::from(id.partition().0)];
                home.task(id)
                    .is_some_and(|task| !task.dependents.are_settled())
            }
            TimerKey::Outbox(_) | TimerKey::Workflow(_) => false,
        };
        let helps: Vec<_> = timers.iter().map(|(_, _, timer)| *timer).collect();
        let helps: Vec<_> = helps
            .into_iter()
            .filter(|timer| chosen(*timer) || untold(*timer))
            .collect();
        let next = timers.iter().find(|(_, _, timer)| helps.contains(timer));
        let (due, ..) = next.expect("no-loss: nothing is ready, and no timer is set");
        self.now = self.now.max(*due);
        self.fire_due(|timer| helps.contains(&timer));
    }

    /// Leases and completes everything that is ready; whether there was anything.
    fn work(&mut self) -> bool {
        let ready: Vec<_> = self
            .partitions
            .iter()
            .flat_map(|stored| stored.records.values())
            .filter_map(|record| entries(record).ready)
            .collect();
        let mut worked = false;
        for ready in ready {
            let home = usize::from(ready.task.partition().0);
            let lease = LeaseId::from_u128(u128::from(self.next_serial()));
            let command = Command::Lease(LeaseTask {
                task: ready.task,
                lease,
                worker: WorkerId("healthy".into()),
                duration: None,
            });
            // What is past its expires_at is left to its timer.
            if let Ok(Reply::Leased(_)) = self.run(home, &command) {
                let complete = Command::Complete(Complete {
                    task: ready.task,
                    lease,
                    result: None,
                    follow_ups: Vec::new(),
                    progress: None,
                });
                self.run(home, &complete)
                    .expect("the current lease completes");
                worked = true;
            }
        }
        worked
    }
}

impl World {
    /// All timers, the earliest first.
    pub fn timers(&self) -> Vec<(Timestamp, usize, TimerKey)> {
        let mut timers = Vec::new();
        for (partition, stored) in self.partitions.iter().enumerate() {
            for record in stored.records.values() {
                let key = match record {
                    Record::Task(task) => TimerKey::Task(task.id),
                    Record::Outbox(outbox) => TimerKey::Outbox(outbox.message.id()),
                    Record::Workflow(workflow) => TimerKey::Workflow(workflow.id),
                    _ => continue,
                };
                timers.extend(entries(record).timer.map(|due| (due, partition, key)));
            }
        }
        timers.sort();
        timers
    }

    /// Fires all timers of a kind that are due.
    pub fn fire_due(&mut self, chosen: impl Fn(TimerKey) -> bool) {
        for (due, partition, timer) in self.timers() {
            if due <= self.now && chosen(timer) {
                let fire = Fire { timer, random: 0 };
                let fired = self.run(partition, &Command::Fire(fire));
                assert!(fired.is_ok(), "a timer is refused: {fired:?}");
            }
        }
    }

    pub fn live(&self) -> Vec<TaskId> {
        let tasks = self.partitions.iter().flat_map(|stored| stored.tasks());
        tasks
            .filter(|task| !task.status.is_terminal())
            .map(|task| task.id)
            .collect()
    }
}
