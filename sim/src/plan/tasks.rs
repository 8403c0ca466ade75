//! Draws what clients do.

mod aim;

use russet_core::DependencyOn;

use super::{Act, Attempt, Random, Step, TaskNumber, TaskPlan};

/// In how many percent of the runs a task waits for long, if there is one that can.
const LONG_WAITS: u64 = 5;

/// What the tasks of a run are like.
#[derive(Clone, Copy)]
struct Taste {
    /// Percent of attempts that do not succeed.
    trouble: u64,
    /// Percent of tasks with a delay.
    delayed: u64,
    /// Percent of tasks with a dependency.
    dependent: u64,
    /// Percent of tasks with a key.
    keyed: u64,
    /// How many keys there are: few are hot.
    keys: u64,
    /// Percent of tasks that need resources.
    heavy: u64,
    /// Percent of tasks that take long, with heartbeats.
    long: u64,
    /// How many steps there are.
    steps: u64,
    /// Percent of the steps that are clients' interference.
    interference: u64,
    /// Everything is submitted in bursts.
    bursts: bool,
}

struct Draw<'a> {
    random: &'a Random,
    taste: Taste,
    queues: u8,
    next: TaskNumber,
}

/// Draws the steps; which workflows are cancelled is `cancels` to say, and whether something waits
/// for long `waits`.
pub(super) fn steps(
    random: &Random,
    [cancels, waits]: [&Random; 2],
    queues: u8,
    clients: u8,
    chaos_ms: u64,
) -> Vec<Step> {
    let some = |most| {
        if random.percent(50) {
            random.within(0..most)
        } else {
            0
        }
    };
    let taste = Taste {
        trouble: some(60),
        delayed: some(60),
        dependent: some(80),
        keyed: some(70),
        keys: *random.one_of(&[1, 4, 50]),
        heavy: some(60),
        long: some(40),
        steps: random.within(10..50),
        interference: some(50),
        bursts: random.percent(30),
    };
    let mut draw = Draw {
        random,
        taste,
        queues,
        next: 0,
    };
    let last = chaos_ms * 3 / 4;
    let mut times: Vec<u64> = (0..taste.steps)
        .map(|_| match taste.bursts {
            true => random.within(0..4) * last / 4,
            false => random.within(0..last),
        })
        .collect();
    times.sort_unstable();
    let mut steps: Vec<Step> = Vec::with_capacity(times.len());
    for at_ms in times {
        let act = draw.act(&steps);
        let client = random.within(0..u64::from(clients)) as u8;
        steps.push(Step { at_ms, client, act });
    }
    let aimed = steps.iter().flat_map(|step| aim::steps(random, step));
    let aimed: Vec<_> = aimed.collect();
    steps.extend(aimed);
    if cancels.percent(50) {
        let cancelled = steps.iter().flat_map(|step| aim::cancels(cancels, step));
        let cancelled: Vec<_> = cancelled.collect();
        steps.extend(cancelled);
    }
    if waits.percent(LONG_WAITS) {
        aim::wait_long(&mut steps);
    }
    steps
}

impl Draw<'_> {
    fn act(&mut self, before: &[Step]) -> Act {
        if self.next > 0 && self.random.percent(self.taste.interference) {
            return self.interference(before);
        }
        match self.random.within(0..10) {
            0..6 => {
                let count = *self.random.one_of(&[1, 1, 1, 2, 5]);
                Act::Submit((0..count).map(|_| self.task(None)).collect())
            }
            _ if self.random.percent(15) => self.wide(),
            6..8 => self.workflow(),
            _ => Act::Submit(vec![self.task(None)]),
        }
    }

    fn interference(&mut self, before: &[Step]) -> Act {
        let any = match self.random.percent(60) {
            true => self.recent(),
            false => self.any(),
        };
        let queue = self.random.within(0..u64::from(self.queues)) as u8;
        match self.random.within(0..18) {
            0..5 => {
                let submits =
                    |step: &Step| matches!(step.act, Act::Submit(_) | Act::Workflow { .. });
                let own: Vec<_> = (0..before.len())
                    .filter(|at| submits(&before[*at]))
                    .collect();
                match own.is_empty() {
                    true => Act::List,
                    false => Act::Again(*self.random.one_of(&own)),
                }
            }
            5..7 => Act::Cancel(any),
            7 if self.random.percent(30) => Act::RedriveCancelled(any),
            7 => Act::Redrive(any),
            8 => Act::RedriveAll(queue),
            9 => Act::Purge(any),
            10 => Act::Get(any),
            11 => Act::Wait(any),
            12 => Act::List,
            13 => Act::Pause(queue),
            14 => Act::Resume(queue),
            15..17 => Act::RedriveWorkflow {
                of: any,
                cancelled: self.random.percent(40),
            },
            _ => Act::Limit(
                queue,
                *self.random.one_of(&[None, Some(1), Some(2), Some(5)]),
            ),
        }
    }

    fn any(&self) -> TaskNumber {
        self.random.within(0..u64::from(self.next.max(1))) as TaskNumber
    }

    /// One of the tasks that were submitted last: it has hardly ended.
    fn recent(&self) -> TaskNumber {
        let next = u64::from(self.next);
        self.random.within(next.saturating_sub(6)..next) as TaskNumber
    }

    fn workflow(&mut self) -> Act {
        let first = self.next;
        let count = self.random.within(2..9);
        let tasks = (0..count).map(|_| self.task(Some(first))).collect();
        let key = self.random.percent(self.taste.keyed);
        let key = key.then(|| 100 + self.random.within(0..self.taste.keys) as u8);
        Act::Workflow { key, tasks }
    }

    /// One task, many that wait for it, and one that waits for them.
    fn wide(&mut self) -> Act {
        let mut first = self.plain();
        if self.random.percent(self.taste.trouble) {
            first.script = vec![Attempt::Final(self.random.within(0..300))];
        }
        let count = *self.random.one_of(&[9, 40, 40, 150, 300]);
        let mut tasks = vec![first];
        for _ in 0..count {
            let mut middle = self.plain();
            middle.dependencies = vec![(tasks[0].number, DependencyOn::Success)];
            tasks.push(middle);
        }
        let mut last = self.plain();
        last.dependencies = tasks[1..]
            .iter()
            .map(|t| (t.number, DependencyOn::Completion))
            .collect();
        tasks.push(last);
        Act::Workflow { key: None, tasks }
    }

    fn plain(&mut self) -> TaskPlan {
        let number = self.next;
        self.next += 1;
        TaskPlan {
            number,
            queue: self.random.within(0..u64::from(self.queues)) as u8,
            lease_ms: 3_000,
            backoff_ms: 200,
            max_retries: 3,
            ..TaskPlan::default()
        }
    }

    /// A task; it may depend on those from `within` on, or on any when absent.
    fn task(&mut self, within: Option<TaskNumber>) -> TaskPlan {
        let (random, taste) = (self.random, self.taste);
        let some = |percent: u64, least: u64, most: u64| {
            random.percent(percent).then(|| random.within(least..most))
        };
        let dependencies = self.dependencies(within.unwrap_or(0));
        let key = (within.is_none() && random.percent(taste.keyed))
            .then(|| random.within(0..taste.keys) as u8);
        let attempts = random.within(0..4);
        TaskPlan {
            partition: random.within(0..8) as u16,
            priority: some(40, 0, 10).map(|priority| priority as u8),
            delay_ms: some(taste.delayed, 1, 8_000).unwrap_or(0),
            max_retries: random.within(0..5) as u32,
            backoff_ms: *random.one_of(&[50, 200, 1_000]),
            lease_ms: *random.one_of(&[1_000, 2_000, 5_000]),
            timeout_ms: some(15, 500, 5_000),
            expires_in_ms: some(5, 1_000, 20_000),
            retention_ms: some(15, 500, 10_000),
            dependencies,
            if_unsatisfied: random.within(0..3) as u8,
            key,
            window_ms: some(50, 1_000, 60_000),
            cpu: some(taste.heavy, 1, 6).unwrap_or(0),
            script: (0..attempts).map(|_| self.attempt()).collect(),
            ..self.plain()
        }
    }

    fn dependencies(&self, from: TaskNumber) -> Vec<(TaskNumber, DependencyOn)> {
        if self.next == from || !self.random.percent(self.taste.dependent) {
            return Vec::new();
        }
        let one = |_| {
            let task = self.random.within(u64::from(from)..u64::from(self.next)) as TaskNumber;
            let on = [
                DependencyOn::Success,
                DependencyOn::Success,
                DependencyOn::Completion,
                DependencyOn::Failure,
            ];
            (task, *self.random.one_of(&on))
        };
        let mut all: Vec<_> = (0..self.random.within(1..4)).map(one).collect();
        all.sort_by_key(|(task, _)| *task);
        all.dedup_by_key(|(task, _)| *task);
        all
    }

    fn attempt(&self) -> Attempt {
        let random = self.random;
        let ms = match random.percent(self.taste.long) {
            true => random.within(1_000..9_000),
            false => random.within(0..300),
        };
        if !random.percent(self.taste.trouble) {
            return match random.within(0..8) {
                0 => Attempt::FollowUps(ms, random.within(1..4) as u8),
                1 => Attempt::Progress(ms, random.within(0..500)),
                _ => Attempt::Succeed(ms),
            };
        }
        match random.within(0..12) {
            0..5 => Attempt::Fail(ms),
            5 => Attempt::Final(ms),
            6 => Attempt::Panic(ms),
            7..9 => Attempt::Snooze(random.within(1..3_000)),
            9 => Attempt::Hang,
            _ => Attempt::Poison(ms),
        }
    }
}
