use russet_core::{
    Command, Complete, Fail, Fire, LeaseId, LeaseTask, NewTask, QueueName, Release, Submit, TaskId,
    TaskType, TimerKey, View, WorkerId, decide,
};

use super::*;

/// A task and everything that was told of it.
struct World {
    view: View,
    now: u64,
    told: Vec<Event>,
}

const TASK: TaskId = TaskId::from_u128(1);

impl World {
    fn new() -> Self {
        let queue = QueueName::new("q").expect("a name");
        let kind = TaskType::new("t").expect("a name");
        let mut task = NewTask::new(TASK, kind, queue, Vec::new().into());
        task.retry.max_retries = 1;
        task.timeout = Some(russet_core::Millis::new(50));
        let mut world = Self {
            view: View::default(),
            now: 1_000,
            told: Vec::new(),
        };
        world.does(Command::Submit(Submit {
            workflow: None,
            tasks: vec![task],
        }));
        world
    }

    fn does(&mut self, command: Command) {
        self.now += 10;
        let now = Timestamp::from_millis(self.now);
        let decision = loop {
            match decide(&self.view, &command, now) {
                Ok(decision) => break decision,
                Err(russet_core::Undecided::Missing(keys)) => {
                    let absent = keys.into_iter().map(|key| (key, None));
                    self.view.records.extend(absent);
                }
                Err(refused) => panic!("{refused:?}"),
            }
        };
        self.view.apply(&decision.writes);
        self.told.extend(decision.events);
    }

    fn lease(&mut self) -> LeaseId {
        let lease = LeaseId::from_u128(u128::from(self.now));
        self.does(Command::Lease(LeaseTask {
            task: TASK,
            lease,
            worker: WorkerId("w".into()),
            duration: None,
        }));
        lease
    }

    fn fail(&mut self, lease: LeaseId) {
        self.does(Command::Fail(Fail {
            task: TASK,
            lease,
            kind: ErrorKind::Failed,
            message: "no".into(),
            retry_after: None,
            progress: None,
            random: 0,
        }));
    }

    fn fire(&mut self) {
        self.now += 100_000;
        self.does(Command::Fire(Fire {
            timer: TimerKey::Task(TASK),
            random: 0,
        }));
    }

    fn task(&self) -> Task {
        let key = russet_core::RecordKey::Task(TASK);
        match self.view.records.get(&key) {
            Some(Some(russet_core::Record::Task(task))) => Task::clone(task),
            other => panic!("no task: {other:?}"),
        }
    }

    /// Whatever the last command told is lost: is it found again?
    fn finds_what_is_lost(&self, told_before: usize) {
        let (kept, lost) = self.told.split_at(told_before);
        let reached = kept.iter().map(|e| Reached::by(e.kind, e.attempt));
        let reached = reached.max().unwrap_or(Reached::NOTHING);
        assert_eq!(missing(&self.task(), reached), lost);
    }
}

#[test]
fn whatever_one_command_told_is_found_again() {
    let steps: [fn(&mut World); 6] = [
        |world| {
            world.lease();
        },
        |world| {
            let lease = LeaseId::from_u128(u128::from(world.now - 10));
            world.fail(lease);
        },
        World::fire,
        |world| {
            world.lease();
        },
        // The attempt takes too long, and it was the last one.
        World::fire,
        |_| {},
    ];
    let mut world = World::new();
    world.finds_what_is_lost(0);
    for step in steps {
        let before = world.told.len();
        step(&mut world);
        world.finds_what_is_lost(before);
    }
    assert_eq!(world.task().status, Status::Dead);
}

#[test]
fn a_release_and_a_completion_are_found_again() {
    let mut world = World::new();
    let lease = world.lease();
    let before = world.told.len();
    world.does(Command::Release(Release {
        task: TASK,
        lease,
        delay: None,
        progress: None,
    }));
    world.finds_what_is_lost(before);
    let lease = world.lease();
    let before = world.told.len();
    world.does(Command::Complete(Complete {
        task: TASK,
        lease,
        result: None,
        follow_ups: Vec::new(),
        progress: None,
    }));
    world.finds_what_is_lost(before);
}

#[test]
fn nothing_is_told_twice_and_the_end_is_always_told() {
    let mut world = World::new();
    let lease = world.lease();
    world.does(Command::Complete(Complete {
        task: TASK,
        lease,
        result: None,
        follow_ups: Vec::new(),
        progress: None,
    }));
    world.finds_what_is_lost(world.told.len());
    let all = missing(&world.task(), Reached::NOTHING);
    let kinds = |events: &[Event]| events.iter().map(|event| event.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&all), kinds(&world.told));
}
