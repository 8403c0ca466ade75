//! The steps of a plan that meet tasks, queues and messages which exist already.

use russet_core::command::{
    Campaign, Cancel, Complete, Configure, Extend, Fail, Fire, Purge, Redrive, RedriveWorkflow,
    Release, Sent,
};
use russet_core::{
    Command, ErrorKind, Millis, NodeId, Progress, QueueName, QueuePatch, TaskId, TimerKey,
};

use crate::commands::Dice;
use crate::harness::World;
use crate::specs;

impl Dice<'_> {
    /// What is done to a task by somebody who knows its id, or its lease.
    pub fn by_id(&mut self, world: &mut World, what: u8) {
        let (task, lease) = self.grant(world);
        let home = usize::from(task.partition().0);
        let wait = [
            None,
            Some(Millis::ZERO),
            Some(Millis::new(400)),
            Some(Millis::from_secs(90)),
        ];
        let command = match what {
            28..32 => Command::Extend(Extend {
                task,
                lease,
                duration: self.one_of(&[None, Some(Millis::new(300))]),
                progress: self.progress(),
            }),
            32..37 => Command::Complete(Complete {
                task,
                lease,
                result: Some(bytes::Bytes::from_static(b"done"))
                    .filter(|_| self.byte().is_multiple_of(2)),
                follow_ups: self.follow_ups(world, task),
                progress: self.progress(),
            }),
            37..42 => Command::Fail(Fail {
                task,
                lease,
                kind: self.one_of(&[
                    ErrorKind::Failed,
                    ErrorKind::Panicked,
                    ErrorKind::Final,
                    ErrorKind::Cancelled,
                ]),
                message: "it failed".into(),
                retry_after: self.one_of(&wait).filter(|_| self.byte() % 2 == 1),
                progress: self.progress(),
                random: 0,
            }),
            42..44 => Command::Release(Release {
                task,
                lease,
                delay: self.one_of(&wait),
                progress: self.progress(),
            }),
            _ => return self.by_task(world, what),
        };
        let _ = world.run(home, &command);
    }

    fn by_task(&mut self, world: &mut World, what: u8) {
        let task = self.task(world);
        let command = match what {
            44..46 => Command::Cancel(Cancel {
                task,
                reason: self
                    .one_of(&[None, Some("no longer wanted")])
                    .map(String::from),
            }),
            46..48 => self.redrive(world, task),
            48 => Command::Purge(Purge { task }),
            49 => Command::Sent(Sent { task }),
            _ => Command::Fire(Fire {
                timer: TimerKey::Task(task),
                random: 0,
            }),
        };
        let _ = world.run(usize::from(task.partition().0), &command);
    }

    /// Redrives a task, or its workflow with another task in its midst.
    fn redrive(&mut self, world: &World, task: TaskId) -> Command {
        let id = u64::from(self.byte() / 8);
        let shape = self.byte();
        let cancelled = shape % 4 == 3;
        let known = world.partitions[usize::from(task.partition().0)].task(task);
        let workflow = known.and_then(|known| known.workflow);
        let Some(workflow) = workflow.filter(|_| (shape / 4).is_multiple_of(2)) else {
            return Command::Redrive(Redrive {
                task,
                id,
                cancelled,
            });
        };
        let stored = &world.partitions[usize::from(workflow.partition().0)];
        let members = stored
            .tasks()
            .filter(|task| task.workflow == Some(workflow));
        let mut tasks: Vec<_> = members.map(|task| task.id).collect();
        if shape / 8 % 2 == 1 {
            tasks.reverse();
        }
        tasks.push(self.task(world));
        Command::RedriveWorkflow(RedriveWorkflow {
            workflow,
            tasks,
            id,
            cancelled,
        })
    }

    fn progress(&mut self) -> Option<Progress> {
        let byte = self.byte();
        (!byte.is_multiple_of(4)).then(|| Progress {
            percent: Some(byte % 101).filter(|_| byte % 4 == 1),
            message: Some("half way".into()).filter(|_| byte % 4 == 2),
            checkpoint: Some(vec![byte].into()).filter(|_| byte % 4 == 3),
        })
    }

    fn follow_ups(&mut self, world: &mut World, parent: TaskId) -> Vec<russet_core::NewTask> {
        let shape = self.byte();
        let home = usize::from(parent.partition().0);
        let mut tasks: Vec<_> = (0..(shape % 8).saturating_sub(5))
            .map(|_| specs::task(self, world, home))
            .collect();
        if let Some(first) = tasks.first_mut()
            && shape / 8 % 2 == 1
        {
            first.dependencies = vec![russet_core::Dependency {
                task: parent,
                on: specs::on(shape / 16),
            }];
        }
        tasks
    }

    /// Waits for the next timer, and fires it, and all others that are due by then.
    pub fn fire_next(&mut self, world: &mut World) {
        if let Some((due, ..)) = world.timers().first() {
            world.now = world.now.max(*due);
        }
        world.fire_due(|_| true);
    }

    pub fn configure(&mut self, world: &mut World, partition: usize) {
        let queue: QueueName = specs::queue(self.byte());
        let patch = QueuePatch {
            paused: self.one_of(&[None, None, Some(false), Some(true)]),
            concurrency: self.one_of(&[None, Some(None), Some(Some(1)), Some(Some(2))]),
            aging: self.one_of(&[None, Some(Millis::ZERO), Some(Millis::new(700))]),
            keep_finished: self.one_of(&[None, Some(Millis::ZERO), Some(Millis::from_secs(5))]),
            keep_dead: self.one_of(&[None, Some(Millis::ZERO), Some(Millis::from_secs(5))]),
        };
        let _ = world.run(partition, &Command::Configure(Configure { queue, patch }));
    }

    /// A message arrives, is lost, or arrives and stays on its way; so may its receipt be lost.
    pub fn message(&mut self, world: &mut World) {
        let fate = self.byte() % 8;
        let all: Vec<_> = (0..world.flight.len()).collect();
        let Some(at) = self.recent(&all) else {
            return;
        };
        let message = if fate < 4 {
            world.flight.remove(at)
        } else {
            world.flight[at]
        };
        if fate != 3 {
            world.deliver(message, fate.is_multiple_of(2));
        }
    }

    pub fn campaign(&mut self, world: &mut World, partition: usize) {
        let campaign = Campaign {
            node: NodeId::from_u128(u128::from(self.byte() % 3)),
            term: Millis::new(self.one_of(&[1_000, 0, 20_000])),
        };
        let _ = world.run(partition, &Command::Campaign(campaign));
    }

    /// A task that ended is kept for as long as it is wanted, and then its timer fires.
    pub fn outlive(&mut self, world: &mut World) {
        let task = self.task(world);
        let home = &world.partitions[usize::from(task.partition().0)];
        let due = home.task(task).filter(|task| task.status.is_terminal());
        if let Some(due) = due.and_then(|task| task.due_at) {
            world.now = world.now.max(due);
            world.fire_due(|timer| timer == TimerKey::Task(task));
        }
    }
}
